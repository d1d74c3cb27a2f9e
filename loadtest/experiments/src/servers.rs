//! The servers under test: one running server per scheme, with credentials to load it with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::Scheme;
use driver::{Credentials, Target};
use engine::plan::Plan;
use lab::http::Client;
use lab::proxy::{DelayProxy, Link};
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::links::Links;
use crate::run_context::{ExperimentError, RunConfig, RunContext};

/// A server that is ready to be loaded.
pub(crate) struct ServerUnderTest<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) server: Server,
    /// Servers behind it, to which it forwards requests.
    pub(crate) behind: Vec<Server>,
    pub(crate) store: Option<&'a Store>,
    pub(crate) target: Target,
    /// Delay proxies between the servers; empty without network delay.
    pub(crate) between: Vec<DelayProxy>,
    /// The delay proxy between server and store; none for a local store.
    proxy: Option<DelayProxy>,
    population: u32,
    minted_at: Instant,
}

impl<'a> ServerUnderTest<'a> {
    /// Returns a started server with this number of credentials.
    pub(crate) fn of(
        config: &RunConfig,
        server: Server,
        scheme: Scheme,
        store: Option<&'a Store>,
        proxy: Option<DelayProxy>,
        population: u32,
    ) -> Result<Self, ExperimentError> {
        let minted_at = Instant::now();
        let credentials = mint_credentials(config, scheme, &server.client(), population)?;
        let target = Target::one(server.base_url(), credentials, config.carrier);
        Ok(Self {
            scheme,
            server,
            behind: Vec::new(),
            between: Vec::new(),
            store,
            target,
            proxy,
            population,
            minted_at,
        })
    }

    /// Returns the servers that its requests cross.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.server).chain(&self.behind)
    }

    /// Sets the round-trip time to the store, in microseconds, if there is a delay proxy.
    pub(crate) fn set_store_rtt(&self, rtt_us: u32) {
        if let Some(proxy) = &self.proxy {
            proxy.set_link(Link::of_round_trip(Duration::from_micros(u64::from(rtt_us))));
        }
    }

    /// Returns its delay proxies, with new counters.
    pub(crate) fn links(&self) -> Links<'_> {
        Links::of(self.proxy.as_ref(), &self.between)
    }

    /// Mints new credentials if more than half of their lifetime would be over at the end of such a round: a run may
    /// last longer than a token.
    pub(crate) fn renew(&mut self, context: &RunContext<'_>, plan: &Plan) -> Result<(), ExperimentError> {
        let age = self.minted_at.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if self.server.descriptor().credential_ttl_s.is_some_and(|ttl_s| is_past_half_life(age, ttl_s)) {
            self.mint_credentials(context)?;
        }
        Ok(())
    }

    /// Moves the server's clock forward until its credentials have expired, returns them, and mints new ones. Returns
    /// none for a scheme whose credentials do not expire.
    pub(crate) fn expire_credentials(
        &mut self,
        context: &RunContext<'_>,
    ) -> Result<Option<Arc<Credentials>>, ExperimentError> {
        let described = self.server.descriptor();
        let Some(ttl_s) = described.credential_ttl_s else { return Ok(None) };
        self.server.client().advance_clock(ttl_s + described.leeway_s.unwrap_or(0) + 1)?;
        let expired = Arc::clone(&self.target.nodes[0].credentials);
        self.mint_credentials(context)?;
        Ok(Some(expired))
    }

    fn mint_credentials(&mut self, context: &RunContext<'_>) -> Result<(), ExperimentError> {
        self.minted_at = Instant::now();
        self.target.nodes[0].credentials =
            mint_credentials(context.config, self.scheme, &self.server.client(), self.population)?;
        Ok(())
    }
}

/// Returns whether a credential of this age has reached half of its lifetime.
pub(crate) fn is_past_half_life(age: Duration, ttl_s: u64) -> bool {
    age > Duration::from_secs(ttl_s) / 2
}

/// Starts a new server for every scheme, over empty stores.
pub(crate) fn start_all<'a>(
    context: &mut RunContext<'a>,
    population: u32,
) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let config = context.config;
    config.stores.values().try_for_each(Store::clear)?;
    let local = |&scheme: &Scheme| {
        let spec = context.spec(scheme, config.store(scheme))?;
        start_one(context, &spec, config.store(scheme), None, population)
    };
    config.schemes.iter().map(local).collect()
}

/// Stops these servers, and starts a new server for every scheme, over empty stores.
pub(crate) fn restart_all<'a>(
    context: &mut RunContext<'a>,
    servers: &mut Vec<ServerUnderTest<'a>>,
    population: u32,
) -> Result<(), ExperimentError> {
    servers.clear();
    *servers = start_all(context, population)?;
    Ok(())
}

/// Starts a server over this store, behind the proxy if there is one, and mints credentials for it.
pub(crate) fn start_one<'a>(
    context: &mut RunContext<'_>,
    spec: &ServerSpec,
    store: Option<&'a Store>,
    proxy: Option<DelayProxy>,
    population: u32,
) -> Result<ServerUnderTest<'a>, ExperimentError> {
    let proxied_url = store.zip(proxy.as_ref()).map(|(store, proxy)| store.url_through(proxy.address()));
    let spec = ServerSpec { store_url: proxied_url.or_else(|| spec.store_url.clone()), ..spec.clone() };
    let server = context.start(&spec)?;
    ServerUnderTest::of(context.config, server, spec.scheme, store, proxy, population)
}

/// Credentials minted between two checks for an interruption.
const BATCH: u32 = 2_000;

pub(crate) fn mint_credentials(
    config: &RunConfig,
    scheme: Scheme,
    client: &Client,
    population: u32,
) -> Result<Arc<Credentials>, ExperimentError> {
    let mut minted = Vec::with_capacity(population as usize);
    for first in (0..population).step_by(BATCH as usize) {
        config.check_can_continue()?;
        minted.extend(client.mint(BATCH.min(population - first), first)?);
    }
    let credentials = Credentials::new(minted);
    Ok(Arc::new(credentials.map_err(|source| ExperimentError::Credentials { scheme, source })?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_at_half_of_their_life() {
        assert!(!is_past_half_life(Duration::from_secs(150), 300));
        assert!(is_past_half_life(Duration::from_millis(150_001), 300));
        assert!(is_past_half_life(Duration::from_secs(1), 0), "a credential that expires at once is always old");
    }
}
