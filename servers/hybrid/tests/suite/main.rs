//! The edge and the servers behind it, as processes: what crosses the hops, and what a revocation ends where.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "../../../chassis/tests/kit/http.rs"]
mod http;
#[path = "../../../chassis/tests/kit/program.rs"]
mod program;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/redis.rs"]
mod redis_process;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/server.rs"]
mod server;
#[path = "../../../chassis/tests/kit/store_faults.rs"]
mod store_faults;
#[path = "../../../chassis/tests/kit/writes.rs"]
mod writes;

mod chain;
mod edge;
mod row;
mod store_trouble;
mod telling;

const EDGE: &str = env!("CARGO_BIN_EXE_edge-server");
