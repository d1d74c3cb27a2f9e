//! The auth module of `session-server`: a random id in the client's hands, everything else in a store.
//!
//! [`Sessions`] is the authenticator: it makes ids, keeps the limits and reads payloads. What it
//! stands on is a [`SessionStore`], a map from keys to bytes that forgets in time; there is one a scheme.
//! [`sealed`] is the other way round: no store, and the whole session with the client.
//! Absent on purpose: HTTP, and the id itself anywhere but in the client's credential. A store
//! sees its SHA-256 only, so a copy of the store lets nobody in.

mod any_sessions;
mod authenticator;
mod id;
mod limits;
mod module;
mod record;
pub mod sealed;
pub mod store;

pub use any_sessions::AnySessions;
pub use authenticator::Sessions;
pub use id::{Key, SessionId, Shard};
pub use limits::Limits;
pub use module::{Session, SessionOptions};
pub use record::Record;
pub use store::{SessionStore, StoreError};
