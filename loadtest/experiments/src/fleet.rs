//! One running server a scheme, with credentials to load it with.

use std::sync::Arc;

use contract::Scheme;
use driver::{Credentials, Target};
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
    let credentials = mint(bench, scheme, &server.client(), population)?;
    let target = Target { base_url: server.base_url(), credentials, carrier: bench.setting.carrier };
    Ok(Station { scheme, server, store, target })
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
