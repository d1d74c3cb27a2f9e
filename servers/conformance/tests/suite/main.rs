//! The suite against real servers: those that are right, which it must not accuse, and those that are broken in one
//! way each, which it must.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/cluster.rs"]
mod cluster;
#[path = "../../../chassis/tests/kit/ground.rs"]
mod ground;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/http.rs"]
mod http;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/postgres.rs"]
mod postgres;
#[path = "../../../chassis/tests/kit/program.rs"]
mod program;
#[expect(dead_code, reason = "this suite needs a part of the kit")]
#[path = "../../../chassis/tests/kit/redis.rs"]
mod redis_process;

mod bed;
mod broken;
mod hold;
mod proxy;
mod relay;
mod repeat;
mod schemes;
mod server;
