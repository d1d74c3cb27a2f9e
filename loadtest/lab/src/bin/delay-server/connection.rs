//! One thread per connection: reads a request, waits until its response is due, and sends it.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use contract::http1::{Framing, Request, header_buffer, request};
use engine::clock::{enable_precise_wakeups, now_ns, sleep_until};

use crate::reply::{self, Reply};
use crate::report::Report;
use crate::station::Station;

/// A connection's thread needs little more than its buffer, and there may be thousands.
const STACK_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// No request of a load is longer; more without an end is not HTTP.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Requests have fewer headers than this.
const MAX_HEADERS: usize = 128;

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Service {
    station: Arc<Mutex<Station>>,
    report: Arc<Mutex<Report>>,
    delayed: Arc<[u8]>,
    fifo: bool,
}

impl Service {
    pub(crate) fn new(station: Station, report: Arc<Mutex<Report>>, fifo: bool) -> Self {
        Self { station: Arc::new(Mutex::new(station)), report, delayed: reply::delayed().into(), fifo }
    }

    /// Serves every connection until the process ends.
    pub(crate) fn accept(&self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            let service = self.clone();
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            // A connection whose thread cannot be started, or that breaks, is closed; its client sees that.
            let _ = thread.spawn(move || service.serve(stream));
        }
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let _ = enable_precise_wakeups(self.fifo);
        stream.set_nodelay(true)?;
        let mut pending = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        while let count @ 1.. = stream.read(&mut buffer)? {
            let arrival = now_ns();
            pending.extend_from_slice(&buffer[..count]);
            if !self.reply_to_pending(&mut stream, &mut pending, arrival)? || pending.len() > MAX_REQUEST_BYTES {
                return stream.write_all(&reply::bad_request());
            }
        }
        Ok(())
    }

    /// Responds to the complete requests received so far, in order, and keeps the rest. Returns false if it is not
    /// HTTP.
    fn reply_to_pending(&self, stream: &mut TcpStream, pending: &mut Vec<u8>, arrival: u64) -> io::Result<bool> {
        loop {
            let mut space = header_buffer::<MAX_HEADERS>();
            let (target, length, body) = match request(pending, &mut space) {
                Ok(Some(Request { target, length, body: Framing::Length(body), .. })) => (target, length, body),
                Ok(None) => return Ok(true),
                Ok(Some(_)) | Err(_) => return Ok(false),
            };
            let Some(body) = pending[length..].get(..body) else { return Ok(true) };
            let end = length + body.len();
            match reply::to(target, body) {
                Reply::Now(bytes) => stream.write_all(&bytes)?,
                Reply::Delayed => self.reply_when_due(stream, arrival)?,
            }
            pending.drain(..end);
        }
    }

    fn reply_when_due(&self, stream: &mut TcpStream, arrival: u64) -> io::Result<()> {
        let due = self.station.lock().expect("a departure does not panic").departure(arrival);
        sleep_until(due);
        let sent = now_ns();
        // Before it is sent: a client that has its response finds it in the report.
        self.report.lock().expect("recording does not panic").record(arrival, due, sent);
        stream.write_all(&self.delayed)
    }
}
