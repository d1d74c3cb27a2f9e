//! Connections to the stores of the schemes, and the directory of changed users.
//!
//! A [`Link`] is a connection to Redis: all commands over one connection, each over one of a pool, or over a cluster. A
//! [`Redis`] sends commands over a link with a timeout. A [`feed`] is a connection over which Redis pushes changes,
//! and which tracks the age of its state. [`Postgres`] is the same as [`Redis`] for that database.
//!
//! Deliberately absent: what a session or a token is. A caller that stores one here chooses its keys.

mod cluster;
pub mod directory;
pub mod feed;
mod link;
mod postgres;
mod redis;
mod start;
mod timeout;

pub use cluster::Clustered;
pub use link::{Link, Multiplexed, Pooled, address};
pub use postgres::{Changed, Postgres};
pub use redis::Redis;
pub use start::{StoredData, clustered, multiplexed, pooled, postgres, redis_address, unreachable};
pub use timeout::{STORE_TIMEOUT, StoreError, at_start};
