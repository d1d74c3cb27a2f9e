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

use engine::clock::{keep_time, now_ns, thread_cpu_ns};

use super::flow::{Flow, Passed};
use super::{Given, Link, LinkFault, Orders, Shared, arrival, lock};
use crate::placement::pin_current_thread;

/// A target on loopback is there at once or not at all; meanwhile nothing else passes.
const CONNECT_DEADLINE: Duration = Duration::from_millis(200);
/// How early a sleep may end; the rest of the wait is busy polling.
const MOST_EARLY_NS: u64 = 30_000;
/// The maximum size of a piece.
const READ_AT_ONCE_BYTES: usize = 64 * 1024;
/// How often the cost is written down.
const COST_EVERY_NS: u64 = 1_000_000;

const LISTENER: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;
const TIMER: u64 = u64::MAX - 2;

pub(super) struct Pump {
    epoll: Epoll,
    listener: TcpListener,
    timer: TimerFd,
    /// When the timer will ring, if it is set.
    ringing_ns: Option<u64>,
    /// How late sleeps have ended, in nanoseconds: the mean, the last ones weighing the most.
    late_ns: u64,
    target: SocketAddr,
    shared: Arc<Shared>,
    orders: Orders,
    intake: Intake,
    pairs: BTreeMap<u64, Pair>,
    opened: u64,
    cost_noted_ns: u64,
}

/// What taking in needs, whosever bytes they are.
struct Intake {
    buffer: Vec<u8>,
    /// Of the jitter.
    random: SmallRng,
}

/// A client's connection, and the one to the target that belongs to it.
struct Pair {
    client: TcpStream,
    /// None during a fault that has removed it.
    target: Option<TcpStream>,
    there: Flow,
    back: Flow,
    /// The events last registered with the kernel for each.
    asked: [EpollFlags; 2],
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
    const BOTH: [Self; 2] = [Self::Client, Self::Target];

    const fn token(self, pair: u64) -> u64 {
        pair * 2 + self as u64
    }
}

/// A pair is to be closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Both sides have closed, and the close was forwarded to each.
    InGoodOrder,
    /// One side is gone without a word: the other learns of it the same way.
    Broken,
}

impl Pump {
    pub(super) fn new(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>, seed: u64) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&shared.bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let orders = *lock(&shared.orders);
        Ok(Self {
            epoll,
            listener,
            timer,
            ringing_ns: None,
            late_ns: 0,
            target,
            shared,
            orders,
            intake: Intake { buffer: vec![0; READ_AT_ONCE_BYTES], random: SmallRng::seed_from_u64(seed) },
            pairs: BTreeMap::new(),
            opened: 0,
            cost_noted_ns: 0,
        })
    }

    /// Runs until it is stopped.
    pub(super) fn run(mut self, cpus: &[u32]) {
        // Where it may not be kept it runs elsewhere; what it gave shows how well.
        let _ = pin_current_thread(cpus);
        let _ = keep_time(true);
        let mut events = [EpollEvent::empty(); 64];
        while !self.orders.stop {
            let timeout = self.wait_for_next();
            let ready = self.epoll.wait(&mut events, timeout).unwrap_or(0);
            for event in &events[..ready] {
                match event.data() {
                    LISTENER => self.accept(),
                    BELL => self.obey(),
                    TIMER => self.wake(),
                    token => self.take_in(token, event.events()),
                }
            }
            self.pass();
            self.note_cost();
        }
    }

    /// How to wait for what is due next: asleep, or looking again at once because that is too near.
    fn wait_for_next(&mut self) -> EpollTimeout {
        let stalled = self.orders.fault == LinkFault::Stalled;
        let due = if stalled { None } else { self.pairs.values().filter_map(Pair::due_ns).min() };
        let early_ns = (2 * self.late_ns).min(MOST_EARLY_NS);
        let wake_ns = due.map(|due_ns| due_ns.saturating_sub(early_ns));
        if wake_ns.is_some_and(|wake_ns| wake_ns <= now_ns()) {
            return EpollTimeout::ZERO;
        }
        if self.ringing_ns != wake_ns {
            // A time of zero would mean never, and is past in any case.
            let set = match wake_ns {
                Some(wake_ns) => self.timer.set(
                    Expiration::OneShot(TimeSpec::from_duration(Duration::from_nanos(wake_ns))),
                    TimerSetTimeFlags::TFD_TIMER_ABSTIME,
                ),
                None => self.timer.unset(),
            };
            self.ringing_ns = wake_ns.filter(|_| set.is_ok());
            if set.is_err() {
                return EpollTimeout::ZERO;
            }
        }
        EpollTimeout::NONE
    }

    /// Learns how late the sleep has ended.
    fn wake(&mut self) {
        // It stays readable until it is read. An error means that it was set again meanwhile.
        let _ = self.timer.wait();
        if let Some(rung_ns) = self.ringing_ns.take() {
            let late_ns = now_ns().saturating_sub(rung_ns).min(MOST_EARLY_NS);
            self.late_ns = (7 * self.late_ns + late_ns) / 8;
        }
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            match self.orders.fault {
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
            there: Flow::default(),
            back: Flow::default(),
            asked: [EpollFlags::EPOLLIN; 2],
            blocked: [false; 2],
        };
        if pair.prepare(&self.epoll, number).is_ok() {
            self.pairs.insert(number, pair);
        } else {
            pair.reset();
        }
    }

    /// Follows new orders.
    fn obey(&mut self) {
        let _ = self.shared.bell.read();
        let before = std::mem::replace(&mut self.orders, *lock(&self.shared.orders)).fault;
        match self.orders.fault {
            LinkFault::Cut => self.drop_pairs(|_| true),
            LinkFault::HalfOpen => self.pairs.values_mut().for_each(Pair::forget_target),
            // A peer that is back does not know them.
            LinkFault::None | LinkFault::Stalled if before == LinkFault::HalfOpen => {
                self.drop_pairs(|pair| pair.target.is_none());
            }
            LinkFault::None | LinkFault::Stalled => {}
        }
    }

    fn drop_pairs(&mut self, which: impl Fn(&Pair) -> bool) {
        self.pairs.retain(|_, pair| {
            let over = which(pair);
            if over {
                pair.reset();
            }
            !over
        });
    }

    fn take_in(&mut self, token: u64, events: EpollFlags) {
        let number = token / 2;
        // One that was closed while its event was on the way.
        let Some(pair) = self.pairs.get_mut(&number) else { return };
        let side = Side::BOTH[(token % 2) as usize];
        pair.blocked[1 - side as usize] = false;
        if let Err(over) = pair.read(side, events, &self.orders.link, &mut self.intake) {
            pair.end(over);
            self.pairs.remove(&number);
        }
    }

    /// Forwards what is due, and registers the events of interest with the kernel.
    fn pass(&mut self) {
        let stalled = self.orders.fault == LinkFault::Stalled;
        let now = now_ns();
        let mut given = lock(&self.shared.given);
        let epoll = &self.epoll;
        self.pairs.retain(|&number, pair| {
            let due = !stalled && pair.due_ns().is_some_and(|due_ns| due_ns <= now);
            let passed = if due { pair.pass(&mut given) } else { Ok(()) };
            passed.and_then(|()| pair.ask(epoll, number)).inspect_err(|over| pair.end(*over)).is_ok()
        });
    }

    fn note_cost(&mut self) {
        let now = now_ns();
        if now - self.cost_noted_ns > COST_EVERY_NS {
            self.cost_noted_ns = now;
            self.shared.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
        }
    }
}

impl Pair {
    fn prepare(&mut self, epoll: &Epoll, number: u64) -> io::Result<()> {
        for side in Side::BOTH {
            if let Some(stream) = self.stream(side) {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                arrival::stamp(stream);
                epoll.add(stream.as_fd(), EpollEvent::new(self.asked[side as usize], side.token(number)))?;
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
        let [there, back] = self.blocked;
        let there = self.there.due_ns().filter(|_| !there);
        let back = self.back.due_ns().filter(|_| !back);
        there.into_iter().chain(back).min()
    }

    /// Takes in what this side has sent.
    fn read(&mut self, side: Side, events: EpollFlags, link: &Link, intake: &mut Intake) -> Result<(), Over> {
        let (from, flow) = match (side, &self.target) {
            (Side::Client, _) => (&self.client, &mut self.there),
            (Side::Target, Some(target)) => (target, &mut self.back),
            (Side::Target, None) => return Ok(()),
        };
        if flow.ended {
            // The kernel reports a broken connection whether registered or not.
            let broken = events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
            return if broken { Err(Over::Broken) } else { Ok(()) };
        }
        match arrival::read(from, &mut intake.buffer) {
            // No receiver is left.
            Ok((count, _)) if self.target.is_none() => flow.ended = count == 0,
            Ok((count, came_ns)) => flow.take_in(&intake.buffer[..count], came_ns, link, &mut intake.random),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => return Err(Over::Broken),
        }
        Ok(())
    }

    /// Passes on what is due in both directions.
    fn pass(&mut self, given: &mut Given) -> Result<(), Over> {
        let Some(mut target) = self.target.as_ref() else { return Ok(()) };
        let mut client = &self.client;
        let there = self.there.pass(now_ns, &mut target, &mut given.there).map_err(|_| Over::Broken)?;
        let back = self.back.pass(now_ns, &mut client, &mut given.back).map_err(|_| Over::Broken)?;
        self.blocked = [there == Passed::Blocked, back == Passed::Blocked];
        for (passed, to) in [(there, target), (back, client)] {
            if passed == Passed::End {
                // An error means that it is closed already.
                let _ = to.shutdown(Shutdown::Write);
            }
        }
        if (there, back) == (Passed::End, Passed::End) { Err(Over::InGoodOrder) } else { Ok(()) }
    }

    /// Registers the events that are possible now.
    fn ask(&mut self, epoll: &Epoll, number: u64) -> Result<(), Over> {
        let reads = [&self.there, &self.back].map(|flow| !flow.ended && flow.has_room());
        // Data in this direction is written to the target, and data in the other to the client.
        let writes = [self.blocked[1], self.blocked[0]];
        Side::BOTH.into_iter().try_for_each(|side| {
            let index = side as usize;
            let mut wanted = EpollFlags::empty();
            wanted.set(EpollFlags::EPOLLIN, reads[index]);
            wanted.set(EpollFlags::EPOLLOUT, writes[index]);
            if std::mem::replace(&mut self.asked[index], wanted) == wanted {
                return Ok(());
            }
            let mut event = EpollEvent::new(wanted, side.token(number));
            let stream = self.stream(side);
            stream.map_or(Ok(()), |stream| epoll.modify(stream.as_fd(), &mut event)).map_err(|_| Over::Broken)
        })
    }

    /// Loses the far end without a word.
    fn forget_target(&mut self) {
        if let Some(target) = self.target.take() {
            reset(&target);
        }
        (self.there, self.back) = (Flow::default(), Flow::default());
    }

    fn end(&self, over: Over) {
        if over == Over::Broken {
            self.reset();
        }
    }

    fn reset(&self) {
        for side in Side::BOTH {
            if let Some(stream) = self.stream(side) {
                reset(stream);
            }
        }
    }
}

/// Has the connection end with a reset when it is closed, not with a farewell.
fn reset(stream: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    // An error means that it is closed already.
    let _ = setsockopt(stream, sockopt::Linger, &at_once);
}
