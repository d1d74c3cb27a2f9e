//! The cost of waking the client for a saturated server: the saturator that sleeps until a response arrives against the
//! one that polls, in turn.

use std::sync::Arc;

use contract::{Carrier, Scheme};
use driver::{Credentials, Target, Workers};
use engine::plan::{Arrivals, Plan, Population};
use engine::record::Load;
use experiments::{ObservedProcesses, drive_round, outside_blocks};
use lab::http::Client;

use crate::target::{Reference, pin};
use crate::{Size, check_requirement, median};

/// From the fastest check to the slowest.
const SCHEMES: [&str; 4] = ["anonymous", "jwt-hs256", "jwt-eddsa", "jwt-es256"];
/// Credentials, and connections.
const USERS: u32 = 32;
/// The limit of the CPU time with a polling client, as a multiple, because CPU time varies.
const TIMES: f64 = 1.05;

pub(crate) fn run(size: Size) -> bool {
    println!(
        "waking: CPU time of a saturated server per request (µs), with a client that sleeps between responses or polls, in turn"
    );
    println!("  {:<28} {:>12} {:>12} {:>10}", "", "sleeping", "polling", "saved");
    let (turns, seconds) = if size == Size::Full { (7, 2.0) } else { (1, 0.2) };
    let servers: Vec<_> = SCHEMES.map(|id| Reference::of(scheme(id))).into();
    pin();
    let mut largest_ratio = f64::MIN;
    for (id, reference) in SCHEMES.iter().zip(&servers) {
        let (mut sleeping, mut polling) = (vec![], vec![]);
        for _ in 0..turns {
            sleeping.push(server_us(scheme(id), reference, seconds, false));
            polling.push(server_us(scheme(id), reference, seconds, true));
        }
        let (sleeping, polling) = (median(sleeping), median(polling));
        println!("  {id:<28} {sleeping:>12.1} {polling:>12.1} {:>10.1}", sleeping - polling);
        largest_ratio = largest_ratio.max(polling / sleeping);
    }
    check_requirement("no server needs more CPU time while its client polls", largest_ratio <= TIMES)
}

fn scheme(id: &str) -> Scheme {
    id.parse().expect("it is in the table")
}

/// Returns the CPU time of the server per request, in microseconds, in a saturated round.
fn server_us(scheme: Scheme, reference: &Reference, seconds: f64, polling: bool) -> f64 {
    let base_url = reference.server.base_url();
    let minted = Client::new(&base_url).mint(USERS, 0).expect("the server mints under --bench");
    let credentials = Arc::new(Credentials::new(minted).expect("there are some"));
    let target = Target::one(base_url, credentials, Carrier::Bearer);
    let plan = Plan {
        connections: USERS,
        population: Population { size: USERS, ..Population::default() },
        interval_s: seconds / 20.0,
        ..Plan::new(Arrivals::Closed, seconds)
    };
    let place = outside_blocks(scheme.id(), Load::Saturated);
    let processes = ObservedProcesses { servers: &[reference.server.process().pid()], ..ObservedProcesses::default() };
    let workers = Workers { count: 1, dedicated_cpus: polling };
    let (round, _) =
        drive_round(&plan, &target, place, processes, workers, &Arc::default()).expect("the server is there");
    let usage = round.usage.expect("the server is on this machine");
    usage.server_cpu_ns as f64 / 1e3 / usage.requests as f64
}
