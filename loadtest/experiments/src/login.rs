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

use driver::{Logins, Storm};
use engine::record::{BesideLogins, Load, LoginExperiment, LoginStorm, Placement, Round, RoundAt, Validity};
use engine::validity::Fault;
use lab::child::Bounds;
use lab::server::ServerSpec;
use lab::store::Store;

use self::issuance::CpuTime;
use crate::bench::{Bench, ExperimentError};
use crate::blocks::Turn;
use crate::fleet::{self, ServerUnderTest};
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::visit::Watched;
use crate::{Run, blocks};

pub use parameters::LoginParameters;

impl Run for LoginExperiment {
    type Parameters = LoginParameters;

    fn parameters(profile: Profile) -> LoginParameters {
        LoginParameters::of(profile)
    }

    fn run(bench: &mut Bench<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
        storms(bench, parameters)?;
        bench.progress.end();
        issuance::run(bench, parameters)
    }
}

fn storms(bench: &mut Bench<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
    bench.setting.stores.values().try_for_each(Store::clear)?;
    let server_cpus = server_cpus(&bench.setting.placement);
    let mut stations = stations(bench, parameters, &server_cpus)?;
    bench.journal.measured(|login: &mut LoginExperiment| login.server_cpus = server_cpus)?;
    let visits: Vec<(usize, u32)> =
        (0..stations.len()).flat_map(|index| [(index, 0), (index, parameters.clients)]).collect();
    for turn in blocks::begin(bench, "login: bursts", &visits, parameters.blocks) {
        let (index, clients) = turn.item;
        let station = &mut stations[index];
        let load = if clients > 0 { "login burst" } else { "no concurrent logins" };
        bench.step(&format!("{}, {load}", station.scheme))?;
        visit(bench, station, parameters, turn)?;
    }
    Ok(())
}

/// Returns the server's own processors and the generator's last: hashing leaves one of several free.
fn server_cpus(placement: &Placement) -> Vec<u32> {
    let mut cpus = placement.server_cpus.clone();
    cpus.extend(placement.generator_cpus.last().filter(|cpu| !placement.server_cpus.contains(cpu)));
    cpus
}

fn stations<'a>(
    bench: &mut Bench<'a>,
    parameters: &LoginParameters,
    server_cpus: &[u32],
) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let setting = bench.setting;
    let mut stations = Vec::new();
    for &scheme in &setting.schemes {
        let store = setting.store(scheme);
        let spec = ServerSpec { bounds: Bounds::on(server_cpus), ..bench.spec(scheme, store)? };
        stations.push(fleet::station(bench, &spec, store, None, parameters.population)?);
    }
    Ok(stations)
}

/// Measures reads with this number of clients that log in concurrently.
fn visit(
    bench: &mut Bench<'_>,
    station: &mut ServerUnderTest<'_>,
    parameters: &LoginParameters,
    turn: Turn<(usize, u32)>,
) -> Result<(), ExperimentError> {
    let (block, clients) = (turn.block, turn.item.1);
    let LoginParameters { rate_rps, round_s: duration_s, connections, population, .. } = *parameters;
    let plan = RoundSize { duration_s, connections, population }.plan(bench.setting, block, Some(rate_rps));
    station.renew(bench, &plan)?;
    let before = CpuTime::of(station)?;
    let over = Arc::<AtomicBool>::default();
    let (round, logins) = std::thread::scope(|scope| {
        let storm = (clients > 0).then(|| storm(station, clients, block));
        let (node, over) = (&station.target.nodes[0], &over);
        let storm = storm.map(|storm| scope.spawn(move || driver::log_in(node, storm, over)));
        let pid = [station.server.process().pid()];
        let watched = Watched { servers: &pid, store: station.store, balancer: None };
        let visit = turn.visit(Load::EqualRate { rate_rps });
        let round = visit.drive(bench, station.scheme, &station.target, watched, &plan);
        // The burst lasts from before the first read until after the last.
        over.store(true, Ordering::Relaxed);
        (round, storm.map(|storm| storm.join().expect("logging in does not panic")))
    });
    let spent = CpuTime::of(station)?.since(&before);
    let (round, logins) = (round?, logins.transpose()?);
    bench.go_on()?;
    station.server.process().check()?;
    station.store.map_or(Ok(()), Store::check)?;
    let storm = logins.map(|logins| stormed(&round, clients, logins, spent));
    bench.journal.measured(|login: &mut LoginExperiment| {
        login.rounds.push(RoundAt { at: BesideLogins { clients }, round });
        login.storms.extend(storm);
    })?;
    Ok(())
}

/// Returns the login burst of a block. Each block has its own users, so that no user logs in twice before all have
/// logged in.
fn storm(station: &ServerUnderTest<'_>, clients: u32, block: u32) -> Storm {
    /// More users than log in during a visit.
    const APART: u32 = 10_000;
    Storm {
        clients,
        again: true,
        first_user: block.wrapping_mul(APART),
        users: station.server.descriptor().users,
        timeout: TIMEOUT,
    }
}

/// A login waits for those before it in the queue, and much longer if requests saturate the server.
const TIMEOUT: Duration = Duration::from_secs(30);

fn stormed(round: &Round, clients: u32, logins: Logins, spent: CpuTime) -> LoginStorm {
    LoginStorm {
        scheme: round.scheme.clone(),
        block: round.block,
        clients,
        validity: judged(logins.answered, &logins.failed),
        answered: logins.answered,
        failed: logins.failed,
        wall_s: logins.took.as_secs_f64(),
        reads: round.counts.sent(),
        server_cpu_ns: spent.server_ns,
        store_cpu_ns: spent.store_ns,
    }
}

/// A failed login may have any cost, so one invalidates the burst.
fn judged(answered: u64, failed: &BTreeMap<String, u64>) -> Validity {
    let mut validity = Validity::from_reasons(Vec::new());
    let count: u64 = failed.values().sum();
    if count > 0 {
        let kinds: Vec<String> = failed.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let reason = format!("{count} of {} logins failed ({})", answered + count, kinds.join(", "));
        validity.object(Fault::RequestsFailed, reason);
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
        assert!(judged(10, &BTreeMap::new()).valid);
        let one = judged(1_000, &BTreeMap::from([("status 503".to_owned(), 1)]));
        assert_eq!(one.reasons, ["1 of 1001 logins failed (status 503: 1)"]);
        assert_eq!(one.faults, [Fault::RequestsFailed]);
    }
}
