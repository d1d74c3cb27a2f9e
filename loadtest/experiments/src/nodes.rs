//! Nodes: servers of one scheme that share a load, a store and their keys, each in a slice of a processor.

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
use crate::bench::{Bench, ExperimentError};
use crate::fleet::{is_old, mint};
use crate::own_store::OwnStore;

/// As much as one thread can use: what nodes and their store get until they are ready. A node hashes a password first, and a
/// `PostgreSQL` in a small slice opens no connection in the time that a server waits for it.
pub(crate) const WHOLE: f64 = 1.0;

/// A key that nodes of one scheme share, in a file for as long as this value lives; they read it when they start.
pub(crate) struct SharedKey {
    /// The environment variable and the file; none for a scheme without keys.
    pub(crate) key: Option<(&'static str, PathBuf)>,
    pub(crate) folder: TempDir,
}

impl SharedKey {
    pub(crate) fn make(bench: &Bench<'_>, scheme: Scheme) -> Result<Self, ExperimentError> {
        let folder = tempfile::tempdir_in(bench.setting.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let key = lab::keys::make(scheme, folder.path());
        Ok(Self { key: key.map_err(|source| ExperimentError::Key { scheme, source })?, folder })
    }
}

/// How the processors are shared.
pub(crate) struct Shares<'a> {
    pub(crate) slices: &'a Slices,
    /// What each node gets.
    pub(crate) node: f64,
    /// What each store gets.
    pub(crate) store: f64,
    /// What the balancer gets; none where the generator goes round the nodes itself.
    pub(crate) balancer: Option<f64>,
}

/// A store that nodes share, in a slice of its own.
pub(crate) struct SlicedStore<'a> {
    own: OwnStore<'a>,
    slice: Arc<Slice>,
    share: f64,
}

impl<'a> SlicedStore<'a> {
    /// Starts it in a slice that is still whole.
    pub(crate) fn start(bench: &Bench<'a>, kind: StoreKind, shares: &Shares<'_>) -> Result<Self, ExperimentError> {
        let slice = Arc::new(shares.slices.cut(&format!("store-{kind}"), WHOLE)?);
        let bounds = Bounds { slice: Some(slice.clone()), ..Bounds::on(&bench.setting.placement.store_cpus) };
        Ok(Self { own: OwnStore::fresh(bench, kind, "scaling", &bounds)?, slice, share: shares.store })
    }

    fn resize(&self, share: f64) -> Result<(), ExperimentError> {
        let failed = |source| ExperimentError::Resize { name: "the store".to_owned(), source };
        self.slice.resize(share).map_err(failed)
    }
}

/// Servers that are ready to be loaded, together or fewer of them.
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
    /// Starts so many, each in a slice that is still whole.
    pub(crate) fn start(
        bench: &mut Bench<'_>,
        scheme: Scheme,
        store: Option<&'a SlicedStore<'a>>,
        count: u32,
        shares: &Shares<'_>,
        population: u32,
    ) -> Result<Self, ExperimentError> {
        let SharedKey { key, folder: _folder } = SharedKey::make(bench, scheme)?;
        let mut servers = Vec::new();
        let mut cut: Vec<Arc<Slice>> = Vec::new();
        for number in 1..=count {
            let slice = Arc::new(shares.slices.cut(&format!("node-{number}"), WHOLE)?);
            let spec = bench.spec(scheme, store.and_then(|store| store.own.store()))?;
            let spec = ServerSpec {
                node: format!("node-{number}"),
                touch: Touch::Never,
                bounds: Bounds { slice: Some(slice.clone()), ..spec.bounds },
                key: key.clone(),
                log: bench.log(&format!("{scheme}-node-{number}")),
                ..spec
            };
            servers.push(bench.start(&spec)?);
            cut.push(slice);
        }
        let minted = Instant::now();
        let target = target(bench, scheme, &servers, population)?;
        let front = |share: f64| {
            let slice = Arc::new(shares.slices.cut("balancer", share)?);
            let bounds = Bounds { slice: Some(slice), ..Bounds::on(&bench.setting.placement.server_cpus) };
            Front::start(bench, scheme, &target, &bounds)
        };
        let front = shares.balancer.map(front).transpose()?;
        Ok(Self { scheme, servers, front, store, slices: cut, share: shares.node, target, population, minted })
    }

    /// Gives them and their store what one thread each can use: nothing is measured meanwhile.
    pub(crate) fn widen(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, WHOLE)?;
        self.store.map_or(Ok(()), |store| store.resize(WHOLE))
    }

    /// Gives them and their store their shares.
    pub(crate) fn narrow(&self) -> Result<(), ExperimentError> {
        self.resize(self.servers.len() as u32, self.share)?;
        self.store.map_or(Ok(()), |store| store.resize(store.share))
    }

    /// The store that they share, if there is one.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.and_then(|store| store.own.store())
    }

    /// Gives each of the first `count` nodes another slice.
    pub(crate) fn resize(&self, count: u32, share: f64) -> Result<(), ExperimentError> {
        for (server, slice) in self.servers.iter().zip(&self.slices).take(count as usize) {
            let failed = |source| ExperimentError::Resize { name: server.process().name().to_owned(), source };
            slice.resize(share).map_err(failed)?;
        }
        Ok(())
    }

    /// The first `count` of them, by way of the balancer if there is one.
    pub(crate) fn target(&self, count: u32) -> Result<Target, ExperimentError> {
        let nodes = self.target.nodes.iter().take(count as usize).cloned().collect();
        let nodes = Target { nodes, carrier: self.target.carrier };
        self.front.as_ref().map_or_else(|| Ok(nodes.clone()), |front| front.before(&nodes, self.scheme))
    }

    /// Mints anew if the credentials would end under way.
    pub(crate) fn renew(&mut self, bench: &Bench<'_>, plan: &Plan) -> Result<(), ExperimentError> {
        let age = self.minted.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if self.servers[0].descriptor().credential_ttl_s.is_some_and(|ttl_s| is_old(age, ttl_s)) {
            self.widen()?;
            self.minted = Instant::now();
            self.target = target(bench, self.scheme, &self.servers, self.population)?;
            self.narrow()?;
        }
        Ok(())
    }
}

/// Credentials that every node takes; or, where a node knows only its own, some of each.
fn target(bench: &Bench<'_>, scheme: Scheme, servers: &[Server], population: u32) -> Result<Target, ExperimentError> {
    let sticky = is_sticky(scheme);
    let shared = mint(bench.setting, scheme, &servers[0].client(), population)?;
    let node = |server: &Server| {
        let credentials =
            if sticky { mint(bench.setting, scheme, &server.client(), population)? } else { shared.clone() };
        Ok(Node { base_url: server.base_url(), credentials })
    };
    let nodes = servers.iter().map(node).collect::<Result<_, ExperimentError>>()?;
    Ok(Target { nodes, carrier: bench.setting.carrier })
}
