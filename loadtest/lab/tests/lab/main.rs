//! The lab with real processes.

#![expect(clippy::unwrap_used, reason = "shared test code fails like the tests themselves")]

mod child;
mod cpu_quota;
mod delay_server;
mod haproxy;
mod http;
mod observe;
mod parent;
mod processes;
mod proxy;
mod redis;
mod scratch;
mod server;
mod stores;
mod tap;
