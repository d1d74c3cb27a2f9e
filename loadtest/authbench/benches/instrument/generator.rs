//! The cost of the generator: authbench's use of Goose against a plain Goose attack, in turn, in one process.

use std::collections::BTreeMap;

use engine::plan::{Arrivals, Plan, Population};
use goose::config::GooseConfiguration;
use goose::prelude::*;

use crate::target::{Reference, pin};
use crate::{Size, check_requirement, median};

/// The limit of CPU time per request, as a multiple of plain Goose's.
const TIMES: f64 = 1.1;
/// Users in the closed loops, connections in the open ones.
const USERS: u32 = 32;
/// The rates of the open loops, in requests per second.
const RATES_RPS: [f64; 2] = [5_000.0, 20_000.0];

pub(crate) fn run(size: Size) -> bool {
    println!("generator: CPU time per request (µs), plain Goose and authbench in turn");
    println!("  {:<28} {:>12} {:>12} {:>8}", "", "plain Goose", "authbench", "ratio");
    let control = Reference::control();
    pin();
    let turns = if size == Size::Full { 5 } else { 1 };
    let seconds = if size == Size::Full { 4 } else { 1 };
    let ratio = compare("closed loop, 32 users", turns, &control, seconds, None);
    // For information only. Plain Goose does not schedule arrivals: its throttle sends requests in bursts every 10 ms,
    // with one wake-up for many; sending on time needs one for every request.
    for rate in RATES_RPS {
        compare(&format!("{rate:.0} requests/s"), turns, &control, seconds, Some(rate));
    }
    check_requirement("in a closed loop at most 1.1 times plain Goose", ratio <= TIMES)
}

/// Returns the ratio of the medians over this number of turns.
fn compare(what: &str, turns: u32, control: &Reference, seconds: u64, rate: Option<f64>) -> f64 {
    let target = control.server.base_url();
    let (mut goose_us, mut authbench_us) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        goose_us.push(measure_goose(&target, seconds, rate));
        authbench_us.push(measure_authbench(&target, seconds, rate));
    }
    let (goose_us, authbench_us) = (median(goose_us), median(authbench_us));
    println!("  {what:<28} {goose_us:>12.1} {authbench_us:>12.1} {:>8.2}", authbench_us / goose_us);
    authbench_us / goose_us
}

/// Returns the CPU time of this process in nanoseconds.
fn cpu_ns() -> u64 {
    let clock = lab::observe::CpuClock::of(std::process::id());
    clock.and_then(|clock| clock.ns()).expect("this process is there")
}

fn us_per_request(before_ns: u64, requests: u64) -> f64 {
    (cpu_ns() - before_ns) as f64 / 1e3 / requests as f64
}

/// Runs a Goose attack as in its book, with its own metrics.
fn measure_goose(target: &str, seconds: u64, rate: Option<f64>) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let before = cpu_ns();
    let metrics =
        runtime.expect("there are threads").block_on(Box::pin(attack(target, seconds, rate))).expect("Goose runs");
    let requests = metrics.requests.values().map(|request| request.success_count + request.fail_count).sum::<usize>();
    us_per_request(before, requests as u64)
}

async fn attack(target: &str, seconds: u64, rate: Option<f64>) -> Result<goose::metrics::GooseMetrics, GooseError> {
    let (users, run_time) = (USERS.to_string(), format!("{seconds}s"));
    let throttle = rate.map(|rate| format!("{rate:.0}"));
    let mut arguments = vec![
        "--host",
        target,
        "--users",
        &users,
        "--increase-rate",
        "1000000",
        "--run-time",
        &run_time,
        "--no-telnet",
        "--quiet",
        "--no-print-metrics",
    ];
    arguments.extend(throttle.iter().flat_map(|rate| ["--throttle-requests", rate]));
    let client = goose::client::GooseClientBuilder::new().without_cookies().gzip(false);
    let attack = GooseAttack::initialize_with_config(GooseConfiguration::parse_args_default(&arguments)?)?
        .set_client_builder_without_cookies(client)?
        .register_scenario(scenario!("reads").register_transaction(transaction!(read)));
    Box::pin(attack.execute()).await
}

/// Reads to the last byte, as authbench does.
async fn read(user: &mut GooseUser) -> TransactionResult {
    let response = user.get(contract::route::ME).await?.response;
    if let Ok(response) = response {
        response.bytes().await.ok();
    }
    Ok(())
}

fn measure_authbench(target: &str, seconds: u64, rate: Option<f64>) -> f64 {
    let arrivals = rate.map_or(Arrivals::Closed, |rate_rps| Arrivals::Fixed { rate_rps });
    let plan = Plan { connections: USERS, ..Plan::new(arrivals, seconds as f64) };
    let before = cpu_ns();
    let requests = drive(&plan, target);
    us_per_request(before, requests)
}

/// Drives a plan with empty credentials, and returns the number of requests sent.
pub(crate) fn drive(plan: &Plan, base_url: &str) -> u64 {
    let plan = Plan { population: Population { size: 1, ..plan.population }, ..plan.clone() };
    let credential =
        contract::body::MintedCredential { username: String::new(), headers: BTreeMap::new(), refresh_token: None };
    let credentials = driver::Credentials::new(vec![credential]).expect("there is one").into();
    let target = driver::Target::one(base_url.to_owned(), credentials, contract::Carrier::Bearer);
    let workers = driver::Workers { count: 1, dedicated_cpus: true };
    let driven =
        driver::drive(&plan, &target, workers, &std::sync::Arc::default()).expect("the server is there").driven;
    driven.counts().sent()
}
