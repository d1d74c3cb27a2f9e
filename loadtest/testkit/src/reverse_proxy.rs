//! Scripted servers, and proxies between a client and a server that a test controls.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::TIMEOUT;
use crate::message::{Connection, Message};

/// Starts a server that handles every connection with this function, on a thread of its own, and returns its address. It
/// stops with the test program.
pub fn serve(handler: impl Fn(Connection) + Send + Sync + 'static) -> SocketAddr {
    serve_at_a_time(usize::MAX, handler)
}

/// Serves this number of connections at a time, in the order in which they were opened.
fn serve_at_a_time(connections: usize, handler: impl Fn(Connection) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new((handler, Slots { free: Mutex::new(connections), released: Condvar::new() }));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // The thread of a later connection may run before those of earlier ones, so the slot is taken here.
            shared.1.take();
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let (handler, slots) = &*shared;
                handler(Connection::new(stream));
                slots.release();
            });
        }
    });
    address
}

/// Sends a request to the server and returns the response; none if the server sends none.
pub type Forward<'f> = dyn FnMut(&Message) -> Option<Message> + 'f;

/// What a proxy does with traffic.
pub trait Handler: Send + Sync + 'static {
    /// Returns the number of connections served at a time.
    fn connections(&self) -> usize {
        usize::MAX
    }

    /// Returns the time limit for a request to become complete; none: no limit.
    fn request_timeout(&self) -> Option<Duration> {
        None
    }

    /// Handles a request; none: the connection is closed without a response.
    fn handle(&self, request: Message, forward: &mut Forward<'_>) -> Option<Message>;
}

struct Function<F>(F);

impl<F: Fn(Message, &mut Forward<'_>) -> Option<Message> + Send + Sync + 'static> Handler for Function<F> {
    fn handle(&self, request: Message, forward: &mut Forward<'_>) -> Option<Message> {
        self.0(request, forward)
    }
}

/// Starts a reverse proxy that handles requests with this function; see [`start`].
pub fn reverse_proxy(
    server: SocketAddr,
    handle: impl Fn(Message, &mut Forward<'_>) -> Option<Message> + Send + Sync + 'static,
) -> SocketAddr {
    start(server, Function(handle))
}

/// Starts a reverse proxy in front of this server, and returns its address. It keeps connections open as long as client
/// and server do, and stops with the test program.
pub fn start(server: SocketAddr, handler: impl Handler) -> SocketAddr {
    serve_at_a_time(handler.connections(), move |client| {
        relay(client, server, &handler);
    })
}

fn relay(mut client: Connection, server: SocketAddr, handler: &impl Handler) -> Option<()> {
    let mut upstream = None;
    loop {
        let request = client.request(handler.request_timeout())?;
        let mut closes = false;
        let mut forward = |request: &Message| {
            let mut connection = match upstream.take() {
                Some(connection) => connection,
                None => Connection::new(TcpStream::connect(server).ok()?),
            };
            // A server may respond before it has read the request, and close.
            connection.send(request).ok();
            let response = connection.response(TIMEOUT)?;
            closes = response.closes();
            upstream = Some(connection).filter(|_| !closes);
            Some(response)
        };
        let response = handler.handle(request, &mut forward)?;
        client.send(&response).ok()?;
        if closes || response.closes() {
            return None;
        }
    }
}

/// Connections that can still be served.
struct Slots {
    free: Mutex<usize>,
    released: Condvar,
}

impl Slots {
    fn take(&self) {
        let mut free = self.released.wait_while(self.free.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
    }

    fn release(&self) {
        *self.free.lock().unwrap() += 1;
        self.released.notify_one();
    }
}
