//! The suite against real servers: those that are right, which it must not accuse, and those that are broken in one
//! way each, which it must.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod bed;
mod broken;
mod hold;
mod proxy;
mod relay;
mod repeat;
mod schemes;
mod server;
