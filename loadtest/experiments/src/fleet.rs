//! One running server a scheme, with credentials to load it with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::Scheme;
use driver::{Credentials, Target};
use engine::plan::Plan;
use lab::http::Client;
use lab::server::Server;
use lab::store::Store;

use crate::bench::{Bench, ExperimentError};

/// A server that is ready to be loaded.
pub(crate) struct Station<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) server: Server,
    pub(crate) store: Option<&'a Store>,
    pub(crate) target: Target,
    population: u32,
    minted: Instant,
}

impl Station<'_> {
    /// Mints anew if by the end of such a round more than half of what the credentials live were over: a run outlasts
    /// a token.
    pub(crate) fn renew(&mut self, bench: &Bench<'_>, plan: &Plan) -> Result<(), ExperimentError> {
        let age = self.minted.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if self.server.descriptor().credential_ttl_s.is_some_and(|ttl_s| is_old(age, ttl_s)) {
            self.minted = Instant::now();
            self.target.nodes[0].credentials = mint(bench, self.scheme, &self.server.client(), self.population)?;
        }
        Ok(())
    }
}

/// Whether a credential of this age has lived half of its life.
fn is_old(age: Duration, ttl_s: u64) -> bool {
    age > Duration::from_secs(ttl_s) / 2
}

/// Starts every scheme's server anew, over empty stores.
pub(crate) fn start<'a>(bench: &mut Bench<'a>, population: u32) -> Result<Vec<Station<'a>>, ExperimentError> {
    let setting = bench.setting;
    setting.stores.values().try_for_each(Store::clear)?;
    setting.schemes.iter().map(|&scheme| station(bench, scheme, setting.store(scheme), population)).collect()
}

fn station<'a>(
    bench: &mut Bench<'_>,
    scheme: Scheme,
    store: Option<&'a Store>,
    population: u32,
) -> Result<Station<'a>, ExperimentError> {
    let server = bench.start(&bench.spec(scheme, store)?)?;
    let minted = Instant::now();
    let credentials = mint(bench, scheme, &server.client(), population)?;
    let target = Target::one(server.base_url(), credentials, bench.setting.carrier);
    Ok(Station { scheme, server, store, target, population, minted })
}

/// Credentials minted between two looks at whether the run is to end.
const BATCH: u32 = 2_000;

fn mint(
    bench: &Bench<'_>,
    scheme: Scheme,
    client: &Client,
    population: u32,
) -> Result<Arc<Credentials>, ExperimentError> {
    let mut minted = Vec::with_capacity(population as usize);
    for first in (0..population).step_by(BATCH as usize) {
        bench.go_on()?;
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
        assert!(!is_old(Duration::from_secs(150), 300));
        assert!(is_old(Duration::from_millis(150_001), 300));
        assert!(is_old(Duration::from_secs(1), 0), "what has ended at once is never young");
    }
}
