//! The directory of changed users in the store that a scheme has anyway.

mod postgres;
mod redis;

pub use postgres::PostgresDirectory;
pub use redis::RedisDirectory;
