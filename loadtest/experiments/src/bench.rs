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
use lab::slice::{NoSlices, Slices};
use lab::store::{Store, UnusableStore};

use crate::{Balancer, Journal, Progress};

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
    /// Who spreads a load over nodes.
    pub balancer: Balancer,
    /// How nodes get shares of a processor, or why they cannot; looked for when they are needed.
    pub slices: fn() -> Result<Slices, NoSlices>,
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

    /// Fails if the run is to end, if a store of it has ended, or if any process had ended by itself before it was stopped: the
    /// part that is under way may have no use for it and not miss it.
    pub(crate) fn go_on(&self) -> Result<(), ExperimentError> {
        if self.stop.load(Ordering::SeqCst) {
            return Err(ExperimentError::Interrupted);
        }
        self.bereaved()
    }

    /// Fails if somebody has ended unasked.
    pub(crate) fn bereaved(&self) -> Result<(), ExperimentError> {
        self.stores.values().try_for_each(Store::check)?;
        Ok(lab::child::lost().into_iter().next().map_or(Ok(()), Err)?)
    }

    /// What to start for a scheme, over this store, with its output in this log.
    pub(crate) fn spec(
        &self,
        scheme: Scheme,
        store: Option<&Store>,
        log: PathBuf,
    ) -> Result<ServerSpec, ExperimentError> {
        if scheme.store().is_apart() && store.is_none() {
            return Err(ExperimentError::NoStore(scheme.store()));
        }
        let cpus = &self.placement.server_cpus;
        Ok(ServerSpec {
            carrier: self.carrier,
            store_url: store.map(Store::url),
            key_prefix: store.map_or("authbench:", Store::key_prefix).to_owned(),
            bounds: Bounds::on(cpus),
            // One processor, one thread: CPU time per request is then free of what threads pay to meet.
            workers: Some(cpus.len().max(1) as u32),
            ..ServerSpec::new(scheme, log)
        })
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
    /// `authbench compare` does not run it.
    #[error("cannot run {0}: it is not one of the experiments that `authbench compare` runs")]
    NotCompared(engine::Experiment),
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
    Store(#[from] UnusableStore),
    /// The store that a scheme needs is not there.
    #[error("a store is needed ({0}), and there is none")]
    NoStore(StoreKind),
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
    /// A balancer cannot be had.
    #[error(transparent)]
    Balancer(#[from] lab::haproxy::HaproxyError),
    /// A slice of a processor cannot be had.
    #[error(transparent)]
    Slice(#[from] lab::slice::SliceError),
    /// A slice of a processor cannot be changed.
    #[error("cannot give {name} its slice: {source}")]
    Resize {
        /// Whose.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A key cannot be made for nodes to share.
    #[error("cannot make a key for {scheme}: {source}; free some room for it or set TMPDIR to another folder")]
    Key {
        /// Whose.
        scheme: Scheme,
        /// Why.
        source: std::io::Error,
    },
    /// No address is free.
    #[error("cannot find a free port on 127.0.0.1: {source}; end some of the programs that listen there")]
    Address {
        /// Why.
        source: std::io::Error,
    },
    /// A logout did not do what it has to while all is well.
    #[error(
        "{scheme} answered a logout with {status} instead of 204 before anything was broken; try `authbench conform` on it"
    )]
    Logout {
        /// Whose server.
        scheme: Scheme,
        /// What it answered.
        status: u16,
    },
    /// A server is not well again after what was broken.
    #[error("{scheme} was not ready {seconds} s after its fault had ended; see its log")]
    NeverWell {
        /// Whose server.
        scheme: Scheme,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// A process cannot be stopped or made to go on.
    #[error(transparent)]
    Signal(#[from] lab::child::SignalError),
    /// The delay proxy cannot be started.
    #[error("cannot start the delay proxy: {source}")]
    Proxy {
        /// Why.
        source: std::io::Error,
    },
    /// A node cannot be asked.
    #[error("{scheme}: {source}")]
    Probe {
        /// Whose.
        scheme: Scheme,
        /// Why.
        source: driver::ProbeError,
    },
    /// Something that is needed before an event was refused.
    #[error("{scheme} answered {status} to {what} before an event; see its log")]
    Prepared {
        /// Which scheme.
        scheme: Scheme,
        /// What was asked for.
        what: &'static str,
        /// The status.
        status: u16,
    },
    /// Files that nobody keeps have no place.
    #[error(transparent)]
    Scratch(#[from] lab::scratch::ScratchError),
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
    /// Fails if the run is to end, or somebody has ended unasked.
    pub(crate) fn go_on(&self) -> Result<(), ExperimentError> {
        self.setting.go_on()
    }

    /// Announces a step, unless the run is to end.
    pub fn step(&mut self, what: &str) -> Result<(), ExperimentError> {
        self.go_on()?;
        self.progress.step(what);
        Ok(())
    }

    /// What to start for a scheme, over this store.
    pub fn spec(&self, scheme: Scheme, store: Option<&Store>) -> Result<ServerSpec, ExperimentError> {
        self.setting.spec(scheme, store, self.log(scheme.id()))
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
