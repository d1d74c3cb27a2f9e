//! A thread that reads the clocks of processes at an even pace while a load runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cpu_clock::{CpuClock, ProcessGone};
use super::machine::Machine;
use super::series::Series;
use engine::clock::{enable_precise_wakeups, now_ns, sleep_until, thread_cpu_ns};

/// Fine enough for windows of a second, and coarse enough to cost little: a sample takes some 50 us of CPU time, most
/// of it to wake up, which is a quarter of a percent of one processor.
pub const DEFAULT_PERIOD: Duration = Duration::from_millis(20);

/// The machine's ticks are 10 ms long and cost more to read than the clocks, so they are read less often.
const SAMPLES_PER_TICK_READING: u64 = 5;

/// What a process is for in an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It checks credentials.
    Server,
    /// It keeps sessions.
    Store,
    /// It makes the load.
    Generator,
    /// It spreads the load over servers.
    Balancer,
}

/// An observation under way. Dropping it ends it.
#[derive(Debug)]
pub struct Observer {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Observation>>,
}

/// What was observed.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    cpu: Vec<(Role, Series)>,
    steal: Series,
    total: Series,
    samples: u64,
    own_cpu_ns: u64,
}

impl Observer {
    /// Starts to read the CPU clocks of these processes (by id) and the machine's steal time, first now and then every
    /// `period`. Several processes of one role count together.
    pub fn start(processes: &[(Role, u32)], period: Duration) -> Result<Self, ProcessGone> {
        let clocks = processes.iter().map(|&(role, pid)| Ok((role, CpuClock::of(pid)?)));
        let clocks = clocks.collect::<Result<Vec<_>, ProcessGone>>()?;
        let machine = Machine::open();
        let mut observation = Observation::of(&clocks);
        observation.sample(&clocks);
        observation.sample_machine(&machine);
        let stopping = Arc::<AtomicBool>::default();
        let until = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || observe(observation, (&clocks, &machine), period, &until));
        Ok(Self { stopping, thread: Some(thread) })
    }

    /// Reads once more and ends. Takes up to one period.
    #[must_use]
    pub fn finish(mut self) -> Observation {
        self.stopping.store(true, Ordering::Release);
        let thread = self.thread.take().expect("only this and drop take the thread, and both consume the observer");
        thread.join().expect("reading clocks does not panic")
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
    }
}

fn observe(
    mut observation: Observation,
    (clocks, machine): (&[(Role, CpuClock)], &Machine),
    period: Duration,
    stopping: &AtomicBool,
) -> Observation {
    let _ = enable_precise_wakeups(false);
    let cpu_before = thread_cpu_ns();
    let mut next = now_ns();
    loop {
        next += period.as_nanos() as u64;
        sleep_until(next);
        // Read before the sample, so that the last sample is later than the call to finish.
        let last = stopping.load(Ordering::Acquire);
        observation.sample(clocks);
        if last || observation.samples.is_multiple_of(SAMPLES_PER_TICK_READING) {
            observation.sample_machine(machine);
        }
        if last {
            observation.own_cpu_ns = thread_cpu_ns() - cpu_before;
            return observation;
        }
    }
}

impl Observation {
    fn of(clocks: &[(Role, CpuClock)]) -> Self {
        Self { cpu: clocks.iter().map(|&(role, _)| (role, Series::default())).collect(), ..Self::default() }
    }

    /// Skips the clock of an exited process, so that its series ends there.
    fn sample(&mut self, clocks: &[(Role, CpuClock)]) {
        for ((_, series), (_, clock)) in self.cpu.iter_mut().zip(clocks) {
            if let Ok(cpu_ns) = clock.ns() {
                series.push(Instant::now(), cpu_ns);
            }
        }
        self.samples += 1;
    }

    fn sample_machine(&mut self, machine: &Machine) {
        if let Some(ticks) = machine.ticks() {
            let at = Instant::now();
            self.steal.push(at, ticks.steal);
            self.total.push(at, ticks.total);
        }
    }

    /// Returns the CPU time in nanoseconds that the processes of this role used between two instants; none if there is
    /// no such process, or if it was not observed all that time.
    #[must_use]
    pub fn cpu_ns(&self, role: Role, from: Instant, to: Instant) -> Option<u64> {
        let mut rises =
            self.cpu.iter().filter(|(of, _)| *of == role).map(|(_, series)| series.increase(from, to)).peekable();
        rises.peek()?;
        Some(rises.sum::<Option<f64>>()?.round() as u64)
    }

    /// The share of all processors' time that the hypervisor gave to others between two instants, 0 to 1. It comes
    /// in ticks of 10 ms: look at no less than a second. None where it cannot be seen.
    #[must_use]
    pub fn steal(&self, from: Instant, to: Instant) -> Option<f64> {
        let total = self.total.increase(from, to).filter(|&total| total > 0.0)?;
        Some((self.steal.increase(from, to)? / total).clamp(0.0, 1.0))
    }

    /// How often the clocks were read.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// What observing cost, in nanoseconds of CPU time of the generator's own process.
    #[must_use]
    pub const fn own_cpu_ns(&self) -> u64 {
        self.own_cpu_ns
    }
}
