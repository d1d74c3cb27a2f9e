//! The auth module of `edge-server`: a session for the client, and for the servers behind this one a short-lived token
//! with its user. Each of them verifies a signature; the session is looked up once, here.
//!
//! Both halves are those of the other servers: [`session::Sessions`] over Redis, and [`jwt::DownstreamIssuer`].

mod edge;
mod module;

pub use edge::Edge;
pub use module::{Hybrid, HybridOptions};
