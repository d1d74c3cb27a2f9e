//! Shared code of the benches in this directory: one fixture per scheme, verified before anything is timed.
//!
//! A bench is an operation over every scheme: it implements [`Operation`] and passes itself to [`every_scheme`].

mod fixture;

use chassis::auth::Authenticator;
use chassis::module::{AuthModule, ModuleSettings};
use contract::{Carrier, Scheme, Touch, user};
use lab::child::Bounds;
use lab::scratch::Scratch;
use lab::store::Store;
use tokio::runtime::Builder;

pub use fixture::Fixture;

/// A day: nothing expires while it is measured.
const TTL_S: u64 = 24 * 3600;

/// What is measured of a scheme.
pub trait Operation {
    /// Measures it with this fixture.
    fn measure<A: Authenticator>(&mut self, fixture: &Fixture<A>);
}

/// Measures every scheme in the table's order. Schemes that need a store get a private one, and are left out, with a
/// word on stderr, on a machine that has none.
pub fn every_scheme(operation: &mut impl Operation) {
    let _ = Scratch::reclaim();
    let folder = Scratch::new().unwrap_or_else(|error| panic!("{error}"));
    for scheme in Scheme::all() {
        let scheme_folder = folder.path().join(scheme.id());
        let log = folder.path().join(format!("{scheme}.log"));
        let store = || Store::start(scheme.store(), &scheme_folder, &log, &Bounds::default());
        match scheme.store().is_external().then(store).transpose() {
            Ok(store) => measure_scheme(operation, scheme, store.as_ref()),
            Err(error) if error.is_missing() => eprintln!("\nSKIPPED: {scheme}: {error}\n"),
            Err(error) => panic!("{scheme}: {error}"),
        }
    }
}

fn measure_scheme(operation: &mut impl Operation, scheme: Scheme, store: Option<&Store>) {
    match scheme.binary() {
        "anonymous-server" => measure::<anonymous::Anonymous>(operation, scheme, store),
        "session-server" => measure::<session::Session>(operation, scheme, store),
        "jwt-server" => measure::<jwt::Jwt>(operation, scheme, store),
        "edge-server" => measure::<hybrid::Hybrid>(operation, scheme, store),
        other => panic!("{scheme} is a scheme of {other}, which the benches do not support"),
    }
}

fn measure<M: AuthModule>(operation: &mut impl Operation, scheme: Scheme, store: Option<&Store>) {
    // One thread, as a server with one worker has: what the driver of a connection does is in the figures.
    let runtime = Builder::new_current_thread().enable_all().build().expect("the system can start a runtime");
    let authenticator = runtime.block_on(authenticator::<M>(scheme, store));
    operation.measure(&Fixture::verified(scheme, authenticator, &runtime, store));
}

async fn authenticator<M: AuthModule>(scheme: Scheme, store: Option<&Store>) -> M::Authenticator {
    let url = |variable| store.map(Store::url).filter(|(name, _)| *name == variable).map(|(_, url)| url);
    let start = ModuleSettings {
        scheme,
        carrier: Carrier::default(),
        redis_url: url("AUTHBENCH_REDIS_URL"),
        postgres_url: url("AUTHBENCH_POSTGRES_URL"),
        key_prefix: "authbench:".to_owned(),
        touch: Touch::default(),
        credential_ttl_s: Some(TTL_S),
        absolute_ttl_s: TTL_S,
        roles: user::DEFAULT_ROLES,
    };
    let built = M::build(&start, M::Options::default()).await;
    built.unwrap_or_else(|error| panic!("{scheme}: {error}")).authenticator
}
