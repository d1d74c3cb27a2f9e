//! The single thread of a proxy: it receives data, and forwards it when it is due.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use engine::clock::{enable_precise_wakeups, now_ns, thread_cpu_ns};

use super::flow::{Flow, Forwarded};
use super::{Link, LinkFault, MeasuredDelays, Settings, Shared, arrival, lock};
use crate::placement::pin_current_thread;

/// A target on loopback is there at once or not at all; meanwhile nothing else passes.
const CONNECT_DEADLINE: Duration = Duration::from_millis(200);
/// How early a sleep may end; the rest of the wait is busy polling.
const MAX_EARLY_NS: u64 = 30_000;
/// The maximum size of a piece.
const MAX_READ_BYTES: usize = 64 * 1024;
/// How often the CPU time is recorded.
const RECORD_CPU_EVERY_NS: u64 = 1_000_000;

const LISTENER: u64 = u64::MAX;
const WAKEUP: u64 = u64::MAX - 1;
const TIMER: u64 = u64::MAX - 2;

pub(super) struct Pump {
    epoll: Epoll,
    listener: TcpListener,
    timer: TimerFd,
    /// When the timer expires, if it is set.
    timer_due_ns: Option<u64>,
    /// How late sleeps have ended, in nanoseconds: the mean, the last ones weighing the most.
    late_ns: u64,
    target: SocketAddr,
    shared: Arc<Shared>,
    settings: Settings,
    receive_buffer: ReceiveBuffer,
    pairs: BTreeMap<u64, Pair>,
    opened: u64,
    cpu_recorded_ns: u64,
}

/// A buffer for received data, and random numbers.
struct ReceiveBuffer {
    buffer: Vec<u8>,
    /// Of the jitter.
    random: SmallRng,
}

/// A client's connection, and the one to the target that belongs to it.
struct Pair {
    client: TcpStream,
    /// None during a fault that has removed it.
    target: Option<TcpStream>,
    to_target: Flow,
    from_target: Flow,
    /// The events last registered with the kernel for each.
    registered: [EpollFlags; 2],
    /// Whether the receiver of each direction accepts no more for now.
    blocked: [bool; 2],
}

/// Which connection of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Target,
}

impl Side {
    const ALL: [Self; 2] = [Self::Client, Self::Target];

    const fn token(self, pair: u64) -> u64 {
        pair * 2 + self as u64
    }
}

/// A pair is to be closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// Both sides have closed, and the close was forwarded to each.
    Gracefully,
    /// One side is gone without a close: the other is reset, too.
    Broken,
}

impl Pump {
    pub(super) fn new(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>, seed: u64) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&shared.wakeup, EpollEvent::new(EpollFlags::EPOLLIN, WAKEUP))?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let settings = *lock(&shared.settings);
        Ok(Self {
            epoll,
            listener,
            timer,
            timer_due_ns: None,
            late_ns: 0,
            target,
            shared,
            settings,
            receive_buffer: ReceiveBuffer { buffer: vec![0; MAX_READ_BYTES], random: SmallRng::seed_from_u64(seed) },
            pairs: BTreeMap::new(),
            opened: 0,
            cpu_recorded_ns: 0,
        })
    }

    /// Runs until it is stopped.
    pub(super) fn run(mut self, cpus: &[u32]) {
        // Where it may not be kept it runs elsewhere; what it gave shows how well.
        let _ = pin_current_thread(cpus);
        let _ = enable_precise_wakeups(true);
        let mut events = [EpollEvent::empty(); 64];
        while !self.settings.stop {
            let timeout = self.wait_for_next();
            let ready = self.epoll.wait(&mut events, timeout).unwrap_or(0);
            for event in &events[..ready] {
                match event.data() {
                    LISTENER => self.accept(),
                    WAKEUP => self.apply_settings(),
                    TIMER => self.record_lateness(),
                    token => self.receive(token, event.events()),
                }
            }
            self.forward();
            self.record_cpu_time();
        }
    }

    /// How to wait for what is due next: asleep, or looking again at once because that is too near.
    fn wait_for_next(&mut self) -> EpollTimeout {
        let stalled = self.settings.fault == LinkFault::Stalled;
        let due = if stalled { None } else { self.pairs.values().filter_map(Pair::due_ns).min() };
        let early_ns = (2 * self.late_ns).min(MAX_EARLY_NS);
        let wake_ns = due.map(|due_ns| due_ns.saturating_sub(early_ns));
        if wake_ns.is_some_and(|wake_ns| wake_ns <= now_ns()) {
            return EpollTimeout::ZERO;
        }
        if self.timer_due_ns != wake_ns {
            // A time of zero would mean never, and is past in any case.
            let set = match wake_ns {
                Some(wake_ns) => self.timer.set(
                    Expiration::OneShot(TimeSpec::from_duration(Duration::from_nanos(wake_ns))),
                    TimerSetTimeFlags::TFD_TIMER_ABSTIME,
                ),
                None => self.timer.unset(),
            };
            self.timer_due_ns = wake_ns.filter(|_| set.is_ok());
            if set.is_err() {
                return EpollTimeout::ZERO;
            }
        }
        EpollTimeout::NONE
    }

    /// Records how late the sleep ended.
    fn record_lateness(&mut self) {
        // It stays readable until it is read. An error means that it was set again meanwhile.
        let _ = self.timer.wait();
        if let Some(due_ns) = self.timer_due_ns.take() {
            let late_ns = now_ns().saturating_sub(due_ns).min(MAX_EARLY_NS);
            self.late_ns = (7 * self.late_ns + late_ns) / 8;
        }
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            match self.settings.fault {
                LinkFault::Cut => reset(&client),
                LinkFault::HalfOpen => self.open(client, None),
                LinkFault::None | LinkFault::Stalled => {
                    match TcpStream::connect_timeout(&self.target, CONNECT_DEADLINE) {
                        Ok(target) => self.open(client, Some(target)),
                        // No connection.
                        Err(_) => reset(&client),
                    }
                }
            }
        }
    }

    fn open(&mut self, client: TcpStream, target: Option<TcpStream>) {
        let number = self.opened;
        self.opened += 1;
        let mut pair = Pair {
            client,
            target,
            to_target: Flow::default(),
            from_target: Flow::default(),
            registered: [EpollFlags::EPOLLIN; 2],
            blocked: [false; 2],
        };
        if pair.prepare(&self.epoll, number).is_ok() {
            self.pairs.insert(number, pair);
        } else {
            pair.reset();
        }
    }

    /// Applies new settings.
    fn apply_settings(&mut self) {
        let _ = self.shared.wakeup.read();
        let before = std::mem::replace(&mut self.settings, *lock(&self.shared.settings)).fault;
        match self.settings.fault {
            LinkFault::Cut => self.drop_pairs(|_| true),
            LinkFault::HalfOpen => self.pairs.values_mut().for_each(Pair::drop_target),
            // A peer that is back does not know them.
            LinkFault::None | LinkFault::Stalled if before == LinkFault::HalfOpen => {
                self.drop_pairs(|pair| pair.target.is_none());
            }
            LinkFault::None | LinkFault::Stalled => {}
        }
    }

    fn drop_pairs(&mut self, which: impl Fn(&Pair) -> bool) {
        self.pairs.retain(|_, pair| {
            let closed = which(pair);
            if closed {
                pair.reset();
            }
            !closed
        });
    }

    fn receive(&mut self, token: u64, events: EpollFlags) {
        let number = token / 2;
        // One that was closed while its event was on the way.
        let Some(pair) = self.pairs.get_mut(&number) else { return };
        let side = Side::ALL[(token % 2) as usize];
        pair.blocked[1 - side as usize] = false;
        if let Err(closed) = pair.read(side, events, &self.settings.link, &mut self.receive_buffer) {
            pair.end(closed);
            self.pairs.remove(&number);
        }
    }

    /// Forwards what is due, and registers the events of interest with the kernel.
    fn forward(&mut self) {
        let stalled = self.settings.fault == LinkFault::Stalled;
        let now = now_ns();
        let mut delays = lock(&self.shared.delays);
        let epoll = &self.epoll;
        self.pairs.retain(|&number, pair| {
            let due = !stalled && pair.due_ns().is_some_and(|due_ns| due_ns <= now);
            let forwarded = if due { pair.forward(&mut delays) } else { Ok(()) };
            forwarded.and_then(|()| pair.register_events(epoll, number)).inspect_err(|closed| pair.end(*closed)).is_ok()
        });
    }

    fn record_cpu_time(&mut self) {
        let now = now_ns();
        if now - self.cpu_recorded_ns > RECORD_CPU_EVERY_NS {
            self.cpu_recorded_ns = now;
            self.shared.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
        }
    }
}

impl Pair {
    fn prepare(&mut self, epoll: &Epoll, number: u64) -> io::Result<()> {
        for side in Side::ALL {
            if let Some(stream) = self.stream(side) {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                arrival::enable_timestamps(stream);
                epoll.add(stream.as_fd(), EpollEvent::new(self.registered[side as usize], side.token(number)))?;
            }
        }
        Ok(())
    }

    const fn stream(&self, side: Side) -> Option<&TcpStream> {
        match side {
            Side::Client => Some(&self.client),
            Side::Target => self.target.as_ref(),
        }
    }

    /// When something can be passed on next.
    fn due_ns(&self) -> Option<u64> {
        let [to_target, from_target] = self.blocked;
        let to_target = self.to_target.due_ns().filter(|_| !to_target);
        let from_target = self.from_target.due_ns().filter(|_| !from_target);
        to_target.into_iter().chain(from_target).min()
    }

    /// Takes in what this side has sent.
    fn read(
        &mut self,
        side: Side,
        events: EpollFlags,
        link: &Link,
        receive_buffer: &mut ReceiveBuffer,
    ) -> Result<(), Closed> {
        let (from, flow) = match (side, &self.target) {
            (Side::Client, _) => (&self.client, &mut self.to_target),
            (Side::Target, Some(target)) => (target, &mut self.from_target),
            (Side::Target, None) => return Ok(()),
        };
        if flow.ended {
            // The kernel reports a broken connection whether registered or not.
            let broken = events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
            return if broken { Err(Closed::Broken) } else { Ok(()) };
        }
        match arrival::read(from, &mut receive_buffer.buffer) {
            // No receiver is left.
            Ok((count, _)) if self.target.is_none() => flow.ended = count == 0,
            Ok((count, arrived_ns)) => {
                flow.receive(&receive_buffer.buffer[..count], arrived_ns, link, &mut receive_buffer.random);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => return Err(Closed::Broken),
        }
        Ok(())
    }

    /// Passes on what is due in both directions.
    fn forward(&mut self, delays: &mut MeasuredDelays) -> Result<(), Closed> {
        let Some(mut target) = self.target.as_ref() else { return Ok(()) };
        let mut client = &self.client;
        let to_target =
            self.to_target.forward(now_ns, &mut target, &mut delays.to_target).map_err(|_| Closed::Broken)?;
        let from_target =
            self.from_target.forward(now_ns, &mut client, &mut delays.from_target).map_err(|_| Closed::Broken)?;
        self.blocked = [to_target == Forwarded::Blocked, from_target == Forwarded::Blocked];
        for (forwarded, to) in [(to_target, target), (from_target, client)] {
            if forwarded == Forwarded::End {
                // An error means that it is closed already.
                let _ = to.shutdown(Shutdown::Write);
            }
        }
        if (to_target, from_target) == (Forwarded::End, Forwarded::End) { Err(Closed::Gracefully) } else { Ok(()) }
    }

    /// Registers the events that are possible now.
    fn register_events(&mut self, epoll: &Epoll, number: u64) -> Result<(), Closed> {
        let reads = [&self.to_target, &self.from_target].map(|flow| !flow.ended && flow.has_room());
        // Data in this direction is written to the target, and data in the other to the client.
        let writes = [self.blocked[1], self.blocked[0]];
        Side::ALL.into_iter().try_for_each(|side| {
            let index = side as usize;
            let mut events_of_interest = EpollFlags::empty();
            events_of_interest.set(EpollFlags::EPOLLIN, reads[index]);
            events_of_interest.set(EpollFlags::EPOLLOUT, writes[index]);
            if std::mem::replace(&mut self.registered[index], events_of_interest) == events_of_interest {
                return Ok(());
            }
            let mut event = EpollEvent::new(events_of_interest, side.token(number));
            let stream = self.stream(side);
            stream.map_or(Ok(()), |stream| epoll.modify(stream.as_fd(), &mut event)).map_err(|_| Closed::Broken)
        })
    }

    /// Drops the connection to the target without a close.
    fn drop_target(&mut self) {
        if let Some(target) = self.target.take() {
            reset(&target);
        }
        (self.to_target, self.from_target) = (Flow::default(), Flow::default());
    }

    fn end(&self, closed: Closed) {
        if closed == Closed::Broken {
            self.reset();
        }
    }

    fn reset(&self) {
        for side in Side::ALL {
            if let Some(stream) = self.stream(side) {
                reset(stream);
            }
        }
    }
}

/// Makes the connection end with a reset when it is closed.
fn reset(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // An error means that it is closed already.
    let _ = setsockopt(stream, sockopt::Linger, &linger);
}
