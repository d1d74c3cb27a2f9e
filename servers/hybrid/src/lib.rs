//! The auth module of `edge-server`: a session for the client, and for the servers behind this one a short-lived token
//! that says whose it is. They check a signature each; the session is looked up once, here.
//!
//! Both halves are what the other servers have: [`session::Sessions`] over Redis, and [`jwt::Inward`].

mod edge;
mod module;

pub use edge::Edge;
pub use module::{Hybrid, HybridOptions};
