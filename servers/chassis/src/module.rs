//! The seam between a server's `main` and its auth module.

use std::future::Future;
use std::sync::Arc;

use contract::{Carrier, Scheme, Touch};

use crate::auth::Authenticator;
use crate::directory::{Directory, InMemory};

/// What a server binary adds to the chassis: its name, its own settings and its authenticator.
pub trait AuthModule: 'static {
    /// The name of the binary, which is also that in the table of schemes.
    const BINARY: &'static str;
    /// Settings that only this module has: flags over environment variables (`AUTHBENCH_...`) over the table
    /// `[auth]` of the configuration file, whose keys are the flags' names.
    type Options: clap::Args + Default + Send;
    /// The scheme at work.
    type Authenticator: Authenticator;

    /// Makes the authenticator ready to serve: keys prepared, store connected.
    fn build(
        start: &ModuleSettings,
        options: Self::Options,
    ) -> impl Future<Output = Result<Built<Self::Authenticator>, StartError>> + Send;
}

/// What a module makes.
pub struct Built<A> {
    /// The scheme at work.
    pub authenticator: A,
    /// Where changes of users are kept: with the sessions where the scheme has a store.
    pub directory: Arc<dyn Directory>,
}

impl<A> Built<A> {
    /// A scheme on its own: changes of users are kept in this process.
    pub fn with_memory_directory(authenticator: A) -> Self {
        Self { authenticator, directory: Arc::new(InMemory::default()) }
    }
}

/// The settings that every server has and that an auth module may need.
#[derive(Clone, Debug)]
pub struct ModuleSettings {
    /// Which of the binary's schemes.
    pub scheme: Scheme,
    /// Where the credential travels.
    pub carrier: Carrier,
    /// Where Redis is, such as `redis://127.0.0.1:6379/0`.
    pub redis_url: Option<String>,
    /// Where `PostgreSQL` is, such as `postgresql://user@127.0.0.1:5432/database`.
    pub postgres_url: Option<String>,
    /// What every key in a shared store begins with, such as `authbench:`.
    pub key_prefix: String,
    /// When the idle limit is pushed back.
    pub touch: Touch,
    /// Seconds a credential lives unless renewed (idle limit of a session, `exp` of a token); the
    /// module's own default if none.
    pub credential_ttl_s: Option<u64>,
    /// Seconds after login at which no renewal helps.
    pub absolute_ttl_s: u64,
    /// Roles of an ordinary user.
    pub roles: u16,
}

/// A server cannot start. The text says what failed, on what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is invalid: a wrong flag, key or file. The process exits with code 2.
    #[error("{0}")]
    Usage(String),
    /// What it needs is not there: a store, a port. The process ends with code 1.
    #[error("{0}")]
    Failed(String),
}

/// For a module that has no settings of its own.
#[derive(Debug, Default, clap::Args)]
pub struct NoOptions {}
