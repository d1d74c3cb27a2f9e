//! The run context of every experiment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contract::{Carrier, Scheme, StoreKind};
use engine::record::Placement;
use lab::child::Bounds;
use lab::cpu_quota::{CpuQuotas, NoCpuQuotas};
use lab::scratch::Scratch;
use lab::server::{Server, ServerError, ServerSpec};
use lab::store::{Store, UnusableStore};
use record_file::WriteError;

use crate::{Balancer, Journal, Progress};

/// The configuration of a run.
#[derive(Debug)]
pub struct RunConfig {
    /// The schemes compared, the control first.
    pub schemes: Vec<Scheme>,
    /// The carrier of credentials.
    pub carrier: Carrier,
    /// The stores that the schemes need.
    pub stores: BTreeMap<StoreKind, Store>,
    /// The processors of server, store and generator.
    pub placement: Placement,
    /// The load balancer of `scaling`.
    pub balancer: Balancer,
    /// Returns the cgroup backend for CPU quotas, or why there is none; called when an experiment needs it.
    pub cpu_quotas: fn() -> Result<CpuQuotas, NoCpuQuotas>,
    /// The seed for all random choices.
    pub seed: u64,
    /// Set when the run is to end early.
    pub stop: Arc<AtomicBool>,
    /// The folder for temporary files.
    pub scratch: Scratch,
}

impl RunConfig {
    /// Returns the store of this scheme, if it uses one outside the server.
    #[must_use]
    pub fn store(&self, scheme: Scheme) -> Option<&Store> {
        self.stores.get(&scheme.store())
    }

    /// Fails if the run was interrupted, or if a store or any other process exited unexpectedly: the current step may
    /// not use that process and so not notice.
    pub(crate) fn check_can_continue(&self) -> Result<(), ExperimentError> {
        if self.stop.load(Ordering::SeqCst) {
            return Err(ExperimentError::Interrupted);
        }
        self.check_processes()
    }

    /// Fails if a store or any other process exited unexpectedly.
    pub(crate) fn check_processes(&self) -> Result<(), ExperimentError> {
        self.stores.values().try_for_each(Store::check)?;
        Ok(lab::child::take_unexpected_exits().into_iter().next().map_or(Ok(()), Err)?)
    }

    /// Returns how to start the server of a scheme, with this store and this log file.
    pub(crate) fn spec(
        &self,
        scheme: Scheme,
        store: Option<&Store>,
        log: PathBuf,
    ) -> Result<ServerSpec, ExperimentError> {
        if scheme.store().is_external() && store.is_none() {
            return Err(ExperimentError::NoStore(scheme.store()));
        }
        let cpus = &self.placement.server_cpus;
        Ok(ServerSpec {
            carrier: self.carrier,
            store_url: store.map(Store::url),
            key_prefix: store.map_or("authbench:", Store::key_prefix).to_owned(),
            bounds: Bounds::on(cpus),
            // One thread per processor: CPU time per request then includes no synchronization between threads.
            workers: Some(cpus.len().max(1) as u32),
            ..ServerSpec::new(scheme, log)
        })
    }
}

/// The run context of an experiment.
pub struct RunContext<'a> {
    /// The configuration of the run.
    pub config: &'a RunConfig,
    /// Receives the results.
    pub journal: &'a mut Journal,
    /// Receives progress reports.
    pub progress: &'a mut dyn Progress,
}

/// Why an experiment failed.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// `authbench compare` does not run this experiment.
    #[error("cannot run {0}: `authbench compare` does not include this experiment")]
    NotCompared(engine::Experiment),
    /// A server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A process exited unexpectedly.
    #[error(transparent)]
    Exited(#[from] lab::child::Exited),
    /// A server responded incorrectly.
    #[error(transparent)]
    Http(#[from] lab::http::HttpError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] UnusableStore),
    /// The store that a scheme needs does not exist.
    #[error("cannot start the server: its scheme needs a store ({0}), and this run has none")]
    NoStore(StoreKind),
    /// A saturated round had no responses, so that no fraction of its capacity can be planned.
    #[error("{0} responded to no request of a saturated round; see its log, and run `authbench load` against it alone")]
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
    /// A process cannot be observed.
    #[error(transparent)]
    Observe(#[from] lab::observe::ProcessGone),
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
    /// A program that the experiment needs is not installed.
    #[error("{0}")]
    Missing(&'static str),
    /// A server cannot be counted.
    #[error(transparent)]
    Counters(#[from] lab::counters::CountersError),
    /// A request to a server that is counted fails.
    #[error("cannot count the work of {scheme}: {reason}; see its log")]
    Counted {
        /// Which scheme.
        scheme: Scheme,
        /// Why.
        reason: String,
    },
    /// The balancer cannot be started.
    #[error(transparent)]
    Balancer(#[from] lab::haproxy::HaproxyError),
    /// A CPU quota cannot be created.
    #[error(transparent)]
    CpuQuota(#[from] lab::cpu_quota::CpuQuotaError),
    /// A CPU quota cannot be changed.
    #[error("cannot set the CPU quota of {name}: {source}")]
    Resize {
        /// Whose.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A key that nodes share cannot be created.
    #[error("cannot create a key for {scheme}: {source}; free disk space or set TMPDIR to another folder")]
    Key {
        /// Whose.
        scheme: Scheme,
        /// Why.
        source: std::io::Error,
    },
    /// No address is free.
    #[error("cannot find a free port on 127.0.0.1: {source}; stop some of the programs that listen there")]
    Address {
        /// Why.
        source: std::io::Error,
    },
    /// A logout failed before the fault began.
    #[error(
        "{scheme} responded to a logout with {status} instead of 204 before the fault; run `authbench conform` against it"
    )]
    Logout {
        /// Whose server.
        scheme: Scheme,
        /// The status of its response.
        status: u16,
    },
    /// A server did not recover after its fault.
    #[error("{scheme} was not ready {seconds} s after the end of its fault; see its log")]
    NotRecovered {
        /// Whose server.
        scheme: Scheme,
        /// The time waited, in seconds.
        seconds: u64,
    },
    /// A process cannot be paused or resumed.
    #[error(transparent)]
    Signal(#[from] lab::child::SignalError),
    /// The delay proxy cannot be started.
    #[error("cannot start the delay proxy: {source}")]
    Proxy {
        /// Why.
        source: std::io::Error,
    },
    /// A node cannot be polled.
    #[error("{scheme}: {source}")]
    Probe {
        /// Whose.
        scheme: Scheme,
        /// Why.
        source: driver::PollError,
    },
    /// A request that prepares an event failed.
    #[error("{scheme} responded with {status} to {what} before an event; see its log")]
    Prepared {
        /// Which scheme.
        scheme: Scheme,
        /// The request.
        what: &'static str,
        /// The status.
        status: u16,
    },
    /// The folder for temporary files cannot be created.
    #[error(transparent)]
    Scratch(#[from] lab::scratch::ScratchError),
    /// A folder for a store cannot be created.
    #[error("cannot create a folder for a store: {source}; free disk space or set TMPDIR to another folder")]
    Folder {
        /// Why.
        source: std::io::Error,
    },
    /// The record cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl RunContext<'_> {
    /// Fails if the run was interrupted or a process exited unexpectedly.
    pub(crate) fn check_can_continue(&self) -> Result<(), ExperimentError> {
        self.config.check_can_continue()
    }

    /// Reports the start of a step; fails if the run was interrupted.
    pub fn step(&mut self, what: &str) -> Result<(), ExperimentError> {
        self.check_can_continue()?;
        self.progress.step(what);
        Ok(())
    }

    /// Returns how to start the server of a scheme, with this store.
    pub fn spec(&self, scheme: Scheme, store: Option<&Store>) -> Result<ServerSpec, ExperimentError> {
        self.config.spec(scheme, store, self.log(scheme.id()))
    }

    /// Starts a server and records its self-description.
    pub(crate) fn start(&mut self, spec: &ServerSpec) -> Result<Server, ExperimentError> {
        self.check_can_continue()?;
        let server = Server::start(spec)?;
        self.journal.describe(server.descriptor().clone());
        Ok(server)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.journal.logs().join(format!("{name}.log"))
    }
}
