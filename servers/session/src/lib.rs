//! The auth module of `session-server`: the client has a random id, everything else is in a store.
//!
//! [`Sessions`] is the authenticator: it generates ids, enforces the timeouts and reads payloads. It
//! uses a [`SessionStore`], a map from keys to bytes with expiry; there is one per scheme.
//! [`sealed`] is the opposite: no store, and the whole session with the client.
//! Deliberately absent: HTTP, and the id itself anywhere but in the client's credential. A store
//! sees only its SHA-256, so a copy of the store contains no usable credential.

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
