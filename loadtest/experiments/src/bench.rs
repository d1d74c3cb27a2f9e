//! What every experiment has to work with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contract::{Carrier, Scheme, StoreKind};
use engine::record::{Placement, WriteError};
use lab::child::Bounds;
use lab::scratch::Scratch;
use lab::server::{Server, ServerError, ServerSpec};
use lab::store::{Store, StoreError};

use crate::{Journal, Progress};

/// What is the same for the whole run.
#[derive(Debug)]
pub struct Setting {
    /// The schemes compared, the control first.
    pub schemes: Vec<Scheme>,
    /// Where credentials travel.
    pub carrier: Carrier,
    /// The stores that the schemes want.
    pub stores: BTreeMap<StoreKind, Store>,
    /// Who runs where.
    pub placement: Placement,
    /// The seed of every random choice.
    pub seed: u64,
    /// Set when the run is to end early.
    pub stop: Arc<AtomicBool>,
    /// Where files may lie that nobody wants to keep.
    pub scratch: Scratch,
}

impl Setting {
    /// The store of this scheme, if it has one apart.
    #[must_use]
    pub fn store(&self, scheme: Scheme) -> Option<&Store> {
        self.stores.get(&scheme.store())
    }
}

/// An experiment's workplace.
pub struct Bench<'a> {
    /// What is the same for the whole run.
    pub setting: &'a Setting,
    /// Where results go.
    pub journal: &'a mut Journal,
    /// Who is told how far it has come.
    pub progress: &'a mut dyn Progress,
}

/// An experiment cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// It was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// A server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A process ended that should have run on.
    #[error(transparent)]
    Exited(#[from] lab::child::Exited),
    /// A server does not answer as it should.
    #[error(transparent)]
    Http(#[from] lab::http::HttpError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store that a scheme needs is not there.
    #[error("{0} needs a store, and there is none")]
    NoStore(Scheme),
    /// A saturated round carried nothing, so that no share of it can be planned.
    #[error("{0} answered no request of a saturated round; see its log, and try `authbench load` on it alone")]
    NoCapacity(Scheme),
    /// Credentials cannot be sent.
    #[error("{scheme}: {source}")]
    Credentials {
        /// Whose.
        scheme: Scheme,
        /// Why.
        source: driver::CredentialError,
    },
    /// The load cannot be driven.
    #[error(transparent)]
    Drive(#[from] driver::DriveError),
    /// A process cannot be watched.
    #[error(transparent)]
    Watch(#[from] lab::observe::ProcessGone),
    /// A process's memory cannot be read.
    #[error("cannot read the memory of process {pid}: {source}")]
    Memory {
        /// Which.
        pid: u32,
        /// Why.
        source: std::io::Error,
    },
    /// Bytes on the wire cannot be counted.
    #[error("cannot count the bytes on the wire of {scheme}: {reason}")]
    Wire {
        /// Which scheme.
        scheme: Scheme,
        /// Why.
        reason: String,
    },
    /// A folder for a store cannot be made.
    #[error("cannot make a folder for a store: {source}; free some room there or set TMPDIR to another folder")]
    Folder {
        /// Why.
        source: std::io::Error,
    },
    /// The record cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Bench<'_> {
    /// Fails if the run is to end.
    pub(crate) fn go_on(&self) -> Result<(), ExperimentError> {
        if self.setting.stop.load(Ordering::SeqCst) { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }

    /// Announces a step, unless the run is to end.
    pub fn step(&mut self, what: &str) -> Result<(), ExperimentError> {
        self.go_on()?;
        self.progress.step(what);
        Ok(())
    }

    /// What to start for a scheme, over this store.
    pub fn spec(&self, scheme: Scheme, store: Option<&Store>) -> Result<ServerSpec, ExperimentError> {
        if scheme.store().is_apart() && store.is_none() {
            return Err(ExperimentError::NoStore(scheme));
        }
        let cpus = &self.setting.placement.server_cpus;
        Ok(ServerSpec {
            carrier: self.setting.carrier,
            store_url: store.map(Store::url),
            key_prefix: store.map_or("authbench:", Store::key_prefix).to_owned(),
            bounds: Bounds::on(cpus),
            // One processor, one thread: CPU time per request is then free of what threads pay to meet.
            workers: Some(cpus.len().max(1) as u32),
            ..ServerSpec::new(scheme, self.log(scheme.id()))
        })
    }

    /// Starts a server, and notes how it describes itself.
    pub(crate) fn start(&mut self, spec: &ServerSpec) -> Result<Server, ExperimentError> {
        self.go_on()?;
        let server = Server::start(spec)?;
        self.journal.describe(server.descriptor().clone());
        Ok(server)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.journal.logs().join(format!("{name}.log"))
    }
}
