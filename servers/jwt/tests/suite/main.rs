//! Tokens: first published ones, hostile ones and keys, on a clock that the test sets, then the server as its users
//! see it.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "../../../chassis/tests/kit/http.rs"]
mod http;
#[expect(dead_code, reason = "its `main` is called by nobody here")]
#[path = "../../examples/jose_vectors.rs"]
mod jose_vectors;
#[path = "../../../chassis/tests/kit/writes.rs"]
mod node_writes;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/redis.rs"]
mod redis_process;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/server.rs"]
mod server;
#[path = "../../../chassis/tests/kit/store_faults.rs"]
mod store_faults;

mod bed;
mod denylist;
mod epoch;
mod families;
mod forge;
mod hostile;
mod journeys;
mod keys;
mod lifetime;
mod logout;
mod mutation;
mod plain;
mod push;
mod refresh;
mod rotation;
mod serving;
mod store_trouble;
mod trusted;
mod vectors;
mod writes;

const BINARY: &str = env!("CARGO_BIN_EXE_jwt-server");
