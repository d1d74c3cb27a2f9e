//! `cost`: how much CPU time does a request cost?
//!
//! Varies: the scheme. Holds: the request (`GET /me`), the carrier, the number of credentials, the users of a closed
//! loop without pauses, the processors of each part.
//!
//! Measures CPU time of server and store per request; the report subtracts the control inside each block. The closed
//! loop is saturated, because CPU time per request is then repeatable within a few percent, while at low rates it
//! varies by more than ten (idle processors change their frequency, and each request includes a separate wake-up). The
//! driver's saturator generates the load: with Goose, which costs more than the server, the server was never saturated
//! on two processors, and the measured costs were too low.
//!
//! Limitations: generator and server share a processor's caches and, on two processors, the store shares one with the
//! server. The control is affected in the same way, except for the store's part.

use engine::record::{CostExperiment, Load};

use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::{Run, blocks, servers};

/// The parameters of the experiment `cost`.
#[derive(Clone, Debug)]
pub struct CostParameters {
    /// Visits of every scheme: the number of samples of its statistics.
    pub blocks: u32,
    /// Duration of a visit, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Number of credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

impl Run for CostExperiment {
    type Parameters = CostParameters;

    fn parameters(profile: Profile) -> CostParameters {
        CostParameters {
            blocks: 20,
            round_s: profile.pick(0.5, 0.6, 0.6),
            connections: 32,
            population: 2_000,
            restart_every: 5,
        }
    }

    fn run(context: &mut RunContext<'_>, parameters: &CostParameters) -> Result<(), ExperimentError> {
        let CostParameters { round_s: duration_s, connections, population, .. } = *parameters;
        let size = RoundSize { duration_s, connections, population };
        let schemes: Vec<usize> = (0..context.config.schemes.len()).collect();
        let turns = blocks::begin(context, "cost", &schemes, parameters.blocks);
        let mut servers = servers::start_all(context, population)?;
        for turn in turns {
            if turn.restarts_servers(parameters.restart_every) {
                servers::restart_all(context, &mut servers, population)?;
            }
            let under_test = &mut servers[turn.item];
            context.step(under_test.scheme.id())?;
            let plan = size.plan(context.config, turn.block, None);
            let round = turn.visit(Load::Saturated).make(context, under_test, &plan)?;
            context.journal.measured(|cost: &mut CostExperiment| cost.rounds.push(round))?;
        }
        Ok(())
    }
}
