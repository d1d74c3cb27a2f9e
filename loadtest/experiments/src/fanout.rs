//! `fanout`: what does each additional server add that a request crosses?
//!
//! Varies: the scheme, and the number of servers behind the first: with a session each looks it up, with a JWT each
//! checks the signature, with the hybrid the first looks the session up and the others check a short-lived JWT. Holds:
//! the request (`GET /chain`), the carrier, the rate of Poisson arrivals, which is low enough that requests do not
//! queue, the connections, and that no session's idle limit is extended.
//!
//! Every scheme has two chains of servers. In one there is no network delay; in the other there is a delay proxy
//! between each server and the next, including the edge and the server behind it, and one between all of them and the
//! store, so that every remote call takes a round trip, as in a data centre.
//!
//! Measures response times at that rate in both chains, and in the first one the CPU time of all servers and the store
//! per request in small closed loops. The control crosses as many servers without authentication: the difference
//! between the slope of a scheme and that of the control is the scheme's cost per hop.
//!
//! Every hop is a separate process; those of all schemes run from the start. Limitations: they share the server's
//! processors, so that the hops of a request come one after another as in production, but with warmer caches. The
//! servers behind an edge have its key from a file, and fetch no key set. Only representative schemes are measured,
//! because each needs a chain of servers.

mod parameters;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use contract::{Scheme, Touch};
use engine::plan::{Mix, Plan};
use engine::record::{FanoutExperiment, Hops, Load, RoundAt};
use lab::proxy::{DelayProxy, Link};
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunConfig, RunContext};
use crate::servers::{self, ServerUnderTest};
use crate::{Run, blocks};

pub use parameters::FanoutParameters;

/// The scheme of the servers behind an edge.
const INNER: &str = "jwt-eddsa";

impl Run for FanoutExperiment {
    type Parameters = FanoutParameters;

    fn parameters(profile: Profile) -> FanoutParameters {
        FanoutParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &FanoutParameters) -> Result<(), ExperimentError> {
        context.config.stores.values().try_for_each(Store::clear)?;
        let schemes = chosen(context, parameters)?;
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let (mut servers, mut visits) = (Vec::new(), Vec::new());
        for scheme in schemes {
            let key = lab::keys::make(scheme, folder.path());
            let key = key.map_err(|source| ExperimentError::Key { scheme, source })?;
            for link_rtt_us in [0, parameters.link_rtt_us] {
                let Some(links) = ChainLinks::of(context, scheme, link_rtt_us)? else { continue };
                visits.extend(
                    visits_of_chain(parameters, link_rtt_us).into_iter().map(|(at, load)| (servers.len(), at, load)),
                );
                servers.push(start_chain(context, scheme, parameters, key.clone(), links)?);
            }
        }
        for turn in blocks::begin(context, "fanout", &visits, parameters.blocks) {
            let (index, at, load) = turn.item;
            let under_test = &mut servers[index];
            context.step(&step_label(under_test, at, load))?;
            let plan = plan(context.config, parameters, turn.block, at, load);
            let round = turn.visit(load).make(context, under_test, &plan)?;
            context.journal.measured(|fanout: &mut FanoutExperiment| fanout.rounds.push(RoundAt { at, round }))?;
        }
        Ok(())
    }
}

/// Returns the schemes of the run that are measured; records the others as left out.
fn chosen(context: &mut RunContext<'_>, parameters: &FanoutParameters) -> Result<Vec<Scheme>, ExperimentError> {
    let (chosen, others): (Vec<Scheme>, Vec<Scheme>) =
        context.config.schemes.iter().partition(|scheme| parameters.schemes.contains(scheme));
    if !others.is_empty() {
        let ids: Vec<&str> = others.into_iter().map(Scheme::id).collect();
        let stand_in: Vec<&str> = parameters.schemes.iter().copied().map(Scheme::id).collect();
        let reason = format!(
            "each scheme needs a chain of servers, so only representative schemes are measured: {}",
            stand_in.join(", ")
        );
        context.journal.omit(&format!("fanout of {}", ids.join(", ")), &reason)?;
    }
    Ok(chosen)
}

/// The delay proxies of a chain: between its servers, and between them and their store.
struct ChainLinks {
    /// Round-trip time, in microseconds; 0 without proxies.
    rtt_us: u32,
    /// The proxy in front of the store, if it is a separate process.
    store: Option<DelayProxy>,
    /// The proxies in front of each server but the first, from the last of the chain on.
    servers: Vec<DelayProxy>,
}

impl ChainLinks {
    /// Returns none if no proxy is possible in front of the store.
    fn of(context: &mut RunContext<'_>, scheme: Scheme, rtt_us: u32) -> Result<Option<Self>, ExperimentError> {
        let mut links = Self { rtt_us, store: None, servers: Vec::new() };
        let Some(store) = context.config.store(scheme).filter(|_| rtt_us > 0) else { return Ok(Some(links)) };
        let Some(address) = store.address() else {
            let reason = "a delay proxy needs a store that this run started at a single address; this store is external or \
                          redirects its clients to other addresses";
            context.journal.omit(&format!("fanout of {scheme} with network delay between servers"), reason)?;
            return Ok(None);
        };
        links.store = links.start_proxy(context, address)?;
        Ok(Some(links))
    }

    /// Starts a proxy to this address; none without network delay.
    fn start_proxy(
        &self,
        context: &RunContext<'_>,
        address: SocketAddr,
    ) -> Result<Option<DelayProxy>, ExperimentError> {
        let link = Link::of_round_trip(Duration::from_micros(u64::from(self.rtt_us)));
        let start = || DelayProxy::start(address, link, &context.config.placement.generator_cpus, context.config.seed);
        let proxy = (self.rtt_us > 0).then(start).transpose();
        proxy.map_err(|source| ExperimentError::Proxy { source })
    }

    /// Returns the URL of this server, through a proxy if there is one.
    fn url(&mut self, context: &RunContext<'_>, server: &Server) -> Result<String, ExperimentError> {
        let Some(proxy) = self.start_proxy(context, server.address())? else { return Ok(server.base_url()) };
        let url = format!("http://{}", proxy.address());
        self.servers.push(proxy);
        Ok(url)
    }
}

/// Starts a chain: a server with as many behind it as the greatest number of hops, each of which forwards to the next.
fn start_chain<'a>(
    context: &mut RunContext<'a>,
    scheme: Scheme,
    parameters: &FanoutParameters,
    key: Key,
    mut links: ChainLinks,
) -> Result<ServerUnderTest<'a>, ExperimentError> {
    let store = context.config.store(scheme);
    let (inner, inner_store, inner_key) = behind(scheme, store, key.clone());
    let inner_url = inner_store.zip(links.store.as_ref()).map(|(store, link)| store.url_through(link.address()));
    let (mut servers, mut next) = (Vec::new(), None);
    let hops = parameters.hops.iter().copied().max().unwrap_or(0);
    for number in (2..=hops + 1).rev() {
        context.check_can_continue()?;
        let spec = spec(context, inner, inner_store, inner_key.clone(), next, number)?;
        let store_url = inner_url.clone().or(spec.store_url);
        let log = context.log(&format!("{scheme}-hop-{}", number - 1));
        let server = Server::start(&ServerSpec { store_url, log, ..spec })?;
        next = Some(links.url(context, &server)?);
        servers.push(server);
    }
    let spec = spec(context, scheme, store, key, next, 1)?;
    let mut under_test = servers::start_one(context, &spec, store, links.store, parameters.population)?;
    (under_test.behind, under_test.between) = (servers, links.servers);
    Ok(under_test)
}

type Key = Option<(&'static str, PathBuf)>;

/// Returns the scheme, store and key of the servers behind the first: the same, or behind an edge those that trust its
/// signature.
fn behind(scheme: Scheme, store: Option<&Store>, key: Key) -> (Scheme, Option<&Store>, Key) {
    if scheme.binary() != "edge-server" {
        return (scheme, store, key);
    }
    let inner = Scheme::all().find(|scheme| scheme.id() == INNER).expect("the table has it");
    (inner, None, key.map(|(_, path)| ("AUTHBENCH_KEY_FILE", path)))
}

fn spec(
    context: &RunContext<'_>,
    scheme: Scheme,
    store: Option<&Store>,
    key: Key,
    next: Option<String>,
    number: u32,
) -> Result<ServerSpec, ExperimentError> {
    let flags = next.map(|next| ("--next-hop", next)).into_iter().collect();
    // Extending a session's idle limit would be an occasional additional command.
    Ok(ServerSpec { touch: Touch::Never, node: format!("node-{number}"), key, flags, ..context.spec(scheme, store)? })
}

/// Returns the visits of a chain in each block. With network delay there are no saturated ones: the proxies would be
/// saturated first.
fn visits_of_chain(parameters: &FanoutParameters, link_rtt_us: u32) -> Vec<(Hops, Load)> {
    let at_rate = |rate_rps| Load::EqualRate { rate_rps };
    let loads = if link_rtt_us == 0 {
        vec![at_rate(parameters.rate_rps), Load::Saturated]
    } else {
        vec![at_rate(parameters.delayed_rps)]
    };
    let over = |&hops: &u32| loads.iter().map(move |&load| (Hops { hops, link_rtt_us }, load));
    parameters.hops.iter().flat_map(over).collect()
}

fn step_label(under_test: &ServerUnderTest<'_>, Hops { hops, link_rtt_us }: Hops, load: Load) -> String {
    match load.equal_rate_rps() {
        Some(rate_rps) => {
            format!("{}, {hops} hops of {link_rtt_us} us, {rate_rps:.0} requests/s", under_test.scheme)
        }
        None => format!("{}, {hops} hops, saturated", under_test.scheme),
    }
}

fn plan(config: &RunConfig, parameters: &FanoutParameters, block: u32, at: Hops, load: Load) -> Plan {
    let (duration_s, connections) = match load {
        Load::Saturated => (parameters.saturated_s, parameters.saturated_connections),
        _ if at.link_rtt_us == 0 => (parameters.round_s, parameters.connections),
        _ => (parameters.delayed_s, parameters.connections),
    };
    let size = RoundSize { duration_s, connections, population: parameters.population };
    let plan = size.plan(config, block, load.equal_rate_rps());
    Plan { mix: Mix::Chain { hops: at.hops }, interval_s: plan.interval_s.max(0.01), ..plan }
}
