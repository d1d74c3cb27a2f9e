//! Open connections: how many there may be, and how long one may wait for its client.
//!
//! A client that sends nothing, or a little at a time, holds a descriptor of this process for as long as it likes
//! (CWE-400). So every connection has a phase with a limit:
//!
//! | phase | lasts | limit |
//! | --- | --- | --- |
//! | head | from accepting to the end of the first request's head | `--request-timeout-s` |
//! | body | while a handler waits for the rest of a body | `--request-timeout-s` |
//! | idle | from a response to the end of the next request's head | `--idle-timeout-s` |
//! | serving | while a handler works | none: what it waits for has limits of its own |
//!
//! The limits are for a whole phase, so that a byte now and then does not prolong them. A response that its client does
//! not read counts as idle. Where as many connections are open as the process may have, a new one takes the place of
//! the one that has waited longest in head or body, else idle; nothing that is served is closed.
//!
//! A timer for each request would cost more than the rest of this: a connection writes its phase and a coarse tick into
//! one atomic, twice per request, and one task looks over all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

const TICKS_PER_S: u32 = 4;
/// How long a connection must have waited before it may make room: one that was just accepted has had no time to send.
const MIN_WAIT_TICKS: u32 = 2;
/// Descriptors that are not for clients: listener, store connections (a pool has 64), connections to the next server.
const RESERVED_DESCRIPTORS: u64 = 96;
/// Connections that a process without a lower limit of descriptors has at most.
const MAX_CONNECTIONS: u64 = 1 << 16;
/// Seconds between two warnings about a full process.
const WARNING_INTERVAL_S: u32 = 10;

/// How long a connection may wait for its client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Seconds for a head and for a body.
    pub(crate) request_timeout_s: u32,
    /// Seconds between two requests.
    pub(crate) idle_timeout_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Body,
    Idle,
    Serving,
    Closing,
}

/// A phase and the tick at which it began, as one word.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    const fn new(phase: Phase, since: u32) -> Self {
        Self(((since as u64) << 3) | phase as u64)
    }

    const fn phase(self) -> Phase {
        match self.0 & 7 {
            0 => Phase::Head,
            1 => Phase::Body,
            2 => Phase::Idle,
            3 => Phase::Serving,
            _ => Phase::Closing,
        }
    }

    const fn ticks(self, now: u32) -> u32 {
        now.wrapping_sub((self.0 >> 3) as u32)
    }

    /// Returns the time limit of the phase; none if there is no limit.
    const fn limit_s(self, limits: Limits) -> Option<u32> {
        match self.phase() {
            Phase::Head | Phase::Body => Some(limits.request_timeout_s),
            Phase::Idle => Some(limits.idle_timeout_s),
            Phase::Serving | Phase::Closing => None,
        }
    }
}

/// All open connections.
pub(crate) struct Connections {
    open: Mutex<Open>,
    limits: Limits,
    max: usize,
    tick: AtomicU32,
    /// A connection has ended, or a tick has passed: there may be room.
    changed: Notify,
    /// The tick after which a full process is worth the next warning.
    warn_after: AtomicU32,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Entry>,
}

struct Entry {
    state: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Connections {
    /// None are open yet. Raises the process's limit of descriptors as far as it is allowed to, and starts to look
    /// after connections, until this value is dropped.
    ///
    /// That is done by a thread: with a timer of its own, the runtime would read the clock whenever it waits for a
    /// request. After a pause of the whole machine a tick is late and not repeated, as no client has had that time.
    pub(crate) fn start(limits: Limits) -> Arc<Self> {
        let connections = Arc::new(Self {
            open: Mutex::default(),
            limits,
            max: max_connections(raise_descriptor_limit()),
            tick: AtomicU32::new(0),
            changed: Notify::new(),
            warn_after: AtomicU32::new(0),
        });
        let swept = Arc::downgrade(&connections);
        let sweeping = move || {
            while let Some(connections) = swept.upgrade() {
                connections.sweep();
                drop(connections);
                std::thread::sleep(Duration::from_secs(1) / TICKS_PER_S);
            }
        };
        let started = std::thread::Builder::new().name("sweeper".to_owned()).spawn(sweeping);
        started.expect("a starting server can create a thread");
        connections
    }

    /// Serves one more connection in a task of its own.
    pub(crate) fn spawn<F>(self: &Arc<Self>, serve: impl FnOnce(Arc<ConnectionGuard>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        let state = Arc::new(AtomicU64::new(State::new(Phase::Head, self.now()).0));
        let guard = Arc::new(ConnectionGuard { id, state: Arc::clone(&state), connections: Arc::clone(self) });
        // The lock is held meanwhile, so that a connection that ends at once is entered before it is removed.
        let task = tokio::spawn(serve(guard)).abort_handle();
        open.connections.insert(id, Entry { state, task });
    }

    /// Waits until there is room for one more connection, and makes it if need be.
    pub(crate) async fn wait_for_capacity(&self) {
        while self.is_full() {
            self.changed.notified().await;
        }
    }

    /// Closes the connections whose time limit has passed.
    fn sweep(&self) {
        let now = self.tick.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        for entry in self.open().connections.values() {
            let state = entry.state();
            let late = |limit_s: u32| state.ticks(now) > limit_s.saturating_mul(TICKS_PER_S);
            if state.limit_s(self.limits).is_some_and(late) {
                entry.close(state);
            }
        }
        self.changed.notify_one();
    }

    /// Returns whether there is no room. If so, the connection that has waited longest, if any, is being closed.
    fn is_full(&self) -> bool {
        let (now, open) = (self.now(), self.open());
        if open.connections.len() < self.max {
            return false;
        }
        self.warn(now);
        let states = || open.connections.values().map(|entry| (entry, entry.state()));
        if states().any(|(_, state)| state.phase() == Phase::Closing) {
            return true;
        }
        let count = |phases: &[Phase]| states().filter(|(_, state)| phases.contains(&state.phase())).count();
        // Where most are half-open, they are the fault, and will have settled soon.
        let idle_too = count(&[Phase::Head, Phase::Body]) < count(&[Phase::Idle]);
        let may_close = |state: State| match state.phase() {
            Phase::Head | Phase::Body => state.ticks(now) >= MIN_WAIT_TICKS,
            Phase::Idle => state.ticks(now) >= MIN_WAIT_TICKS && idle_too,
            Phase::Serving | Phase::Closing => false,
        };
        let longest = states()
            .filter(|(_, state)| may_close(*state))
            .max_by_key(|(_, state)| (state.phase() != Phase::Idle, state.ticks(now)));
        if let Some((entry, state)) = longest {
            entry.close(state);
        }
        true
    }

    fn warn(&self, now: u32) {
        if now >= self.warn_after.load(Ordering::Relaxed) {
            self.warn_after.store(now.saturating_add(WARNING_INTERVAL_S * TICKS_PER_S), Ordering::Relaxed);
            let max = self.max;
            tracing::warn!(
                max,
                "the number of open connections has reached the file descriptor limit; closing connections that wait \
                 for their client; if these clients are legitimate, raise the limit (ulimit -n)"
            );
        }
    }

    fn now(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    /// Closes the connection, unless a request has arrived since `seen`.
    fn close(&self, seen: State) {
        let closing = State::new(Phase::Closing, 0);
        if self.state.compare_exchange(seen.0, closing.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.task.abort();
        }
    }
}

/// One open connection. When it is dropped, its place is free.
pub(crate) struct ConnectionGuard {
    id: u64,
    state: Arc<AtomicU64>,
    connections: Arc<Connections>,
}

impl ConnectionGuard {
    /// Notes that the server works for the client from now on; returns false if the connection is being closed, so that
    /// nothing is begun that could not be ended.
    pub(crate) fn set_serving(&self) -> bool {
        let (seen, serving) = (self.state(), State::new(Phase::Serving, 0));
        // Only closing can come between.
        seen.phase() != Phase::Closing
            && self.state.compare_exchange(seen.0, serving.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Notes that the response is out or on its way, and that the client may send the next request.
    pub(crate) fn set_idle(&self) {
        self.set_waiting(Phase::Idle);
    }

    /// Notes that the handler waits for the client's body, unless that is noted already.
    pub(crate) fn set_awaiting_body(&self) {
        if self.state().phase() == Phase::Serving {
            self.set_waiting(Phase::Body);
        }
    }

    fn set_waiting(&self, phase: Phase) {
        let (seen, waiting) = (self.state(), State::new(phase, self.connections.now()));
        if seen.phase() == Phase::Serving {
            // Nothing else writes the state meanwhile.
            self.state.store(waiting.0, Ordering::Release);
        } else {
            // Unless it is being closed.
            let _ = self.state.compare_exchange(seen.0, waiting.0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn state(&self) -> State {
        State(self.state.load(Ordering::Relaxed))
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.id);
        self.connections.changed.notify_one();
    }
}

/// Raises the soft limit of open descriptors to the hard one, and returns the new limit; none if there is no limit.
fn raise_descriptor_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Returns how many connections a process with this many descriptors may have.
fn max_connections(descriptors: Option<u64>) -> usize {
    let allowed = descriptors.map_or(MAX_CONNECTIONS, |limit| {
        let reserved = RESERVED_DESCRIPTORS.max(limit / 4).min(limit / 2);
        (limit - reserved).clamp(1, MAX_CONNECTIONS)
    });
    allowed as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_stores() {
        for (descriptors, max) in [
            (Some(0), 1),
            (Some(64), 32),
            (Some(256), 160),
            (Some(1024), 768),
            (Some(1 << 30), 1 << 16),
            (None, 1 << 16),
        ] {
            assert_eq!(max_connections(descriptors), max, "{descriptors:?}");
        }
    }

    #[test]
    fn a_state_keeps_its_phase_and_its_age() {
        for phase in [Phase::Head, Phase::Body, Phase::Idle, Phase::Serving, Phase::Closing] {
            let state = State::new(phase, u32::MAX);
            assert_eq!((state.phase(), state.ticks(4)), (phase, 5));
        }
    }
}
