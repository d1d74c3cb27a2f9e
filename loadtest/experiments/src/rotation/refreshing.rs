//! A scheme with refresh tokens, and the store of its families.

use contract::{Carrier, EarlyEnd, Kind, Scheme, StoreKind};
use lab::child::Bounds;
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::bench::{Bench, ExperimentError};
use crate::own_store::OwnStore;

/// The scheme for races and bursts, with its store.
pub(super) struct Refreshing<'a> {
    pub(super) scheme: Scheme,
    store: OwnStore<'a>,
}

impl<'a> Refreshing<'a> {
    /// Returns the first compared scheme with refresh tokens, or the variant of the first signature scheme that has
    /// them. Returns none, with a note in the record, if there is neither or Redis is not installed.
    pub(super) fn of(bench: &mut Bench<'a>) -> Result<Option<Self>, ExperimentError> {
        let Some(scheme) = chosen(&bench.setting.schemes) else {
            bench.journal.omit(WHAT, "none of the compared schemes signs tokens; add one such as jwt-hs256-refresh")?;
            return Ok(None);
        };
        match store(bench) {
            Ok(store) => Ok(Some(Self { scheme, store })),
            Err(ExperimentError::Store(error)) if error.is_missing() => {
                bench.journal.omit(WHAT, &error.to_string())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts a server with these additional flags. It is not described in the record: it need not be among the
    /// compared schemes.
    pub(super) fn start(
        &self,
        bench: &Bench<'_>,
        flags: Vec<(&'static str, String)>,
    ) -> Result<Server, ExperimentError> {
        bench.go_on()?;
        let spec = bench.spec(self.scheme, self.store.store())?;
        let log = bench.log(&format!("{}-rotation", self.scheme));
        Ok(Server::start(&ServerSpec { carrier: Carrier::Bearer, flags, log, ..spec })?)
    }

    /// Fails if server or store has exited.
    pub(super) fn check(&self, server: &Server) -> Result<(), ExperimentError> {
        server.process().check()?;
        Ok(self.store.store().map_or(Ok(()), Store::check)?)
    }
}

const WHAT: &str = "rotation: races and bursts of refresh tokens";

/// Returns a separate Redis, whether or not the compared schemes need one; or the external one.
fn store<'a>(bench: &mut Bench<'a>) -> Result<OwnStore<'a>, ExperimentError> {
    let bounds = Bounds::on(&bench.setting.placement.store_cpus);
    if bench.setting.stores.contains_key(&StoreKind::Redis) {
        return OwnStore::fresh(bench, StoreKind::Redis, "rotation", &bounds);
    }
    let store = OwnStore::private(bench, StoreKind::Redis, "rotation", &bounds)?;
    if let Some((name, version)) = store.store().map(Store::software) {
        let version = version.to_owned();
        bench.journal.software(name, &version);
    }
    Ok(store)
}

fn chosen(schemes: &[Scheme]) -> Option<Scheme> {
    let refreshes = |scheme: &&Scheme| scheme.kind().early_end() == Some(EarlyEnd::Refresh);
    schemes.iter().find(refreshes).copied().or_else(|| schemes.iter().find_map(|scheme| variant(*scheme)))
}

/// Returns the scheme with the same signature algorithm and refresh tokens.
fn variant(scheme: Scheme) -> Option<Scheme> {
    let algorithm = scheme.kind().algorithm()?;
    Scheme::of_kind(Kind::Token { algorithm, early_end: EarlyEnd::Refresh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_with_refresh_tokens_is_preferred_to_a_variant() {
        let of = |ids: &[&str]| {
            let schemes: Vec<Scheme> = ids.iter().map(|id| id.parse().unwrap()).collect();
            chosen(&schemes).map(Scheme::id)
        };
        assert_eq!(of(&["jwt-hs256", "jwt-rs256-refresh"]), Some("jwt-rs256-refresh"));
        assert_eq!(of(&["anonymous", "session-redis", "jwt-es256-push", "jwt-hs256"]), Some("jwt-es256-refresh"));
        assert_eq!(of(&["anonymous", "session-redis", "cookie-sealed", "hybrid"]), None);
    }
}
