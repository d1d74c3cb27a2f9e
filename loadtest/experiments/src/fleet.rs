//! One running server a scheme, with credentials to load it with.

use std::sync::Arc;

use contract::{Scheme, StoreKind};
use driver::{Credentials, Target};
use lab::http::Client;
use lab::redis::Redis;
use lab::server::Server;

use crate::bench::{Bench, ExperimentError};

/// A server that is ready to be loaded.
pub(crate) struct Station<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) server: Server,
    pub(crate) redis: Option<&'a Redis>,
    pub(crate) target: Target,
}

/// Starts every scheme's server anew, over an empty store.
pub(crate) fn start<'a>(bench: &mut Bench<'a>, population: u32) -> Result<Vec<Station<'a>>, ExperimentError> {
    let setting = bench.setting;
    if let Some(redis) = &setting.redis {
        redis.clear()?;
    }
    setting.schemes.iter().map(|&scheme| station(bench, scheme, setting.redis.as_ref(), population)).collect()
}

fn station<'a>(
    bench: &mut Bench<'_>,
    scheme: Scheme,
    redis: Option<&'a Redis>,
    population: u32,
) -> Result<Station<'a>, ExperimentError> {
    let redis = redis.filter(|_| scheme.store() == StoreKind::Redis);
    let server = bench.start(&bench.spec(scheme, redis)?)?;
    let credentials = mint(bench, scheme, &server.client(), population)?;
    let target = Target { base_url: server.base_url(), credentials, carrier: bench.setting.carrier };
    Ok(Station { scheme, server, redis, target })
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
