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
use engine::plan::Plan;
use engine::record::{Garbage, GarbageSent, Load, RejectExperiment, RoundAt};

use crate::bench::{Bench, ExperimentError};
use crate::blocks::Turn;
use crate::fleet::{self, ServerUnderTest};
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::{Run, blocks};

/// The parameters of the experiment `reject`.
#[derive(Clone, Debug)]
pub struct RejectParameters {
    /// How often every scheme is visited with every kind of garbage.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Different credentials of each kind.
    pub population: u32,
}

/// A server, and what it has to refuse.
struct Besieged<'a> {
    station: ServerUnderTest<'a>,
    garbage: Vec<(Garbage, Target)>,
}

impl Run for RejectExperiment {
    type Parameters = RejectParameters;

    fn parameters(profile: Profile) -> RejectParameters {
        RejectParameters {
            blocks: profile.pick(8, 6, 6),
            round_s: profile.pick(0.3, 0.1, 0.2),
            connections: 32,
            population: 500,
        }
    }

    fn run(bench: &mut Bench<'_>, parameters: &RejectParameters) -> Result<(), ExperimentError> {
        let mut servers = Vec::new();
        for mut station in fleet::start(bench, parameters.population)? {
            let garbage = garbage::against(bench, &mut station, parameters.population)?;
            servers.push(Besieged { station, garbage });
        }
        for turn in blocks::begin(bench, "reject", &visits(&servers), parameters.blocks) {
            visit(bench, &mut servers[turn.item.0], parameters, turn)?;
        }
        Ok(())
    }
}

/// What is visited in each block: a server by its index, and a kind of garbage by its index; none for good requests.
fn visits(servers: &[Besieged<'_>]) -> Vec<(usize, Option<usize>)> {
    let kinds = |server: &Besieged<'_>| [None].into_iter().chain((0..server.garbage.len()).map(Some));
    servers.iter().enumerate().flat_map(|(index, server)| kinds(server).map(move |kind| (index, kind))).collect()
}

/// Sends good requests, or one kind of garbage.
fn visit(
    bench: &mut Bench<'_>,
    server: &mut Besieged<'_>,
    parameters: &RejectParameters,
    turn: Turn<(usize, Option<usize>)>,
) -> Result<(), ExperimentError> {
    let good = plan(bench, parameters, turn.block);
    let Besieged { station, garbage } = server;
    let visit = turn.visit(Load::Saturated);
    let (garbage, round) = match turn.item.1.and_then(|kind| garbage.get(kind)) {
        None => {
            bench.step(&format!("{}, valid credentials", station.scheme))?;
            (None, visit.make(bench, station, &good)?)
        }
        Some((garbage, target)) => {
            bench.step(&format!("{}, {garbage}", station.scheme))?;
            let plan = Plan { expected_status: garbage::status(*garbage), ..good };
            (Some(*garbage), visit.load(bench, station, target, &plan)?)
        }
    };
    let round = RoundAt { at: GarbageSent { garbage }, round };
    bench.journal.measured(|reject: &mut RejectExperiment| reject.rounds.push(round))?;
    Ok(())
}

/// As many requests as the connections can carry, recorded in half as many intervals as elsewhere.
fn plan(bench: &Bench<'_>, parameters: &RejectParameters, block: u32) -> Plan {
    let RejectParameters { round_s: duration_s, connections, population, .. } = *parameters;
    let plan = RoundSize { duration_s, connections, population }.plan(bench.setting, block, None);
    Plan { interval_s: duration_s / 10.0, ..plan }
}
