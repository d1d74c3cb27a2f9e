//! A login burst: logins by several clients, as many as the server responds to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use engine::plan::Mix;
use tokio::task::JoinSet;

use crate::client::client;
use crate::exchange::{Addresses, contains_username, exchange};
use crate::{DriveError, Node};

/// How long a client waits before it tries a target again that has failed it.
const RETRY: Duration = Duration::from_millis(10);

/// A login burst.
#[derive(Clone, Copy, Debug)]
pub struct LoginBurst {
    /// Clients, each on a connection of its own.
    pub clients: u32,
    /// Whether each client logs in again after each response, until the burst is stopped; else once.
    pub repeat: bool,
    /// The number of the first user; every login is that of the next one.
    pub first_user: u32,
    /// How many users there are; after the last comes the first.
    pub users: u32,
    /// How long one may take before it counts as failed.
    pub timeout: Duration,
}

/// The result of a login burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logins {
    /// Responses with 200 and the correct user.
    pub answered: u64,
    /// Other responses and failures, by kind.
    pub failed: BTreeMap<String, u64>,
    /// From the first login to the last response.
    pub took: Duration,
}

/// What all clients share.
struct Shared {
    burst: LoginBurst,
    addresses: Addresses,
    next: AtomicU32,
    stop: Arc<AtomicBool>,
}

pub(crate) fn run(node: &Node, burst: LoginBurst, stop: &Arc<AtomicBool>) -> Result<Logins, DriveError> {
    let addresses = Addresses::of(node, Mix::Reads)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let begun = Instant::now();
        let shared = Arc::new(Shared { burst, addresses, next: AtomicU32::new(0), stop: stop.clone() });
        let mut clients = JoinSet::new();
        for _ in 0..burst.clients {
            clients.spawn(log_in(shared.clone()));
        }
        let mut logins = Logins { answered: 0, failed: BTreeMap::new(), took: Duration::ZERO };
        for of_client in clients.join_all().await {
            let of_client = of_client?;
            logins.answered += of_client.answered;
            for (kind, count) in of_client.failed {
                *logins.failed.entry(kind).or_default() += count;
            }
        }
        logins.took = begun.elapsed();
        Ok(logins)
    })
}

/// One client, until the burst ends.
async fn log_in(shared: Arc<Shared>) -> Result<Logins, DriveError> {
    let Shared { burst, addresses, next, stop } = &*shared;
    let client = client(burst.timeout)?;
    let mut logins = Logins { answered: 0, failed: BTreeMap::new(), took: Duration::ZERO };
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let number = burst.first_user.wrapping_add(place) % burst.users.max(1);
        let username = contract::user::username(number);
        let exchange = exchange(&client, addresses.login(&username), 200).await;
        let failure = match exchange.response {
            Ok(response) if contains_username(&response.body, &username) => None,
            Ok(_) => Some("response for another user".to_owned()),
            Err(kind) => Some(kind),
        };
        match failure {
            None => logins.answered += 1,
            Some(kind) => {
                *logins.failed.entry(kind).or_default() += 1;
                tokio::time::sleep_until((Instant::now() + RETRY).into()).await;
            }
        }
        if stop.load(Ordering::Relaxed) || !burst.repeat {
            return Ok(logins);
        }
    }
}
