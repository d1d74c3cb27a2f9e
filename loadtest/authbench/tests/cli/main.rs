//! The command line as its users see it: real processes, real HTTP, a real Redis.

mod compare;
mod errors;
mod kill;
mod load;
mod stall;
mod support;
