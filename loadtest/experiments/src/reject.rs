//! `reject`: what does rejecting invalid credentials cost compared with accepting valid ones?
//!
//! Varies: the scheme, and the defect of a request: no credential, one that is malformed, forged or expired, and one of
//! the greatest length that the servers read. Holds: the route (`GET /me`), the carrier, the users of a closed loop
//! without pauses, the processors of each part.
//!
//! Measures CPU time of server and store per request, for valid requests and for each kind of invalid credential once
//! in every block; the report subtracts accepting inside the block. Every request of a round has to be rejected with
//! the status of the contract: a round with any other status is invalid. Forged credentials are issued ones with one
//! character of the session id or of the signature changed; expired ones are past their lifetime by the server's clock,
//! which is moved forward.
//!
//! A header that is longer than the server's limit is rejected before any credential is read, with 431, and the
//! connection is closed. It is tested with the control alone, because the scheme is not involved; the cost includes a
//! new connection for each request, because a client that sends such headers has to open them.
//!
//! Limitations: an expired session is still in the store, since the store's clock does not move; in production the
//! store has deleted it, and it is like an unknown one. A long header travels over loopback, where copying is its only
//! cost. See also `cost`.

mod invalid_credentials;

use driver::Target;
use engine::plan::Plan;
use engine::record::{InvalidCredential, Load, RejectExperiment, RoundAt, SentCredential};

use crate::blocks::Turn;
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{self, ServerUnderTest};
use crate::{Run, blocks};

/// The parameters of the experiment `reject`.
#[derive(Clone, Debug)]
pub struct RejectParameters {
    /// Visits of every scheme with every kind of invalid credential.
    pub blocks: u32,
    /// Duration of a visit, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Number of different credentials of each kind.
    pub population: u32,
}

/// A server, and the invalid credentials for it.
struct TestedServer<'a> {
    under_test: ServerUnderTest<'a>,
    invalid: Vec<(InvalidCredential, Target)>,
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

    fn run(context: &mut RunContext<'_>, parameters: &RejectParameters) -> Result<(), ExperimentError> {
        let mut servers = Vec::new();
        for mut under_test in servers::start_all(context, parameters.population)? {
            let invalid = invalid_credentials::create(context, &mut under_test, parameters.population)?;
            servers.push(TestedServer { under_test, invalid });
        }
        for turn in blocks::begin(context, "reject", &visits(&servers), parameters.blocks) {
            visit(context, &mut servers[turn.item.0], parameters, turn)?;
        }
        Ok(())
    }
}

/// Returns the visits of each block: a server by its index, and a kind of invalid credential by its index; none for
/// valid requests.
fn visits(servers: &[TestedServer<'_>]) -> Vec<(usize, Option<usize>)> {
    let kinds = |server: &TestedServer<'_>| [None].into_iter().chain((0..server.invalid.len()).map(Some));
    servers.iter().enumerate().flat_map(|(index, server)| kinds(server).map(move |kind| (index, kind))).collect()
}

/// Sends valid requests, or one kind of invalid credential.
fn visit(
    context: &mut RunContext<'_>,
    server: &mut TestedServer<'_>,
    parameters: &RejectParameters,
    turn: Turn<(usize, Option<usize>)>,
) -> Result<(), ExperimentError> {
    let valid = plan(context, parameters, turn.block);
    let TestedServer { under_test, invalid } = server;
    let visit = turn.visit(Load::Saturated);
    let (invalid, round) = match turn.item.1.and_then(|kind| invalid.get(kind)) {
        None => {
            context.step(&format!("{}, valid credentials", under_test.scheme))?;
            (None, visit.make(context, under_test, &valid)?)
        }
        Some((invalid, target)) => {
            context.step(&format!("{}, {invalid}", under_test.scheme))?;
            let plan = Plan { expected_status: invalid_credentials::status(*invalid), ..valid };
            (Some(*invalid), visit.load(context, under_test, target, &plan)?)
        }
    };
    let round = RoundAt { at: SentCredential { invalid }, round };
    context.journal.measured(|reject: &mut RejectExperiment| reject.rounds.push(round))?;
    Ok(())
}

/// Returns the plan of a saturated round, recorded in half as many intervals as in other experiments.
fn plan(context: &RunContext<'_>, parameters: &RejectParameters, block: u32) -> Plan {
    let RejectParameters { round_s: duration_s, connections, population, .. } = *parameters;
    let plan = RoundSize { duration_s, connections, population }.plan(context.config, block, None);
    Plan { interval_s: duration_s / 10.0, ..plan }
}
