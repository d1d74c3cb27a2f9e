//! Ways to reach what keeps the state of a scheme, and the directory of changed users that lies beside it.
//!
//! A [`Link`] is a way to Redis: all commands over one connection, each over one of a pool, or over a cluster. A
//! [`Redis`] asks over a link and never waits long. A [`feed`] is a connection over which Redis tells of changes by
//! itself, and which knows how old its knowledge is. [`Postgres`] is the same as [`Redis`] for that database.
//!
//! Absent on purpose: what a session or a token is. Whoever keeps one here names its keys himself.

mod cluster;
pub mod directory;
pub mod feed;
mod link;
mod patience;
mod postgres;
mod redis;
mod start;

pub use cluster::Clustered;
pub use link::{Link, Multiplexed, Pooled, address};
pub use patience::{PATIENCE, StoreError};
pub use postgres::{Changed, Postgres};
pub use redis::Redis;
pub use start::{Keeps, clustered, multiplexed, pooled, postgres, redis_address, unreachable};
