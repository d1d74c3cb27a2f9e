//! The time and size limits of one exchange. Every wait is short, so that a run can be stopped within a second.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::RequestError;

/// The longest wait for bytes, or for room to write them, before the deadline and the stop flag are checked again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The same for a connection: longer, because each wait begins with a new attempt.
const CONNECT_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(800);
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 8 * 1024;

/// The limits of one exchange.
pub(super) struct Limits<'s> {
    pub(super) deadline: Instant,
    /// The time limit behind the deadline, for messages.
    pub(super) timeout: Duration,
    pub(super) body_limit_bytes: usize,
    pub(super) stop: &'s AtomicBool,
}

impl Limits<'_> {
    /// Returns the next wait: the time until the deadline, and at most this long.
    fn next_wait(&self, max: Duration) -> Result<Duration, RequestError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if self.stop.load(Ordering::Relaxed) {
            Err(RequestError::Stopped)
        } else if left.is_zero() {
            Err(RequestError::TimedOut(self.timeout))
        } else {
            Ok(left.min(max))
        }
    }

    pub(super) fn connect(&self, address: SocketAddr) -> Result<TcpStream, RequestError> {
        loop {
            match TcpStream::connect_timeout(&address, self.next_wait(CONNECT_ATTEMPT_TIMEOUT)?) {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(RequestError::Refused),
                Err(error) => {
                    return Err(error.raw_os_error().map_or(RequestError::Refused, RequestError::NoConnection));
                }
            }
        }
    }

    /// Writes all of it, or as much as the server reads: it may respond and close before it has read everything, and its
    /// response still counts.
    pub(super) fn write(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> Result<(), RequestError> {
        while !bytes.is_empty() {
            stream.set_write_timeout(Some(self.next_wait(POLL_INTERVAL)?)).map_err(|_| RequestError::Closed)?;
            match stream.write(bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    if has_response(stream) {
                        return Ok(());
                    }
                }
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Appends the next bytes; returns false if the server has closed the connection.
    pub(super) fn read(&self, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<bool, RequestError> {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            stream.set_read_timeout(Some(self.next_wait(POLL_INTERVAL)?)).map_err(|_| RequestError::Closed)?;
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    bytes.extend(&chunk[..count]);
                    return Ok(true);
                }
                // Linux interrupts a read with a timeout when the process is stopped and continued, as under a debugger
                // or during a migration of the machine (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_timeout(&error) => {}
                Err(_) => return Ok(false),
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Returns whether there is something to read, or the other end has closed.
fn has_response(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).is_ok() && {
        let result = stream.peek(&mut [0]).is_ok();
        let _ = stream.set_nonblocking(false);
        result
    }
}
