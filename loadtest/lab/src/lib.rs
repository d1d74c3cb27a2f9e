//! The laboratory: it owns the processes of an experiment and observes them.
//!
//! It starts servers and private stores that cannot outlive the program, pins them to their
//! CPUs, reads their CPU clocks and memory, and communicates with them over HTTP. It
//! knows nothing of load: the experiments decide what to do with the processes.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod authority;
pub mod child;
pub mod cluster;
pub mod counters;
pub mod cpu_quota;
pub mod haproxy;
pub mod host;
pub mod http;
pub mod keys;
pub mod listener;
pub mod message;
pub mod observe;
pub mod placement;
pub mod postgres;
mod process_id;
pub mod proxy;
pub mod redis;
pub mod scratch;
pub mod server;
pub mod signals;
pub mod store;
pub mod tap;
pub mod timer;
