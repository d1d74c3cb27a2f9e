//! `reject`: what does refusing garbage cost against accepting what is good?
//!
//! Varies: the scheme, and what is wrong with a request: no credential, one that is malformed, forged or expired, and one
//! as long as the servers read them. Holds: the route (`GET /me`), the carrier, the users of a closed loop without
//! pauses, the processors of each part.
//!
//! Measures CPU time of server and store a request, good requests once in every block and each kind of garbage beside them; the
//! report subtracts accepting inside the block. Every request of a round has to be refused with the status that the contract
//! has for it: a round in which any other comes is invalid. Forged credentials are those that the server handed out, with a
//! character of the session id or of the signature exchanged; expired ones have outlived their time by the server's clock, which
//! is put forward.
//!
//! A header that is longer than the server reads one is refused before anybody asks for a credential, with 431, and the
//! connection is closed. It is tried on the control alone, for the scheme has no part in it; a new connection for each request
//! is in its price, because whoever sends such headers has to open them.
//!
//! Weak: an expired session still lies in the store, since the store's clock is not put forward; elsewhere the store has
//! forgotten it, and it is like one that is not known. A long header travels over loopback, where copying it is all that it
//! takes. And see `cost`.

mod garbage;

use driver::Target;
use engine::plan::{Arrivals, Plan, Population};
use engine::record::{Garbage, Level};

use crate::bench::{Bench, ExperimentError};
use crate::fleet::{self, ServerUnderTest};
use crate::journal::Rounds;
use crate::order::shuffled;
use crate::profile::RejectParameters;
use crate::visit::Visit;

/// A server, and what it has to refuse.
struct Besieged<'a> {
    station: ServerUnderTest<'a>,
    garbage: Vec<(Garbage, Target)>,
}

/// Runs the experiment.
pub fn run(bench: &mut Bench<'_>, parameters: &RejectParameters) -> Result<(), ExperimentError> {
    let mut servers = Vec::new();
    for mut station in fleet::start(bench, parameters.population)? {
        let garbage = garbage::against(bench, &mut station, parameters.population)?;
        servers.push(Besieged { station, garbage });
    }
    let visits: Vec<(usize, Option<usize>)> = servers
        .iter()
        .enumerate()
        .flat_map(|(index, server)| {
            let kinds = (0..server.garbage.len()).map(Some);
            [None].into_iter().chain(kinds).map(move |kind| (index, kind))
        })
        .collect();
    bench.progress.begin("reject", u64::from(parameters.blocks) * visits.len() as u64);
    for block in 0..parameters.blocks {
        let in_order = shuffled(&visits, bench.setting.seed, block);
        for (position, (index, kind)) in in_order.into_iter().enumerate() {
            visit(bench, &mut servers[index], parameters, kind, (block, position))?;
        }
    }
    Ok(())
}

/// Good requests, or one kind of garbage.
fn visit(
    bench: &mut Bench<'_>,
    server: &mut Besieged<'_>,
    parameters: &RejectParameters,
    kind: Option<usize>,
    (block, position): (u32, usize),
) -> Result<(), ExperimentError> {
    let good = plan(parameters, bench.setting.seed + u64::from(block));
    let Besieged { station, garbage } = server;
    let Some((garbage, target)) = kind.and_then(|kind| garbage.get(kind)) else {
        bench.step(&format!("{}, good requests", station.scheme))?;
        let visit = Visit { experiment: Rounds::Reject, block, position, level: Level::Saturated };
        return visit.make(bench, station, &good);
    };
    bench.step(&format!("{}, {}", station.scheme, evidence::garbage_name(*garbage)))?;
    let plan = Plan { expected_status: garbage::status(*garbage), ..good };
    let level = Level::Refused { garbage: *garbage };
    Visit { experiment: Rounds::Reject, block, position, level }.load(bench, station, target, &plan)
}

/// As many requests as the connections can carry.
fn plan(parameters: &RejectParameters, seed: u64) -> Plan {
    Plan {
        seed,
        connections: parameters.connections,
        population: Population { size: parameters.population, ..Population::default() },
        interval_s: parameters.round_s / 10.0,
        ..Plan::new(Arrivals::Closed, parameters.round_s)
    }
}
