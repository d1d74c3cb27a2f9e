//! One connection for many requests: opening one for each would take longer than the response.

use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::{Base, ConnectionMode, Request, RequestError, Response, connect, response_reader};

/// A connection that is reopened where the server has closed it.
pub(crate) struct Connection<'b> {
    base: &'b Base,
    stop: &'b AtomicBool,
    stream: Option<TcpStream>,
}

impl<'b> Connection<'b> {
    pub(crate) fn to(base: &'b Base, stop: &'b AtomicBool) -> Self {
        Self { base, stop, stream: None }
    }

    /// Sends one request and waits for its response. A server may close a connection at any time between two requests,
    /// so that only a missing response over a new one counts.
    pub(crate) fn send(&mut self, request: &Request) -> Result<Response, RequestError> {
        if let Some(stream) = self.stream.take() {
            match self.send_over(stream, request) {
                Err(RequestError::Closed) => {}
                result => return result,
            }
        }
        let stream = connect(self.base.address, &request.limits(self.stop))?;
        self.send_over(stream, request)
    }

    fn send_over(&mut self, mut stream: TcpStream, request: &Request) -> Result<Response, RequestError> {
        let started = Instant::now();
        let limits = request.limits(self.stop);
        limits.write(&mut stream, &request.bytes(self.base, ConnectionMode::KeepAlive))?;
        let (response, kept) = response_reader::read_response(&mut stream, &limits)?;
        self.stream = kept.then_some(stream);
        Ok(Response { took: started.elapsed(), ..response })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Responds to this many requests over each connection, then closes it; returns the number of connections.
    fn serve(listener: &TcpListener, each: usize, connections: usize) {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for _ in 0..each {
                while !lines.next().unwrap().unwrap().is_empty() {}
                (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
            }
        }
    }

    #[test]
    fn connection_is_reused_and_reopened_after_the_server_closes_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(&listener, 3, 2));
        let stop = AtomicBool::new(false);
        let mut connection = Connection::to(&base, &stop);
        for _ in 0..6 {
            assert_eq!(connection.send(&Request::get("/me")).unwrap().body, b"ok");
        }
        server.join().unwrap();
        assert_eq!(connection.send(&Request::get("/me")).unwrap_err(), RequestError::Refused, "the listener is closed");
    }
}
