//! Nodes that share keys and a store, the last of them possibly behind a bad link, and the revocation poller.

use std::time::Duration;

use contract::{EarlyRevocation, RevocationClass, Scheme, SchemeDescriptor, StoreKind};
use driver::{PollError, RevocationPoller};
use engine::record::PushLink;
use lab::http::Client;
use lab::proxy::{DelayProxy, Link, LinkFault};
use lab::server::{Server, ServerSpec};

use super::RevocationParameters;
use crate::nodes::SharedKey;
use crate::run_context::{ExperimentError, RunContext};

pub(super) struct NodeGroup {
    pub(super) scheme: Scheme,
    pub(super) link: PushLink,
    pub(super) servers: Vec<Server>,
    pub(super) poller: RevocationPoller,
    /// The proxy between the last node and its store; none over a near link.
    proxy: Option<DelayProxy>,
}

impl NodeGroup {
    /// Starts the nodes, and opens this number of connections to each.
    pub(super) fn start(
        context: &mut RunContext<'_>,
        parameters: &RevocationParameters,
        scheme: Scheme,
        link: PushLink,
        connections: u32,
    ) -> Result<Self, ExperimentError> {
        let shared = SharedKey::make(context, scheme)?;
        let store = context.config.store(scheme);
        let proxy = match (link, store.and_then(lab::store::Store::address)) {
            (PushLink::Near, _) | (_, None) => None,
            (PushLink::Delayed { .. } | PushLink::Lost, Some(address)) => {
                let cpus = &context.config.placement.generator_cpus;
                let proxy = DelayProxy::start(address, link_settings(link), cpus, context.config.seed);
                Some(proxy.map_err(|source| ExperimentError::Proxy { source })?)
            }
        };
        // A session in a server's own memory is known to that server alone.
        let count = if scheme.store() == StoreKind::Memory { 1 } else { parameters.nodes };
        let mut servers = Vec::new();
        for number in 1..=count {
            context.check_can_continue()?;
            let spec = context.spec(scheme, store)?;
            let through_proxy = proxy.as_ref().filter(|_| number == count).zip(store);
            let store_url = through_proxy.map(|(proxy, store)| store.url_through(proxy.address()));
            servers.push(Server::start(&ServerSpec {
                node: format!("node-{number}"),
                key: shared.key.clone(),
                log: context.log(&format!("{scheme}-revocation-{number}")),
                settings: short_lifetimes(scheme, parameters),
                store_url: store_url.or(spec.store_url),
                ..spec
            })?);
        }
        let authorities: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
        let poller =
            RevocationPoller::connect(&authorities, connections).map_err(|source| failed(scheme, &servers, source))?;
        Ok(Self { scheme, link, servers, poller, proxy })
    }

    /// Returns the description of the nodes: all are the same.
    pub(super) fn descriptor(&self) -> &SchemeDescriptor {
        self.servers[0].descriptor()
    }

    pub(super) fn client(&self, node: usize) -> Client {
        self.servers[node].client()
    }

    /// Returns the number of nodes that may receive an event: one that cannot reach its store cannot propagate it.
    pub(super) fn event_receivers(&self) -> usize {
        let last = usize::from(self.link != PushLink::Near && self.servers.len() > 1);
        self.servers.len() - last
    }

    /// Returns why polling failed: an exited node explains more than a lost connection.
    pub(super) fn failed(&self, source: PollError) -> ExperimentError {
        failed(self.scheme, &self.servers, source)
    }

    /// Interrupts the link between the last node and its store, if the series is about such a link. It is not restored:
    /// it is not visible from outside when a node receives changes again, so the next wave has new nodes.
    pub(super) fn break_link(&self) {
        if let (PushLink::Lost, Some(proxy)) = (self.link, &self.proxy) {
            proxy.set_fault(LinkFault::HalfOpen);
        }
    }
}

fn failed(scheme: Scheme, servers: &[Server], source: PollError) -> ExperimentError {
    if matches!(source, PollError::Interrupted) {
        return ExperimentError::Interrupted;
    }
    match servers.iter().try_for_each(|server| server.process().check()) {
        Err(exited) => exited.into(),
        Ok(()) => ExperimentError::Probe { scheme, source },
    }
}

fn link_settings(link: PushLink) -> Link {
    match link {
        PushLink::Delayed { delay_ms } => Link { delay: Duration::from_millis(u64::from(delay_ms)), ..Link::default() },
        PushLink::Near | PushLink::Lost => Link::default(),
    }
}

/// Returns options for short lifetimes. Schemes that deny at once or by a push keep their own.
fn short_lifetimes(scheme: Scheme, parameters: &RevocationParameters) -> Vec<(&'static str, String)> {
    let epoch = scheme.kind().early_revocation() == Some(EarlyRevocation::Epoch);
    match scheme.revocation_class() {
        Some(RevocationClass::Ttl) if epoch => {
            vec![("AUTHBENCH_EPOCH_TTL_S", parameters.epoch_ttl_s.to_string())]
        }
        Some(RevocationClass::Ttl | RevocationClass::Expiry) => {
            vec![("AUTHBENCH_CREDENTIAL_TTL_S", parameters.life_s.to_string())]
        }
        _ => Vec::new(),
    }
}
