//! A scheme with refresh tokens, and the store of its families.

use contract::{Carrier, EarlyRevocation, Kind, Scheme, StoreKind};
use lab::child::Bounds;
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::experiment_store::ExperimentStore;
use crate::run_context::{ExperimentError, RunContext};

/// The scheme for races and bursts, with its store.
pub(super) struct Refreshing<'a> {
    pub(super) scheme: Scheme,
    store: ExperimentStore<'a>,
}

impl<'a> Refreshing<'a> {
    /// Returns the first compared scheme with refresh tokens, or the variant of the first signature scheme that has
    /// them. Returns none, with a note in the record, if there is neither or Redis is not installed.
    pub(super) fn of(context: &mut RunContext<'a>) -> Result<Option<Self>, ExperimentError> {
        let Some(scheme) = chosen(&context.config.schemes) else {
            context
                .journal
                .omit(WHAT, "none of the compared schemes signs tokens; add one such as jwt-hs256-refresh")?;
            return Ok(None);
        };
        match store(context) {
            Ok(store) => Ok(Some(Self { scheme, store })),
            Err(ExperimentError::Store(error)) if error.is_missing() => {
                context.journal.omit(WHAT, &error.to_string())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts a server with these additional flags. It is not described in the record: it need not be among the
    /// compared schemes.
    pub(super) fn start(
        &self,
        context: &RunContext<'_>,
        flags: Vec<(&'static str, String)>,
    ) -> Result<Server, ExperimentError> {
        context.check_can_continue()?;
        let spec = context.spec(self.scheme, self.store.store())?;
        let log = context.log(&format!("{}-rotation", self.scheme));
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
fn store<'a>(context: &mut RunContext<'a>) -> Result<ExperimentStore<'a>, ExperimentError> {
    let bounds = Bounds::on(&context.config.placement.store_cpus);
    if context.config.stores.contains_key(&StoreKind::Redis) {
        return ExperimentStore::start_empty(context, StoreKind::Redis, "rotation", &bounds);
    }
    let store = ExperimentStore::start_private(context, StoreKind::Redis, "rotation", &bounds)?;
    if let Some((name, version)) = store.store().map(Store::software) {
        let version = version.to_owned();
        context.journal.software(name, &version);
    }
    Ok(store)
}

fn chosen(schemes: &[Scheme]) -> Option<Scheme> {
    let refreshes = |scheme: &&Scheme| scheme.kind().early_revocation() == Some(EarlyRevocation::Refresh);
    schemes.iter().find(refreshes).copied().or_else(|| schemes.iter().find_map(|scheme| variant(*scheme)))
}

/// Returns the scheme with the same signature algorithm and refresh tokens.
fn variant(scheme: Scheme) -> Option<Scheme> {
    let algorithm = scheme.kind().algorithm()?;
    Scheme::of_kind(Kind::Token { algorithm, early_revocation: EarlyRevocation::Refresh })
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
