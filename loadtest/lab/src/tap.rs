//! A relay that keeps a copy of every byte, so that what travels can be counted on the wire itself.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::message::{Message, MessageError, split};

/// A target on loopback is there at once or not at all.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// A relay at work. It is for counting, not for measuring time: its threads add latency.
#[derive(Debug)]
pub struct Tap {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// One request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// As the client sent it.
    pub request: Message,
    /// As the target sent it.
    pub response: Message,
}

/// A tap's copy does not make exchanges.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// A copy is not a row of whole HTTP messages.
    #[error("the traffic through the tap is not valid HTTP: {0}")]
    Message(#[from] MessageError),
    /// Not every request got a response.
    #[error("{requests} requests went through the tap, but {responses} responses returned")]
    Unanswered {
        /// Whole requests seen.
        requests: usize,
        /// Complete responses.
        responses: usize,
    },
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

/// One client's connection, with the two threads that pump it.
#[derive(Debug)]
struct Connection {
    client: TcpStream,
    target: TcpStream,
    requests: JoinHandle<Vec<u8>>,
    responses: JoinHandle<Vec<u8>>,
}

impl Tap {
    /// Opens a port on loopback that leads to `target`.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let for_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, target, &for_acceptor));
        Ok(Self { addr, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect instead of to the target.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the port and every connection, and returns the traffic: connections in the order in which
    /// they were opened, exchanges in the order of their requests.
    pub fn finish(mut self) -> Result<Vec<Exchange>, TapError> {
        let mut exchanges = Vec::new();
        for connection in self.close() {
            let (requests, responses) = connection.close();
            exchanges.append(&mut pair(&requests, &responses)?);
        }
        Ok(exchanges)
    }

    fn close(&mut self) -> Vec<Connection> {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(acceptor) = self.acceptor.take() {
            // Wakes the acceptor, which then stops. If the connection fails, it has ended.
            let _ = TcpStream::connect_timeout(&self.addr, CONNECT_DEADLINE);
            let _ = acceptor.join();
        }
        std::mem::take(&mut *self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for connection in self.close() {
            connection.close();
        }
    }
}

impl Connection {
    fn open(client: TcpStream, target: SocketAddr) -> io::Result<Self> {
        let target = TcpStream::connect_timeout(&target, CONNECT_DEADLINE)?;
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let requests = pump(client.try_clone()?, target.try_clone()?);
        let responses = pump(target.try_clone()?, client.try_clone()?);
        Ok(Self { client, target, requests, responses })
    }

    /// The bytes of both directions.
    fn close(self) -> (Vec<u8>, Vec<u8>) {
        // An error means that it is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.target.shutdown(Shutdown::Both);
        (self.requests.join().unwrap_or_default(), self.responses.join().unwrap_or_default())
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Shared) {
    for client in listener.incoming().flatten() {
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        // A target that cannot be reached shows to the client as a closed connection.
        if let Ok(connection) = Connection::open(client, target) {
            shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// Forwards bytes one way until either side closes, and returns a copy of them.
fn pump(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut copy = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            copy.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The other side learns of the end; an error means that it knows.
        let _ = to.shutdown(Shutdown::Write);
        copy
    })
}

fn pair(requests: &[u8], responses: &[u8]) -> Result<Vec<Exchange>, TapError> {
    let (requests, responses) = (split(requests)?, split(responses)?);
    if requests.len() != responses.len() {
        return Err(TapError::Unanswered { requests: requests.len(), responses: responses.len() });
    }
    Ok(requests.into_iter().zip(responses).map(|(request, response)| Exchange { request, response }).collect())
}
