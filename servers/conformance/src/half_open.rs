//! Requests that never become complete, started with a run: whether the server closes their connections is checked at the
//! end of the run, so that no check has to wait for it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contract::route;

use crate::wire::Base;

/// How often it is checked whether a connection is still open.
const POLL: Duration = Duration::from_millis(100);
/// The time after which a growing head gets one more line.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// The time limit to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The value of a connection that is still open.
const STILL_OPEN: u64 = u64::MAX;

/// How a request stays incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfOpenKind {
    /// Nothing follows a part of its head.
    Head,
    /// Its head grows by one line per second.
    GrowingHead,
    /// Nothing follows a part of its body.
    Body,
}

impl HalfOpenKind {
    pub(crate) const ALL: [Self; 3] = [Self::Head, Self::GrowingHead, Self::Body];

    /// Returns a description.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Head => "an incomplete head",
            Self::GrowingHead => "a head that grows by one line per second",
            Self::Body => "an incomplete body",
        }
    }

    /// Returns what is sent first.
    pub(crate) fn partial_request(self, base: &Base) -> String {
        let path = base.path(route::LOGIN);
        let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", base.authority());
        match self {
            Self::Head | Self::GrowingHead => head,
            Self::Body => format!("{head}content-length: 100\r\n\r\n{{\"username\":"),
        }
    }
}

/// One connection of each kind, open until this value is dropped.
pub(crate) struct HalfOpen {
    started: Instant,
    state: Arc<ConnectionWatch>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct ConnectionWatch {
    stopped: AtomicBool,
    /// Milliseconds from the beginning to the end of each connection.
    closed_ms: [AtomicU64; 3],
}

impl HalfOpen {
    pub(crate) fn begin(base: &Base) -> Self {
        let started = Instant::now();
        let state = Arc::new(ConnectionWatch::default());
        let streams = HalfOpenKind::ALL.map(|kind| {
            let stream = base.connect(CONNECT_TIMEOUT).ok();
            stream.filter(|mut stream| stream.write_all(kind.partial_request(base).as_bytes()).is_ok())
        });
        for (stream, closed_ms) in streams.iter().zip(&state.closed_ms) {
            closed_ms.store(if stream.is_some() { STILL_OPEN } else { 0 }, Ordering::Relaxed);
        }
        let watcher = Arc::clone(&state);
        let thread = std::thread::spawn(move || watcher.watch(streams, started));
        Self { started, state, thread: Some(thread) }
    }

    /// Returns how long the connection of this kind stayed open; none if it still is.
    pub(crate) fn closed_after(&self, kind: HalfOpenKind) -> Option<Duration> {
        let closed_ms = self.state.closed_ms[kind as usize].load(Ordering::Relaxed);
        (closed_ms != STILL_OPEN).then(|| Duration::from_millis(closed_ms))
    }

    /// Returns the time since the connections were opened.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl ConnectionWatch {
    fn watch(&self, mut streams: [Option<TcpStream>; 3], started: Instant) {
        let mut lines = 0;
        while !self.stopped.load(Ordering::Relaxed) && streams.iter().any(Option::is_some) {
            std::thread::sleep(POLL);
            let due = started.elapsed() >= LINE_INTERVAL * (lines + 1);
            lines += u32::from(due);
            for kind in HalfOpenKind::ALL {
                let append_line = due && kind == HalfOpenKind::GrowingHead;
                let stream = &mut streams[kind as usize];
                if stream.as_mut().is_some_and(|stream| is_closed(stream, append_line)) {
                    *stream = None;
                    let closed_ms = started.elapsed().as_millis() as u64;
                    self.closed_ms[kind as usize].store(closed_ms, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Returns whether the server has responded or closed the connection.
fn is_closed(stream: &mut TcpStream, append_line: bool) -> bool {
    if stream.set_nonblocking(true).is_err() || (append_line && stream.write_all(b"x-more: 1\r\n").is_err()) {
        return true;
    }
    !matches!(stream.read(&mut [0; 64]), Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
