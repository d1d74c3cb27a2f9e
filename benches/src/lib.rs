//! What the benches of this folder share: one fixture a scheme, proved good before anything is timed.
//!
//! A bench is an operation over every scheme: it implements [`Operation`] and hands itself to [`every_scheme`].

mod fixture;

use chassis::auth::Authenticator;
use chassis::module::{AuthModule, Start};
use contract::{Scheme, StoreKind, Touch, user};
use lab::redis::{Redis, StoreError};
use lab::scratch::Scratch;
use tokio::runtime::Builder;

pub use fixture::Fixture;

// The control is a program without a library, so its auth module is taken from where it stands.
#[path = "../../servers/anonymous/src/control.rs"]
mod control;

/// A day: nothing expires while it is measured.
const TTL_S: u64 = 24 * 3600;

/// What is measured of a scheme.
pub trait Operation {
    /// Measures it with this fixture.
    fn measure<A: Authenticator>(&mut self, fixture: &Fixture<A>);
}

/// Measures every scheme in the table's order. Schemes that need Redis get a private one, and are left out, with a
/// word on stderr, on a machine that has none.
pub fn every_scheme(operation: &mut impl Operation) {
    let _ = Scratch::reclaim();
    let folder = Scratch::new().unwrap_or_else(|error| panic!("{error}"));
    for scheme in Scheme::all() {
        let redis = || Redis::start(folder.path(), &folder.path().join("redis.log"), &[]);
        match (scheme.store() == StoreKind::Redis).then(redis).transpose() {
            Ok(redis) => measure_scheme(operation, scheme, redis.as_ref()),
            Err(missing @ StoreError::Missing) => eprintln!("\nLEFT OUT: {scheme}: {missing}\n"),
            Err(error) => panic!("{scheme}: {error}"),
        }
    }
}

fn measure_scheme(operation: &mut impl Operation, scheme: Scheme, redis: Option<&Redis>) {
    match scheme.binary() {
        "anonymous-server" => measure::<control::Module>(operation, scheme, redis),
        "session-server" => measure::<session::Session>(operation, scheme, redis),
        "jwt-server" => measure::<jwt::Jwt>(operation, scheme, redis),
        other => panic!("{scheme} is a scheme of {other}, which the benches do not know"),
    }
}

fn measure<M: AuthModule>(operation: &mut impl Operation, scheme: Scheme, redis: Option<&Redis>) {
    // One thread, as a server with one worker has: what the driver of a connection does is in the figures.
    let runtime = Builder::new_current_thread().enable_all().build().expect("the system gives a runtime its handles");
    let authenticator = runtime.block_on(authenticator::<M>(scheme, redis));
    operation.measure(&Fixture::prove(scheme, authenticator, &runtime, redis));
}

async fn authenticator<M: AuthModule>(scheme: Scheme, redis: Option<&Redis>) -> M::Authenticator {
    let start = Start {
        scheme,
        redis_url: redis.map(|redis| redis.url().to_owned()),
        key_prefix: "authbench:".to_owned(),
        touch: Touch::default(),
        credential_ttl_s: Some(TTL_S),
        absolute_ttl_s: TTL_S,
        roles: user::DEFAULT_ROLES,
    };
    M::build(&start, M::Options::default()).await.unwrap_or_else(|error| panic!("{scheme}: {error}"))
}
