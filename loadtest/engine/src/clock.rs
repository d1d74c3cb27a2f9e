//! The monotonic clock in nanoseconds, and threads that keep time by it.

use nix::sys::prctl;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds on `CLOCK_MONOTONIC`, the clock of [`std::time::Instant`]; their zero is arbitrary.
#[must_use]
pub fn now_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC.now().expect("Linux has a monotonic clock"))
}

/// Sleeps until `CLOCK_MONOTONIC` shows `deadline_ns`; returns at once if it has passed. An
/// absolute sleep does not drift: the time between reading the clock and sleeping is not added.
pub fn sleep_until(deadline_ns: u64) {
    let deadline = TimeSpec::new((deadline_ns / NS_PER_S).cast_signed(), (deadline_ns % NS_PER_S).cast_signed());
    let sleep = || clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &deadline);
    while sleep() == Err(nix::errno::Errno::EINTR) {}
}

/// CPU time of the calling thread, in nanoseconds: what others do on its processor meanwhile is not in it.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("Linux has a clock for each thread"))
}

/// A time of the kernel in nanoseconds.
#[must_use]
pub fn nanoseconds(time: TimeSpec) -> u64 {
    time.tv_sec().cast_unsigned() * NS_PER_S + time.tv_nsec().cast_unsigned()
}

/// How the kernel schedules a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulingClass {
    /// `SCHED_FIFO`: runs as soon as it is ready, before every ordinary thread.
    Fifo,
    /// `SCHED_OTHER`: shares the processor with the others.
    Other,
}

impl std::fmt::Display for SchedulingClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fifo => "SCHED_FIFO",
            Self::Other => "SCHED_OTHER",
        })
    }
}

/// Makes the current thread wake up on time: timer slack of 1 ns instead of 50 us, and `SCHED_FIFO` if
/// `fifo` is requested and permitted; threads that it starts do not inherit that. Returns the class of the
/// thread.
#[must_use]
pub fn enable_precise_wakeups(fifo: bool) -> SchedulingClass {
    // It cannot fail for the thread itself, and is a matter of microseconds if it did.
    let _ = prctl::set_timerslack(1);
    if fifo && set_fifo() { SchedulingClass::Fifo } else { SchedulingClass::Other }
}

#[expect(unsafe_code, reason = "neither std nor nix sets a scheduling class")]
fn set_fifo() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: `parameters` outlives the call, which only reads it; 0 means the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters) == 0 }
}
