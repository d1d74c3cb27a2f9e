//! `login`: what does a login cost, and how does it affect users who are logged in?
//!
//! Varies: the scheme, and whether there are concurrent logins. Holds: the rate of reads (`GET /me`, Poisson arrivals),
//! their connections, the carrier, the clients of a login burst, the password hashing, which is that of the servers
//! (argon2id, 19 MiB, two passes, one lane).
//!
//! A login burst: some clients log in, each time as another user, again as soon as their response arrives, while reads
//! arrive as before. Measures the response times of these reads, during a login burst and without concurrent logins,
//! once each in every block; and the CPU time of a login, from before the first until after the last response, from
//! which the report subtracts the reads at their cost without concurrent logins. The control hashes too, but issues no
//! credential.
//!
//! The server has one processor more than in other experiments, the generator's last one, because hashing leaves one of
//! several free: on a single processor every read would wait for the scheduler. If the generator shares it, its threads
//! take the place of another machine, and run before all ordinary threads (`SCHED_FIFO`) if that is permitted.
//!
//! Issuance: a login without the password. `POST /bench/mint` issues credentials in large batches, one after another;
//! CPU time of server and store is read before the first and after the last. Compared with a login it excludes the
//! separate request, the password, and the second look-up of the user. It creates 256 credentials concurrently, so that
//! commands to a store overlap and share their wake-ups, and it writes all of them into one response, as the control
//! does.
//!
//! Limitations: the queue of a login burst is short; a longer one takes more memory, but no more CPU time. The cost of
//! reads during a login burst may differ from their cost without concurrent logins: they are a few percent of a burst's
//! CPU time. Users who log in leave sessions behind, which only grows a store.

mod issuance;
mod parameters;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use driver::{LoginBurst, Logins};
use engine::record::{ConcurrentLogins, Load, LoginBurstRound, LoginExperiment, Placement, Round, RoundAt, Validity};
use engine::validity::Fault;
use lab::child::Bounds;
use lab::server::ServerSpec;
use lab::store::Store;

use self::issuance::CpuTime;
use crate::blocks::Turn;
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{self, ServerUnderTest};
use crate::visit::ObservedProcesses;
use crate::{Run, blocks};

pub use parameters::LoginParameters;

impl Run for LoginExperiment {
    type Parameters = LoginParameters;

    fn parameters(profile: Profile) -> LoginParameters {
        LoginParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
        bursts(context, parameters)?;
        context.progress.end();
        issuance::run(context, parameters)
    }
}

fn bursts(context: &mut RunContext<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
    context.config.stores.values().try_for_each(Store::clear)?;
    let server_cpus = server_cpus(&context.config.placement);
    let mut servers = start_servers(context, parameters, &server_cpus)?;
    context.journal.measured(|login: &mut LoginExperiment| login.server_cpus = server_cpus)?;
    let visits: Vec<(usize, u32)> =
        (0..servers.len()).flat_map(|index| [(index, 0), (index, parameters.clients)]).collect();
    for turn in blocks::begin(context, "login: bursts", &visits, parameters.blocks) {
        let (index, clients) = turn.item;
        let under_test = &mut servers[index];
        let load = if clients > 0 { "login burst" } else { "no concurrent logins" };
        context.step(&format!("{}, {load}", under_test.scheme))?;
        visit(context, under_test, parameters, turn)?;
    }
    Ok(())
}

/// Returns the server's own processors and the generator's last: hashing leaves one of several free.
fn server_cpus(placement: &Placement) -> Vec<u32> {
    let mut cpus = placement.server_cpus.clone();
    cpus.extend(placement.generator_cpus.last().filter(|cpu| !placement.server_cpus.contains(cpu)));
    cpus
}

fn start_servers<'a>(
    context: &mut RunContext<'a>,
    parameters: &LoginParameters,
    server_cpus: &[u32],
) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let config = context.config;
    let mut servers = Vec::new();
    for &scheme in &config.schemes {
        let store = config.store(scheme);
        let spec = ServerSpec { bounds: Bounds::on(server_cpus), ..context.spec(scheme, store)? };
        servers.push(servers::start_one(context, &spec, store, None, parameters.population)?);
    }
    Ok(servers)
}

/// Measures reads with this number of clients that log in concurrently.
fn visit(
    context: &mut RunContext<'_>,
    under_test: &mut ServerUnderTest<'_>,
    parameters: &LoginParameters,
    turn: Turn<(usize, u32)>,
) -> Result<(), ExperimentError> {
    let (block, clients) = (turn.block, turn.item.1);
    let LoginParameters { rate_rps, round_s: duration_s, connections, population, .. } = *parameters;
    let plan = RoundSize { duration_s, connections, population }.plan(context.config, block, Some(rate_rps));
    under_test.renew(context, &plan)?;
    let before = CpuTime::of(under_test)?;
    let reads_done = Arc::<AtomicBool>::default();
    let (round, logins) = std::thread::scope(|scope| {
        let login_burst = (clients > 0).then(|| login_burst(under_test, clients, block));
        let (node, reads_done) = (&under_test.target.nodes[0], &reads_done);
        let login_burst =
            login_burst.map(|login_burst| scope.spawn(move || driver::log_in(node, login_burst, reads_done)));
        let pid = [under_test.server.process().pid()];
        let processes = ObservedProcesses { servers: &pid, store: under_test.store, balancer: None };
        let visit = turn.visit(Load::EqualRate { rate_rps });
        let round = visit.drive(context, under_test.scheme, &under_test.target, processes, &plan);
        // The burst lasts from before the first read until after the last.
        reads_done.store(true, Ordering::Relaxed);
        (round, login_burst.map(|login_burst| login_burst.join().expect("logging in does not panic")))
    });
    let spent = CpuTime::of(under_test)?.since(&before);
    let (round, logins) = (round?, logins.transpose()?);
    context.check_can_continue()?;
    under_test.server.process().check()?;
    under_test.store.map_or(Ok(()), Store::check)?;
    let login_burst = logins.map(|logins| burst_record(&round, clients, logins, spent));
    context.journal.measured(|login: &mut LoginExperiment| {
        login.rounds.push(RoundAt { at: ConcurrentLogins { clients }, round });
        login.storms.extend(login_burst);
    })?;
    Ok(())
}

/// Returns the login burst of a block. Each block has its own users, so that no user logs in twice before all have
/// logged in.
fn login_burst(under_test: &ServerUnderTest<'_>, clients: u32, block: u32) -> LoginBurst {
    /// More users than log in during a visit.
    const USERS_PER_BLOCK: u32 = 10_000;
    LoginBurst {
        clients,
        repeat: true,
        first_user: block.wrapping_mul(USERS_PER_BLOCK),
        users: under_test.server.descriptor().users,
        timeout: TIMEOUT,
    }
}

/// A login waits for those before it in the queue, and much longer if requests saturate the server.
const TIMEOUT: Duration = Duration::from_secs(30);

fn burst_record(round: &Round, clients: u32, logins: Logins, spent: CpuTime) -> LoginBurstRound {
    LoginBurstRound {
        scheme: round.scheme.clone(),
        block: round.block,
        clients,
        validity: burst_validity(logins.answered, &logins.failed),
        answered: logins.answered,
        failed: logins.failed,
        wall_s: logins.took.as_secs_f64(),
        reads: round.counts.sent(),
        server_cpu_ns: spent.server_ns,
        store_cpu_ns: spent.store_ns,
    }
}

/// A failed login may have any cost, so one invalidates the burst.
fn burst_validity(answered: u64, failed: &BTreeMap<String, u64>) -> Validity {
    let mut validity = Validity::from_reasons(Vec::new());
    let count: u64 = failed.values().sum();
    if count > 0 {
        let kinds: Vec<String> = failed.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let reason = format!("{count} of {} logins failed ({})", answered + count, kinds.join(", "));
        validity.add_reason(Fault::RequestsFailed, reason);
    }
    validity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_gets_one_processor_of_the_generator() {
        let placed = |server: &[u32], generator: &[u32]| {
            server_cpus(&Placement {
                server_cpus: server.to_vec(),
                generator_cpus: generator.to_vec(),
                ..Placement::default()
            })
        };
        assert_eq!(placed(&[0], &[1]), [0, 1]);
        assert_eq!(placed(&[0], &[2, 3]), [0, 3]);
        assert_eq!(placed(&[], &[]), [0; 0], "where the kernel chooses, it chooses here, too");
    }

    #[test]
    fn single_failed_login_invalidates_the_burst() {
        assert!(burst_validity(10, &BTreeMap::new()).valid);
        let one = burst_validity(1_000, &BTreeMap::from([("status 503".to_owned(), 1)]));
        assert_eq!(one.reasons, ["1 of 1001 logins failed (status 503: 1)"]);
        assert_eq!(one.faults, [Fault::RequestsFailed]);
    }
}
