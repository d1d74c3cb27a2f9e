//! The effect of a login burst on other requests.
//!
//! `cargo bench -p authbench --bench login_burst`: a thousand concurrent logins on one server, and `GET /me` at a
//! steady rate. Prints the response times of `/me` without concurrent logins and during the burst, and the memory of
//! the server. The exit code is 0 if the 99th percentile of the response time is at most three times its idle value and
//! the memory stays within the need of one hashing per processor but one.
//!
//! The client of `/me` takes the place of another machine: it runs before all ordinary threads if that is permitted,
//! because its waiting for the hashing processors would not be caused by the server.
//!
//! The experiment `login` measures the same for every scheme, with a short queue of logins that never ends; here the
//! queue is long, and the server's memory is checked.
//!
//! Under `cargo test` it runs on tiny input and checks that it runs, not its results.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use contract::{Carrier, Scheme};
use driver::{Credentials, LoginBurst, Logins, Target, Workers};
use engine::clock::SchedulingClass;
use engine::plan::{Arrivals, Plan};
use engine::record::{Load, Round};
use experiments::{ObservedProcesses, drive_round, outside_blocks};
use lab::http::Client;
use lab::server::{Server, ServerSpec};
use tempfile::TempDir;

/// The limit of the 99th percentile of `/me`, as a multiple of its idle value.
const TIMES: f64 = 3.0;
/// Requests per second to `/me`.
const RATE_RPS: f64 = 400.0;
/// The users whose credentials are sent.
const USERS: u32 = 100;
/// Bytes of one hashing (19 MiB, OWASP's argon2id), and the rest of a login.
const HASHING_BYTES: u64 = 19 << 20;
/// Bytes of a waiting login: its connection, its request and its place in the queue.
const WAITING_BYTES: u64 = 64 << 10;

fn main() -> ExitCode {
    // Cargo passes `--bench` when it measures, and not when it tests.
    let full = std::env::args().any(|argument| argument == "--bench");
    let (logins, seconds) = if full { (1000, 12.0) } else { (20, 1.0) };
    let folder = TempDir::new().expect("there is room for a log");
    let scheme: Scheme = "session-memory".parse().expect("it is in the table");
    let spec = ServerSpec::new(scheme, folder.path().join("server.log"));
    let server = Server::start(&spec).expect("the servers were built");
    let minted = Client::new(&server.base_url()).mint(USERS, 0).expect("the server mints under --bench");
    let credentials = Arc::new(Credentials::new(minted).expect("there are some"));
    let target = Target::one(server.base_url(), credentials, Carrier::Bearer);
    let idle = send_reads(&target, scheme, seconds);
    let before = rss_bytes(&server);
    let (burst, login_results) = std::thread::scope(|scope| {
        let logins_thread = scope.spawn(|| log_in(&target, logins));
        let burst = send_reads(&target, scheme, seconds);
        (burst, logins_thread.join().expect("logins do not panic"))
    });
    let bound = before + HASHING_BYTES * hashings() + WAITING_BYTES * u64::from(logins);
    let met = report(&idle, &burst, (&login_results, logins), (before, peak_bytes(&server), bound));
    if met || !full { ExitCode::SUCCESS } else { ExitCode::from(10) }
}

/// Sends `GET /me` at a steady rate.
fn send_reads(target: &Target, scheme: Scheme, seconds: f64) -> (Round, SchedulingClass) {
    let plan = Plan { interval_s: seconds / 20.0, ..Plan::new(Arrivals::Poisson { rate_rps: RATE_RPS }, seconds) };
    let place = outside_blocks(scheme.id(), Load::AsPlanned);
    let workers = Workers { count: 1, dedicated_cpus: true };
    drive_round(&plan, target, place, ObservedProcesses::default(), workers, &Arc::default())
        .expect("the server is there")
}

fn report(
    (idle, class): &(Round, SchedulingClass),
    (burst, _): &(Round, SchedulingClass),
    (login_results, logins): (&Logins, u32),
    (before, peak, bound): (u64, u64, u64),
) -> bool {
    println!("login burst: {logins} logins at once, GET /me at {RATE_RPS} requests/s meanwhile, sent under {class}");
    println!("  {:<22} {:>9} {:>9} {:>9}", "/me, µs", "p50", "p99", "max");
    for (name, round) in [("idle", idle), ("burst", burst)] {
        let parts =
            [("response", &round.response_us), ("service", &round.service_us), ("generator's lag", &round.lag_us)];
        for (part, us) in parts {
            let [p50, p99, max] = [us.p50, us.p99, us.max].map(Option::unwrap_or_default);
            println!("  {:<22} {p50:>9} {p99:>9} {max:>9}", format!("{name}, {part}"));
        }
    }
    let (completed, took_s) = (login_results.answered, login_results.took.as_secs_f64());
    let rate = completed as f64 / took_s;
    println!(
        "  {completed} of {logins} logins completed in {took_s:.1} s: {rate:.1} logins/s; failed: {:?}",
        login_results.failed
    );
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("  server memory: {:.1} MiB before, {:.1} MiB at most", mib(before), mib(peak));
    let p99 = |round: &Round| round.response_us.p99.unwrap_or_default() as f64;
    let ratio = p99(burst) / p99(idle);
    check_requirement(&format!("p99 of /me at most {TIMES} times its idle value ({ratio:.1} times)"), ratio <= TIMES)
        & check_requirement(
            &format!("at most {:.0} MiB: {} hashing(s) at a time", mib(bound), hashings()),
            peak <= bound,
        )
        & check_requirement("every login got a 200 response", completed == u64::from(logins))
}

fn check_requirement(requirement: &str, met: bool) -> bool {
    println!("  {} {requirement}", if met { "yes:" } else { "NO: " });
    met
}

/// Returns the number of concurrent hashings: one processor is left to requests that only present a credential.
fn hashings() -> u64 {
    (std::thread::available_parallelism().map_or(1, usize::from) as u64).saturating_sub(1).max(1)
}

fn rss_bytes(server: &Server) -> u64 {
    lab::observe::memory(server.process().pid()).expect("the server runs").rss_bytes
}

/// Returns the peak memory of the server (`VmHWM`).
fn peak_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().pid())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells the peak");
    line.trim_end_matches("kB").trim().parse::<u64>().expect("it is a number") * 1024
}

/// Logs this number of users in at once, each over a separate connection: returns how many got 200, and the duration.
fn log_in(target: &Target, logins: u32) -> Logins {
    let burst = LoginBurst {
        clients: logins,
        repeat: false,
        first_user: 0,
        users: contract::user::DEFAULT_USERS,
        timeout: Duration::from_mins(5),
    };
    driver::log_in(&target.nodes[0], burst, &Arc::default()).expect("the server is there")
}
