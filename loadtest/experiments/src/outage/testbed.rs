//! The testbed of faults: a store of the experiment's own, and two nodes of every scheme over it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use contract::{Scheme, StoreKind, route};
use engine::record::OutageFault;
use lab::child::Bounds;
use lab::proxy::{DelayProxy, Link, LinkFault};
use lab::redis::Redis;
use lab::server::{Server, ServerError, ServerSpec};
use lab::store::UnusableStore;

use crate::run_context::{ExperimentError, RunConfig, RunContext};

/// Nodes of every scheme.
pub(super) const NODES: usize = 2;
/// The node that is killed.
pub(super) const KILLED_NODE: usize = 0;

/// The time limit for a server to be ready again after a fault, before the next.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// The processes that faults affect.
pub(super) struct Testbed {
    // Before the fields that they depend on, because fields are dropped in this order.
    pub(super) schemes: Vec<SchemeNodes>,
    store: Option<(DelayProxy, Redis)>,
}

/// The nodes of a scheme.
pub(super) struct SchemeNodes {
    pub(super) scheme: Scheme,
    pub(super) servers: Vec<Server>,
    /// Whether it takes part in the current fault.
    pub(super) is_loaded: bool,
    specs: Vec<ServerSpec>,
}

impl Testbed {
    /// Starts a private store, if a scheme needs one, and the nodes of every scheme.
    pub(super) fn start(context: &mut RunContext<'_>, schemes: &[Scheme]) -> Result<Self, ExperimentError> {
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?.keep();
        let mut testbed = Self { schemes: Vec::new(), store: None };
        if schemes.iter().any(|scheme| scheme.store().is_external()) {
            let placement = &context.config.placement;
            let redis = Redis::start(&folder, &context.log("redis-outage"), &Bounds::on(&placement.store_cpus));
            let redis = redis.map_err(UnusableStore::from)?;
            let address = redis.address().ok_or(ExperimentError::NoStore(StoreKind::Redis))?;
            let proxy = DelayProxy::start(address, Link::default(), &placement.generator_cpus, context.config.seed);
            testbed.store = Some((proxy.map_err(|source| ExperimentError::Proxy { source })?, redis));
        }
        for &scheme in schemes {
            let folder = tempfile::tempdir_in(&folder).map_err(|source| ExperimentError::Folder { source })?.keep();
            let key = lab::keys::make(scheme, &folder).map_err(|source| ExperimentError::Key { scheme, source })?;
            let mut nodes = SchemeNodes { scheme, servers: Vec::new(), is_loaded: true, specs: Vec::new() };
            for number in 1..=NODES {
                let spec = ServerSpec {
                    node: format!("node-{number}"),
                    key: key.clone(),
                    log: context.log(&format!("{scheme}-outage-{number}")),
                    ..testbed.spec(context, scheme)?
                };
                let server = context.start(&spec)?;
                nodes.specs.push(ServerSpec { listen: server.address(), ..spec });
                nodes.servers.push(server);
            }
            testbed.schemes.push(nodes);
        }
        Ok(testbed)
    }

    /// Returns how to start a server of a scheme. Each scheme has its own key prefix in the store.
    fn spec(&self, context: &RunContext<'_>, scheme: Scheme) -> Result<ServerSpec, ExperimentError> {
        let plain = context.spec(scheme, context.config.store(scheme))?;
        let Some((proxy, _)) = self.store.as_ref().filter(|_| scheme.store().is_external()) else { return Ok(plain) };
        Ok(ServerSpec {
            store_url: Some(("AUTHBENCH_REDIS_URL", format!("redis://{}/0", proxy.address()))),
            key_prefix: format!("authbench:{scheme}:"),
            ..plain
        })
    }

    /// Returns the schemes that take part in the current fault.
    pub(super) fn loaded(&self) -> impl Iterator<Item = &SchemeNodes> {
        self.schemes.iter().filter(|nodes| nodes.is_loaded)
    }

    /// Waits until every server is ready. A server that has not queried its store since a fault detects only now that
    /// its connection is lost.
    pub(super) fn wait_until_ready(&self, config: &RunConfig) -> Result<(), ExperimentError> {
        for (nodes, server) in
            self.schemes.iter().flat_map(|nodes| nodes.servers.iter().map(move |server| (nodes, server)))
        {
            let client = server.client();
            let deadline = Instant::now() + READY_TIMEOUT;
            while !client
                .get(route::READYZ, &BTreeMap::new(), READY_TIMEOUT)
                .is_ok_and(|response| response.status == 200)
            {
                config.check_can_continue()?;
                server.process().check()?;
                if Instant::now() >= deadline {
                    return Err(ExperimentError::NotRecovered {
                        scheme: nodes.scheme,
                        seconds: READY_TIMEOUT.as_secs(),
                    });
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// Fails if a process exited unexpectedly.
    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        if let Some(process) = self.store.as_ref().and_then(|(_, redis)| redis.process()) {
            process.check()?;
        }
        self.schemes.iter().flat_map(|nodes| &nodes.servers).try_for_each(|server| server.process().check())?;
        Ok(())
    }

    fn store(&mut self) -> Result<(&DelayProxy, &mut Redis), ExperimentError> {
        let (proxy, redis) = self.store.as_mut().ok_or(ExperimentError::NoStore(StoreKind::Redis))?;
        Ok((proxy, redis))
    }

    /// Begins a fault.
    pub(super) fn inject(&mut self, fault: OutageFault, slow_rtt: Duration) -> Result<(), ExperimentError> {
        if fault == OutageFault::NodeKilled {
            for nodes in &self.schemes {
                nodes.servers[KILLED_NODE].process().kill();
            }
            return Ok(());
        }
        let (proxy, redis) = self.store()?;
        match fault {
            OutageFault::StoreKilled => redis.crash().map_err(UnusableStore::from)?,
            OutageFault::StoreRestarted => redis.shut_down().map_err(UnusableStore::from)?,
            OutageFault::StorePaused => redis.process().map_or(Ok(()), lab::child::Child::suspend)?,
            OutageFault::StoreCut => proxy.set_fault(LinkFault::Cut),
            OutageFault::StoreSlow => proxy.set_link(Link::of_round_trip(slow_rtt)),
            OutageFault::NodeKilled => {}
        }
        Ok(())
    }

    /// Ends a fault. A restarted process is ready when this returns.
    pub(super) fn repair(&mut self, fault: OutageFault) -> Result<(), ExperimentError> {
        if fault == OutageFault::NodeKilled {
            return self.restart_killed_nodes();
        }
        let (proxy, redis) = self.store()?;
        match fault {
            OutageFault::StoreKilled | OutageFault::StoreRestarted => {
                redis.restart().map_err(UnusableStore::from)?;
            }
            OutageFault::StorePaused => redis.process().map_or(Ok(()), lab::child::Child::resume)?,
            OutageFault::StoreCut => proxy.set_fault(LinkFault::None),
            OutageFault::StoreSlow => proxy.set_link(Link::default()),
            OutageFault::NodeKilled => {}
        }
        Ok(())
    }

    /// Starts all killed nodes at the same time.
    fn restart_killed_nodes(&mut self) -> Result<(), ExperimentError> {
        thread::scope(|scope| {
            let starting: Vec<_> =
                self.schemes.iter_mut().map(|nodes| scope.spawn(|| nodes.restart_killed_node())).collect();
            starting.into_iter().try_for_each(|each| each.join().expect("starting does not panic"))
        })?;
        Ok(())
    }
}

impl Drop for Testbed {
    /// Kills all servers at once: none needs a clean shutdown, and each would be waited for in turn.
    fn drop(&mut self) {
        for server in self.schemes.iter().flat_map(|nodes| &nodes.servers) {
            server.process().kill();
        }
    }
}

impl SchemeNodes {
    fn restart_killed_node(&mut self) -> Result<(), ServerError> {
        self.servers[KILLED_NODE] = Server::start(&self.specs[KILLED_NODE])?;
        Ok(())
    }

    /// Returns whether each node knows only the credentials that it issued itself.
    pub(super) fn sticky(&self) -> bool {
        self.scheme.store() == StoreKind::Memory
    }
}
