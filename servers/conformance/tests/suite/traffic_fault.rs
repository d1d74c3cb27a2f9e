//! Faults between the suite and a correct server, for what the chassis makes impossible.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::message::Message;
use testkit::reverse_proxy::{self, Forward, Handler};

/// The time limit for a request to become complete, so that no check waits for one that never does.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);

/// State that a fault keeps between requests.
pub(crate) type Memory = HashMap<String, String>;

/// A fault that changes the traffic.
pub(crate) trait TrafficFault: Send + Sync {
    /// Returns the number of connections served at a time.
    fn connections(&self) -> usize {
        usize::MAX
    }

    /// Returns the time limit for a request to become complete; none: no limit.
    fn request_timeout(&self) -> Option<Duration> {
        Some(REQUEST_TIMEOUT)
    }

    /// Changes a request, or responds to it directly.
    fn request(&self, _request: &mut Message, _memory: &mut Memory) -> Option<Message> {
        None
    }

    /// Changes the response to this request, which is as it was forwarded.
    fn response(&self, _request: &Message, _response: &mut Message, _memory: &mut Memory) {}
}

/// Starts a proxy with this fault in front of a server, and returns its address.
pub(crate) fn start(server: SocketAddr, fault: Arc<dyn TrafficFault>) -> SocketAddr {
    reverse_proxy::start(server, FaultyProxy { fault, memory: Mutex::default() })
}

struct FaultyProxy {
    fault: Arc<dyn TrafficFault>,
    memory: Mutex<Memory>,
}

impl Handler for FaultyProxy {
    fn connections(&self) -> usize {
        self.fault.connections()
    }

    fn request_timeout(&self) -> Option<Duration> {
        self.fault.request_timeout()
    }

    /// One request per connection, whatever the client requested: the suite may send what has no clear end.
    fn handle(&self, mut request: Message, forward: &mut Forward<'_>) -> Option<Message> {
        close_after(&mut request);
        let direct_response = self.fault.request(&mut request, &mut self.memory.lock().unwrap());
        let mut response = if let Some(response) = direct_response {
            response
        } else {
            let mut response = forward(&request)?;
            self.fault.response(&request, &mut response, &mut self.memory.lock().unwrap());
            response
        };
        close_after(&mut response);
        Some(response)
    }
}

fn close_after(message: &mut Message) {
    message.without("connection");
    message.add("connection", "close");
}
