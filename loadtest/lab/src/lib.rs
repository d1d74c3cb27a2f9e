//! The laboratory: it owns the processes of an experiment and observes them.
//!
//! It starts servers and private stores so that none can outlive the program, keeps them on
//! their processors, reads their CPU clocks and their memory, and speaks to them over HTTP. It
//! knows nothing of load: what to do to the processes is for the experiments to say.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod authority;
pub mod child;
pub mod cluster;
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
pub mod slice;
pub mod store;
pub mod tap;
pub mod timer;
