//! What processes use while a load runs, seen from outside: CPU clocks, memory, and the time that the
//! hypervisor took away.

mod cpu_clock;
mod machine;
mod memory;
mod observer;
mod series;

pub use cpu_clock::{CpuClock, ProcessGone};
pub use machine::busy_share;
pub use memory::{Memory, memory};
pub use observer::{DEFAULT_PERIOD, Observation, Observer, Role};
