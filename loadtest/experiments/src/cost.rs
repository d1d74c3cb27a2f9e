//! `cost`: what does a request cost in CPU time?
//!
//! Varies: the scheme. Holds: the request (`GET /me`), the carrier, the credentials' number, the
//! users of a closed loop without pauses, the processors of each part.
//!
//! Measures CPU time of server and store per request; the report subtracts the control inside
//! each block. A saturated closed loop, because CPU per request then repeats within a few per
//! cent, while at low rates it scatters by more than ten (idle processors change their pace, and
//! each request pays for a wake-up of its own). The load comes from the driver's saturator: with
//! Goose, which costs more than the server, the server was never full on two processors, and costs came
//! out too low.
//!
//! Weak where generator and server share a processor's caches and, on two processors, the store shares
//! one with the server: the control bears the same, but not the store's part.

use engine::plan::{Arrivals, Plan, Population};
use engine::record::Level;

use crate::bench::{Bench, ExperimentError};
use crate::fleet;
use crate::journal::Rounds;
use crate::order::shuffled;
use crate::profile::CostParameters;
use crate::visit::Visit;

/// Runs the experiment.
pub fn run(bench: &mut Bench<'_>, parameters: &CostParameters) -> Result<(), ExperimentError> {
    let schemes = bench.setting.schemes.len();
    bench.progress.begin("cost", u64::from(parameters.blocks) * schemes as u64);
    let mut stations = Vec::new();
    for block in 0..parameters.blocks {
        if block % parameters.restart_every == 0 {
            stations.clear();
            stations = fleet::start(bench, parameters.population)?;
        }
        let order: Vec<usize> = (0..schemes).collect();
        for (position, index) in shuffled(&order, bench.setting.seed, block).into_iter().enumerate() {
            let station = &mut stations[index];
            bench.step(station.scheme.id())?;
            let visit = Visit { experiment: Rounds::Cost, block, position, level: Level::Saturated };
            visit.make(bench, station, &saturating(parameters, bench.setting.seed + u64::from(block)))?;
        }
    }
    Ok(())
}

/// As many requests as the connections can carry.
fn saturating(parameters: &CostParameters, seed: u64) -> Plan {
    Plan {
        seed,
        connections: parameters.connections,
        population: Population { size: parameters.population, ..Population::default() },
        interval_s: parameters.round_s / 20.0,
        ..Plan::new(Arrivals::Closed, parameters.round_s)
    }
}
