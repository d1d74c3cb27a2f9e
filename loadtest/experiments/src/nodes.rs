//! Nodes: servers of one scheme that share a load, a store and their keys, each with a CPU quota.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Scheme, StoreKind, Touch};
use driver::{Node, Target};
use engine::plan::Plan;
use lab::child::Bounds;
use lab::cpu_quota::{CpuQuota, CpuQuotas};
use lab::server::{Server, ServerSpec};
use lab::store::Store;
use tempfile::TempDir;

use crate::balancer::{RunningBalancer, is_sticky};
use crate::experiment_store::ExperimentStore;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{is_past_half_life, mint_credentials};

/// The quota of one full processor: nodes and their store have it until they are ready. A node hashes a password first,
/// and a `PostgreSQL` with a small quota opens no connection within the server's timeout.
pub(crate) const FULL_CPU: f64 = 1.0;

/// A key that nodes of one scheme share, in a file that exists as long as this value; they read it when they start.
pub(crate) struct SharedKey {
    /// The environment variable and the file; none for a scheme without keys.
    pub(crate) key: Option<(&'static str, PathBuf)>,
    pub(crate) folder: TempDir,
}

impl SharedKey {
    pub(crate) fn make(context: &RunContext<'_>, scheme: Scheme) -> Result<Self, ExperimentError> {
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let key = lab::keys::make(scheme, folder.path());
        Ok(Self { key: key.map_err(|source| ExperimentError::Key { scheme, source })?, folder })
    }
}

/// The CPU quotas.
pub(crate) struct Quotas<'a> {
    pub(crate) cpu_quotas: &'a CpuQuotas,
    /// The quota of each node, in processors.
    pub(crate) node: f64,
    /// The quota of each store, in processors.
    pub(crate) store: f64,
    /// The quota of the balancer, in processors; none if the generator visits the nodes itself.
    pub(crate) balancer: Option<f64>,
}

/// A store that nodes share, with its own CPU quota.
pub(crate) struct QuotaStore<'a> {
    store: ExperimentStore<'a>,
    cpu_quota: Arc<CpuQuota>,
    share: f64,
}

impl<'a> QuotaStore<'a> {
    /// Starts the store with the quota of one full processor.
    pub(crate) fn start(
        context: &RunContext<'a>,
        kind: StoreKind,
        quotas: &Quotas<'_>,
    ) -> Result<Self, ExperimentError> {
        let cpu_quota = Arc::new(quotas.cpu_quotas.create(&format!("store-{kind}"), FULL_CPU)?);
        let bounds = Bounds { cpu_quota: Some(cpu_quota.clone()), ..Bounds::on(&context.config.placement.store_cpus) };
        Ok(Self {
            store: ExperimentStore::start_empty(context, kind, "scaling", &bounds)?,
            cpu_quota,
            share: quotas.store,
        })
    }

    fn resize(&self, share: f64) -> Result<(), ExperimentError> {
        let failed = |source| ExperimentError::Resize { name: "the store".to_owned(), source };
        self.cpu_quota.resize(share).map_err(failed)
    }
}

/// Servers that are ready to be loaded, all or some of them together.
pub(crate) struct Nodes<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) servers: Vec<Server>,
    pub(crate) balancer: Option<RunningBalancer>,
    store: Option<&'a QuotaStore<'a>>,
    cpu_quotas: Vec<Arc<CpuQuota>>,
    share: f64,
    target: Target,
    population: u32,
    minted_at: Instant,
}

impl<'a> Nodes<'a> {
    /// Starts this number of nodes, each with the quota of one full processor.
    pub(crate) fn start(
        context: &mut RunContext<'_>,
        scheme: Scheme,
        store: Option<&'a QuotaStore<'a>>,
        count: u32,
        quotas: &Quotas<'_>,
        population: u32,
    ) -> Result<Self, ExperimentError> {
        let SharedKey { key, folder: _folder } = SharedKey::make(context, scheme)?;
        let mut servers = Vec::new();
        let mut cpu_quotas: Vec<Arc<CpuQuota>> = Vec::new();
        for number in 1..=count {
            let cpu_quota = Arc::new(quotas.cpu_quotas.create(&format!("node-{number}"), FULL_CPU)?);
            let spec = context.spec(scheme, store.and_then(|store| store.store.store()))?;
            let spec = ServerSpec {
                node: format!("node-{number}"),
                touch: Touch::Never,
                bounds: Bounds { cpu_quota: Some(cpu_quota.clone()), ..spec.bounds },
                key: key.clone(),
                log: context.log(&format!("{scheme}-node-{number}")),
                ..spec
            };
            servers.push(context.start(&spec)?);
            cpu_quotas.push(cpu_quota);
        }
        let minted_at = Instant::now();
        let target = target(context, scheme, &servers, population)?;
        let balancer = |share: f64| {
            let cpu_quota = Arc::new(quotas.cpu_quotas.create("balancer", share)?);
            let bounds = Bounds { cpu_quota: Some(cpu_quota), ..Bounds::on(&context.config.placement.server_cpus) };
            RunningBalancer::start(context, scheme, &target, &bounds)
        };
        let balancer = quotas.balancer.map(balancer).transpose()?;
        Ok(Self { scheme, servers, balancer, store, cpu_quotas, share: quotas.node, target, population, minted_at })
    }

    /// Raises the quotas of nodes and store to one full processor each: nothing is measured meanwhile.
    pub(crate) fn lift_quotas(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, FULL_CPU)?;
        self.store.map_or(Ok(()), |store| store.resize(FULL_CPU))
    }

    /// Sets the quotas of nodes and store.
    pub(crate) fn apply_quotas(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, self.share)?;
        self.store.map_or(Ok(()), |store| store.resize(store.share))
    }

    /// Returns the store that the nodes share, if there is one.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.and_then(|store| store.store.store())
    }

    /// Sets another quota for each of the first `count` nodes.
    pub(crate) fn resize(&self, count: u32, share: f64) -> Result<(), ExperimentError> {
        for (server, cpu_quota) in self.servers.iter().zip(&self.cpu_quotas).take(count as usize) {
            let failed = |source| ExperimentError::Resize { name: server.process().name().to_owned(), source };
            cpu_quota.resize(share).map_err(failed)?;
        }
        Ok(())
    }

    /// Returns the first `count` nodes, through the balancer if there is one.
    pub(crate) fn target(&self, count: u32) -> Result<Target, ExperimentError> {
        let nodes = self.target.nodes.iter().take(count as usize).cloned().collect();
        let nodes = Target { nodes, carrier: self.target.carrier };
        self.balancer
            .as_ref()
            .map_or_else(|| Ok(nodes.clone()), |balancer| balancer.target_through(&nodes, self.scheme))
    }

    /// Mints new credentials if the present ones would expire during the round.
    pub(crate) fn renew(&mut self, context: &RunContext<'_>, plan: &Plan) -> Result<(), ExperimentError> {
        let age = self.minted_at.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if self.servers[0].descriptor().credential_ttl_s.is_some_and(|ttl_s| is_past_half_life(age, ttl_s)) {
            self.lift_quotas()?;
            self.minted_at = Instant::now();
            self.target = target(context, self.scheme, &self.servers, self.population)?;
            self.apply_quotas()?;
        }
        Ok(())
    }
}

/// Mints credentials that every node accepts; or, if a node knows only its own, some at each node.
fn target(
    context: &RunContext<'_>,
    scheme: Scheme,
    servers: &[Server],
    population: u32,
) -> Result<Target, ExperimentError> {
    let sticky = is_sticky(scheme);
    let shared = mint_credentials(context.config, scheme, &servers[0].client(), population)?;
    let node = |server: &Server| {
        let credentials = if sticky {
            mint_credentials(context.config, scheme, &server.client(), population)?
        } else {
            shared.clone()
        };
        Ok(Node { base_url: server.base_url(), credentials })
    };
    let nodes = servers.iter().map(node).collect::<Result<_, ExperimentError>>()?;
    Ok(Target { nodes, carrier: context.config.carrier })
}
