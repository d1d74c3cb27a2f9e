//! A server and its population of credentials.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::Scheme;
use contract::body::MintedCredential;
use driver::{Credentials, Target};
use lab::server::Server;
use lab::store::Store;

use super::MAX_MEMORY_SHARE;
use super::time_budget::TimeBudget;
use crate::run_context::{ExperimentError, RunConfig};

/// Credentials created at a time.
const BATCH: u32 = 5_000;
/// At most this number of live credentials is kept for requests: up to twice as many, before every other one is
/// dropped.
const SAMPLE_SIZE: usize = 100_000;
/// Fewer credentials than this do not predict the duration of a larger fill.
const MIN_FOR_PREDICTION: u32 = 10_000;

/// A server, its store, and a sample of its credentials, spread evenly over all.
pub(super) struct PopulatedServer<'a> {
    pub(super) scheme: Scheme,
    pub(super) server: Server,
    pub(super) store: Option<&'a Store>,
    /// The number of credentials created.
    pub(super) filled: u32,
    kept: Vec<MintedCredential>,
    /// One credential out of this number is kept.
    stride: u32,
    /// The duration of the fill so far.
    pub(super) took: Duration,
    /// Memory of server and store before the first credential.
    empty_bytes: u64,
}

impl<'a> PopulatedServer<'a> {
    pub(super) fn new(scheme: Scheme, server: Server, store: Option<&'a Store>) -> Self {
        let mut populated = Self {
            scheme,
            server,
            store,
            filled: 0,
            kept: Vec::new(),
            stride: 1,
            took: Duration::ZERO,
            empty_bytes: 0,
        };
        populated.empty_bytes = populated.used_bytes();
        populated
    }

    /// Creates credentials up to this number, and returns the duration.
    pub(super) fn fill(&mut self, config: &RunConfig, size: u32) -> Result<Duration, ExperimentError> {
        self.mint_up_to(config, size, lab::http::Client::mint)
    }

    /// Creates and revokes credentials up to this number, and returns the duration.
    pub(super) fn revoke(&mut self, config: &RunConfig, size: u32) -> Result<Duration, ExperimentError> {
        self.mint_up_to(config, size, lab::http::Client::mint_revoked)
    }

    fn mint_up_to(
        &mut self,
        config: &RunConfig,
        size: u32,
        mint: fn(&lab::http::Client, u32, u32) -> Result<Vec<MintedCredential>, lab::http::HttpError>,
    ) -> Result<Duration, ExperimentError> {
        let (client, began) = (self.server.client(), Instant::now());
        while self.filled < size {
            config.check_can_continue()?;
            let minted = mint(&client, BATCH.min(size - self.filled), self.filled)?;
            self.add_to_sample(minted);
        }
        let took = began.elapsed();
        self.took += took;
        Ok(took)
    }

    fn add_to_sample(&mut self, minted: Vec<MintedCredential>) {
        let first = self.filled;
        self.filled += minted.len() as u32;
        let stride = self.stride;
        self.kept.extend((first..).zip(minted).filter(|(number, _)| number % stride == 0).map(|(_, minted)| minted));
        if self.kept.len() > 2 * SAMPLE_SIZE {
            self.stride *= 2;
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
    }

    /// Returns why it cannot be filled up to this size, if it cannot: insufficient time or memory.
    pub(super) fn reason_to_skip(&self, size: u32, time: &TimeBudget) -> Option<String> {
        if self.filled < MIN_FOR_PREDICTION {
            return None;
        }
        let (filled, remaining) = (f64::from(self.filled), f64::from(size - self.filled));
        let total_s = self.took.as_secs_f64() * (1.0 + remaining / filled);
        if let Some(reason) = time.reason_to_skip(total_s) {
            return Some(reason);
        }
        let growth = self.used_bytes().saturating_sub(self.empty_bytes) as f64 * remaining / filled;
        let available = lab::host::available_memory_bytes()? as f64;
        (growth > available * MAX_MEMORY_SHARE).then(|| {
            let gib = |bytes: f64| bytes / f64::from(1 << 30);
            format!("it would take {:.1} GiB more, of {:.1} GiB that are available", gib(growth), gib(available))
        })
    }

    fn used_bytes(&self) -> u64 {
        let server = lab::observe::memory(self.server.process().pid()).map_or(0, |memory| memory.rss_bytes);
        server + self.store.and_then(|store| store.memory().ok()).map_or(0, |memory| memory.rss_bytes)
    }

    /// Returns the number of credentials for requests.
    pub(super) const fn in_use(&self) -> u32 {
        self.kept.len() as u32
    }

    /// Returns the target with the kept credentials.
    pub(super) fn target(&self, config: &RunConfig) -> Result<Target, ExperimentError> {
        let credentials = Credentials::new(self.kept.clone());
        let credentials = credentials.map_err(|source| ExperimentError::Credentials { scheme: self.scheme, source })?;
        Ok(Target::one(self.server.base_url(), Arc::new(credentials), config.carrier))
    }

    /// Fails if a process has exited.
    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        self.server.process().check()?;
        self.store.map_or(Ok(()), Store::check)?;
        Ok(())
    }
}
