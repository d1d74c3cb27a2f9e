//! Nodes: servers of one scheme that share a load, a store and their keys, each with a CPU quota.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Scheme, StoreKind, Touch};
use driver::{Node, Target};
use engine::plan::Plan;
use lab::child::Bounds;
use lab::server::{Server, ServerSpec};
use lab::slice::{Slice, Slices};
use lab::store::Store;
use tempfile::TempDir;

use crate::balancer::{Front, is_sticky};
use crate::own_store::OwnStore;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{is_past_half_life, mint_credentials};

/// The quota of one full processor: nodes and their store have it until they are ready. A node hashes a password first,
/// and a `PostgreSQL` with a small quota opens no connection within the server's timeout.
pub(crate) const WHOLE: f64 = 1.0;

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
pub(crate) struct Shares<'a> {
    pub(crate) slices: &'a Slices,
    /// The quota of each node, in processors.
    pub(crate) node: f64,
    /// The quota of each store, in processors.
    pub(crate) store: f64,
    /// The quota of the balancer, in processors; none if the generator visits the nodes itself.
    pub(crate) balancer: Option<f64>,
}

/// A store that nodes share, with its own CPU quota.
pub(crate) struct SlicedStore<'a> {
    own: OwnStore<'a>,
    slice: Arc<Slice>,
    share: f64,
}

impl<'a> SlicedStore<'a> {
    /// Starts the store with the quota of one full processor.
    pub(crate) fn start(
        context: &RunContext<'a>,
        kind: StoreKind,
        shares: &Shares<'_>,
    ) -> Result<Self, ExperimentError> {
        let slice = Arc::new(shares.slices.cut(&format!("store-{kind}"), WHOLE)?);
        let bounds = Bounds { slice: Some(slice.clone()), ..Bounds::on(&context.config.placement.store_cpus) };
        Ok(Self { own: OwnStore::fresh(context, kind, "scaling", &bounds)?, slice, share: shares.store })
    }

    fn resize(&self, share: f64) -> Result<(), ExperimentError> {
        let failed = |source| ExperimentError::Resize { name: "the store".to_owned(), source };
        self.slice.resize(share).map_err(failed)
    }
}

/// Servers that are ready to be loaded, all or some of them together.
pub(crate) struct Nodes<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) servers: Vec<Server>,
    pub(crate) front: Option<Front>,
    store: Option<&'a SlicedStore<'a>>,
    slices: Vec<Arc<Slice>>,
    share: f64,
    target: Target,
    population: u32,
    minted: Instant,
}

impl<'a> Nodes<'a> {
    /// Starts this number of nodes, each with the quota of one full processor.
    pub(crate) fn start(
        context: &mut RunContext<'_>,
        scheme: Scheme,
        store: Option<&'a SlicedStore<'a>>,
        count: u32,
        shares: &Shares<'_>,
        population: u32,
    ) -> Result<Self, ExperimentError> {
        let SharedKey { key, folder: _folder } = SharedKey::make(context, scheme)?;
        let mut servers = Vec::new();
        let mut cut: Vec<Arc<Slice>> = Vec::new();
        for number in 1..=count {
            let slice = Arc::new(shares.slices.cut(&format!("node-{number}"), WHOLE)?);
            let spec = context.spec(scheme, store.and_then(|store| store.own.store()))?;
            let spec = ServerSpec {
                node: format!("node-{number}"),
                touch: Touch::Never,
                bounds: Bounds { slice: Some(slice.clone()), ..spec.bounds },
                key: key.clone(),
                log: context.log(&format!("{scheme}-node-{number}")),
                ..spec
            };
            servers.push(context.start(&spec)?);
            cut.push(slice);
        }
        let minted = Instant::now();
        let target = target(context, scheme, &servers, population)?;
        let front = |share: f64| {
            let slice = Arc::new(shares.slices.cut("balancer", share)?);
            let bounds = Bounds { slice: Some(slice), ..Bounds::on(&context.config.placement.server_cpus) };
            Front::start(context, scheme, &target, &bounds)
        };
        let front = shares.balancer.map(front).transpose()?;
        Ok(Self { scheme, servers, front, store, slices: cut, share: shares.node, target, population, minted })
    }

    /// Raises the quotas of nodes and store to one full processor each: nothing is measured meanwhile.
    pub(crate) fn widen(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, WHOLE)?;
        self.store.map_or(Ok(()), |store| store.resize(WHOLE))
    }

    /// Sets the quotas of nodes and store.
    pub(crate) fn narrow(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, self.share)?;
        self.store.map_or(Ok(()), |store| store.resize(store.share))
    }

    /// Returns the store that the nodes share, if there is one.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.and_then(|store| store.own.store())
    }

    /// Sets another quota for each of the first `count` nodes.
    pub(crate) fn resize(&self, count: u32, share: f64) -> Result<(), ExperimentError> {
        for (server, slice) in self.servers.iter().zip(&self.slices).take(count as usize) {
            let failed = |source| ExperimentError::Resize { name: server.process().name().to_owned(), source };
            slice.resize(share).map_err(failed)?;
        }
        Ok(())
    }

    /// Returns the first `count` nodes, through the balancer if there is one.
    pub(crate) fn target(&self, count: u32) -> Result<Target, ExperimentError> {
        let nodes = self.target.nodes.iter().take(count as usize).cloned().collect();
        let nodes = Target { nodes, carrier: self.target.carrier };
        self.front.as_ref().map_or_else(|| Ok(nodes.clone()), |front| front.before(&nodes, self.scheme))
    }

    /// Mints new credentials if the present ones would expire during the round.
    pub(crate) fn renew(&mut self, context: &RunContext<'_>, plan: &Plan) -> Result<(), ExperimentError> {
        let age = self.minted.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if self.servers[0].descriptor().credential_ttl_s.is_some_and(|ttl_s| is_past_half_life(age, ttl_s)) {
            self.widen()?;
            self.minted = Instant::now();
            self.target = target(context, self.scheme, &self.servers, self.population)?;
            self.narrow()?;
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
