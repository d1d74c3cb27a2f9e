//! `population`: what changes with ten million live credentials?
//!
//! Varies: the scheme, and the number of live credentials, over four decades. Holds: the request (`GET /me`), the
//! carrier, one credential per user, the facts in a session or token, that nothing expires meanwhile, and that no
//! session's idle limit is extended: how often that is written depends on the time since each user's last request, not
//! on the number of users.
//!
//! One server over a separate store is filled step by step with credentials that the server itself creates, many at a
//! time and without hashing a password. Memory of server and store is read at each size, and once more after all keys
//! were removed from the store. At the sizes that are measured under load, saturated and paced visits alternate between
//! this server and another one of the same scheme with the smallest population: two neighbours in time differ only in
//! the population. Then a new server and store are filled with credentials that are revoked immediately after issuance:
//! the memory that remains is that of a denylist.
//!
//! Limitations: a size whose fill would take longer than the profile allows, or more memory than the machine has, is
//! left out, and the report says so. The additional time of `full` for the longest fills goes to the first of them: not
//! every one of two dozen schemes is filled for minutes. Requests use at most 200,000 credentials, spread evenly over
//! all live ones: more than fit into a processor's cache. There is one fill per scheme, so that the interval of a slope
//! does not include the difference between one process and the next; the experiment `memory` includes it, at smaller
//! sizes.

use std::time::{Duration, Instant};

use contract::{LogoutScope, Scheme, Touch};
use engine::record::{Fill, FillState, LiveCredentials, Load, PopulationExperiment, RoundAt};
use lab::child::Bounds;
use lab::server::ServerSpec;
use lab::store::Store;

use self::populated_server::PopulatedServer;
use self::time_budget::TimeBudget;
use crate::experiment_store::ExperimentStore;
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::visit::ObservedProcesses;
use crate::{Run, blocks, memory};

pub use self::parameters::PopulationParameters;

mod parameters;
mod populated_server;
mod time_budget;

/// The lifetime of credentials, in seconds: nothing expires during fills and visits.
const CREDENTIAL_TTL_S: u64 = 4 * 3600;
/// The share of the available memory that a fill may use, because a store grows by doubling.
const MAX_MEMORY_SHARE: f64 = 0.6;

impl Run for PopulationExperiment {
    type Parameters = PopulationParameters;

    fn parameters(profile: Profile) -> PopulationParameters {
        PopulationParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &PopulationParameters) -> Result<(), ExperimentError> {
        let schemes = chosen(context, parameters)?;
        let mut time = TimeBudget { each_s: parameters.fill_s, spare_s: parameters.long_fills_s };
        let timed = parameters.live.iter().filter(|&&live| is_timed(parameters, live)).count();
        let steps = schemes.iter().map(|scheme| {
            parameters.live.len() + timed + if is_revocable(*scheme) { parameters.revoked.len() } else { 0 }
        });
        context.progress.begin("population", steps.sum::<usize>() as u64);
        for scheme in schemes {
            live(context, parameters, scheme, &mut time)?;
            if is_revocable(scheme) {
                revoked(context, parameters, scheme, &time)?;
            }
        }
        Ok(())
    }
}

/// Returns the schemes of the run that are measured; records the others as left out.
fn chosen(context: &mut RunContext<'_>, parameters: &PopulationParameters) -> Result<Vec<Scheme>, ExperimentError> {
    let mut chosen: Vec<Scheme> = Vec::new();
    for &scheme in &context.config.schemes {
        let represents_scheme =
            |known: &&Scheme| !parameters.every_algorithm && differ_only_in_signature(**known, scheme);
        match chosen.iter().find(represents_scheme) {
            None => chosen.push(scheme),
            Some(known) => {
                let reason = format!(
                    "it differs from {known} only in its signature, of which neither server nor store keeps state"
                );
                context.journal.omit(&format!("population of {scheme}"), &reason)?;
            }
        }
    }
    Ok(chosen)
}

/// Returns whether two schemes differ only in their signature algorithm.
fn differ_only_in_signature(one: Scheme, other: Scheme) -> bool {
    let [one, other] = [one, other].map(|scheme| scheme.kind().early_revocation());
    one.is_some() && one == other
}

fn is_timed(parameters: &PopulationParameters, live: u32) -> bool {
    parameters.timed.contains(&live)
}

/// Returns whether the scheme may have to remember a revoked credential.
fn is_revocable(scheme: Scheme) -> bool {
    scheme.logout().is_some_and(|scope| scope != LogoutScope::Nothing)
}

fn experiment_store<'a>(
    context: &RunContext<'a>,
    scheme: Scheme,
    name: &str,
) -> Result<ExperimentStore<'a>, ExperimentError> {
    let bounds = Bounds::on(&context.config.placement.store_cpus);
    ExperimentStore::start_empty(context, scheme.store(), &format!("population-{name}"), &bounds)
}

fn start<'a>(
    context: &mut RunContext<'_>,
    parameters: &PopulationParameters,
    scheme: Scheme,
    store: Option<&'a Store>,
    name: &str,
) -> Result<PopulatedServer<'a>, ExperimentError> {
    let users = parameters.live.iter().chain(&parameters.revoked).copied().max().unwrap_or(1);
    let spec = ServerSpec {
        users,
        credential_ttl_s: Some(CREDENTIAL_TTL_S),
        touch: Touch::Never,
        log: context.log(&format!("{scheme}-population-{name}")),
        ..context.spec(scheme, store)?
    };
    Ok(PopulatedServer::new(scheme, context.start(&spec)?, store))
}

/// Fills one server step by step, and measures it in alternation with one that has the smallest population.
fn live(
    context: &mut RunContext<'_>,
    parameters: &PopulationParameters,
    scheme: Scheme,
    time: &mut TimeBudget,
) -> Result<(), ExperimentError> {
    let Some(&fewest) = parameters.live.first() else { return Ok(()) };
    let (store, few_store) = (experiment_store(context, scheme, "many")?, experiment_store(context, scheme, "few")?);
    let mut many = start(context, parameters, scheme, store.store(), "many")?;
    let mut few = start(context, parameters, scheme, few_store.store(), "few")?;
    few.fill(context.config, fewest)?;
    record_memory(context, &many, FillState::Live, Duration::ZERO)?;
    for (number, &size) in parameters.live.iter().enumerate() {
        let is_timed = is_timed(parameters, size);
        context.step(&format!("{scheme}: {size} live credentials"))?;
        if let Some(reason) = many.reason_to_skip(size, time) {
            skip(context, parameters, scheme, &parameters.live[number..], &reason)?;
            break;
        }
        let took = many.fill(context.config, size)?;
        record_memory(context, &many, FillState::Live, took)?;
        if is_timed {
            context.step(&format!("{scheme}: requests with {size} live credentials"))?;
            let block = number as u32 * parameters.blocks;
            visit(context, parameters, block, &many, &few)?;
        }
    }
    time.subtract(many.took);
    if let Some(store) = store.store() {
        let began = Instant::now();
        store.clear()?;
        record_memory(context, &many, FillState::Freed, began.elapsed())?;
    }
    Ok(())
}

/// Records why these sizes are left out, and counts their steps.
fn skip(
    context: &mut RunContext<'_>,
    parameters: &PopulationParameters,
    scheme: Scheme,
    sizes: &[u32],
    reason: &str,
) -> Result<(), ExperimentError> {
    let size_list: Vec<String> = sizes.iter().map(u32::to_string).collect();
    context.journal.omit(&format!("{scheme} with {} live credentials", size_list.join(", ")), reason)?;
    let timed = sizes.iter().filter(|&&size| is_timed(parameters, size)).count();
    // The first of them has been reported already.
    for _ in 1..sizes.len() + timed {
        context.step(&format!("{scheme}: left out"))?;
    }
    Ok(())
}

/// Fills a new server with revoked credentials.
fn revoked(
    context: &mut RunContext<'_>,
    parameters: &PopulationParameters,
    scheme: Scheme,
    time: &TimeBudget,
) -> Result<(), ExperimentError> {
    let store = experiment_store(context, scheme, "revoked")?;
    let mut populated = start(context, parameters, scheme, store.store(), "revoked")?;
    for &size in &parameters.revoked {
        context.step(&format!("{scheme}: {size} revoked credentials"))?;
        if let Some(reason) = populated.reason_to_skip(size, time) {
            context.journal.omit(&format!("{scheme} with {size} revoked credentials"), &reason)?;
            continue;
        }
        let took = populated.revoke(context.config, size)?;
        record_memory(context, &populated, FillState::Revoked, took)?;
    }
    Ok(())
}

/// Records the memory that a server and its store use now.
fn record_memory(
    context: &mut RunContext<'_>,
    populated: &PopulatedServer<'_>,
    state: FillState,
    took: Duration,
) -> Result<(), ExperimentError> {
    populated.server.process().check()?;
    let memory = memory::point(populated.scheme, 0, populated.filled, &populated.server, populated.store)?;
    let fill = Fill { state, took_s: took.as_secs_f64(), memory };
    context.journal.measured(|population: &mut PopulationExperiment| population.fills.push(fill))?;
    Ok(())
}

/// Visits both in turn, in an order redrawn for each block.
fn visit(
    context: &mut RunContext<'_>,
    parameters: &PopulationParameters,
    first_block: u32,
    many: &PopulatedServer<'_>,
    few: &PopulatedServer<'_>,
) -> Result<(), ExperimentError> {
    let loads = [Load::EqualRate { rate_rps: parameters.rate_rps }, Load::Saturated];
    let visits: Vec<(bool, Load)> = loads.into_iter().flat_map(|load| [(true, load), (false, load)]).collect();
    let (many_target, few_target) = (many.target(context.config)?, few.target(context.config)?);
    for turn in blocks::turns(&visits, first_block..first_block + parameters.blocks, context.config.seed) {
        context.check_can_continue()?;
        let (is_many, load) = turn.item;
        let (populated, target) = if is_many { (many, &many_target) } else { (few, &few_target) };
        let plan = size(parameters, load, populated).plan(context.config, turn.block, load.equal_rate_rps());
        let processes =
            ObservedProcesses { servers: &[populated.server.process().pid()], store: populated.store, balancer: None };
        let round = turn.visit(load).drive(context, populated.scheme, target, processes, &plan)?;
        populated.check()?;
        let round = RoundAt { at: LiveCredentials { live: u64::from(populated.filled) }, round };
        context.journal.measured(|population: &mut PopulationExperiment| population.rounds.push(round))?;
    }
    Ok(())
}

fn size(parameters: &PopulationParameters, load: Load, populated: &PopulatedServer<'_>) -> RoundSize {
    let duration_s = if load.is_saturated() { parameters.saturated_s } else { parameters.round_s };
    RoundSize { duration_s, connections: parameters.connections, population: populated.in_use() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_represents_only_those_with_other_signatures() {
        let represented_by = |id: &str| -> Vec<&str> {
            let scheme: Scheme = id.parse().unwrap();
            Scheme::all().filter(|other| differ_only_in_signature(scheme, *other)).map(Scheme::id).collect()
        };
        for variant in ["", "-refresh", "-denylist", "-push", "-epoch"] {
            let alike = ["hs256", "eddsa", "es256", "rs256"].map(|algorithm| format!("jwt-{algorithm}{variant}"));
            assert_eq!(represented_by(&alike[0]), alike);
        }
        for scheme in Scheme::all().filter(|scheme| scheme.binary() != "jwt-server") {
            assert_eq!(represented_by(scheme.id()), [""; 0], "{scheme}");
        }
    }
}
