//! What a storm of logins does to everybody else.
//!
//! `cargo bench -p authbench --bench login_storm`: a thousand logins at once on one server, and meanwhile `GET /me` at a
//! steady rate. Prints what `/me` waits when nobody logs in and during the storm, and what memory the server takes;
//! the exit code is 0 if the 99th percentile is at most three times its idle value and the memory stays within what
//! as many hashings at a time as there are processors but one need.
//!
//! Under `cargo test` it runs on tiny input and checks that it runs, not what it finds.

#[path = "instrument/target.rs"]
#[expect(dead_code, reason = "the storm needs a part of it")]
mod target;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use contract::user;
use lab::server::{Server, ServerSpec};
use serde_json::{Value, json};
use target::load;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The 99th percentile of `/me` may become so many times its idle value.
const TIMES: f64 = 3.0;
/// Requests per second to `/me`.
const RATE: &str = "400";
/// Bytes that one hashing works in (19 MiB, OWASP's argon2id), and room for what else a login takes.
const HASHING_BYTES: u64 = 19 << 20;
/// Bytes that a waiting login may take: its connection, its request and its place in the line.
const WAITING_BYTES: u64 = 64 << 10;

fn main() -> ExitCode {
    // Cargo says `--bench` when it measures, and not when it tests.
    let full = std::env::args().any(|argument| argument == "--bench");
    let (logins, idle_s, storm_s) = if full { (1000, "12s", "12s") } else { (20, "1s", "1s") };
    let folder = TempDir::new().expect("there is room for a log");
    let spec = ServerSpec::new("session-memory".parse().expect("it is in the table"), folder.path().join("server.log"));
    let server = Server::start(&spec).expect("the servers were built");
    let rate = |duration| load(&server.base_url(), &["--rate", RATE, "--duration", duration, "--population", "100"]);
    let idle = rate(idle_s);
    let before = rss_bytes(&server);
    let (storm, answered, spent) = std::thread::scope(|scope| {
        let logging_in = scope.spawn(|| log_in(&server, logins));
        let storm = rate(storm_s);
        let (answered, spent) = logging_in.join().expect("logins do not panic");
        (storm, answered, spent)
    });
    let bound = before + HASHING_BYTES * hashings() + WAITING_BYTES * u64::from(logins);
    let got = report(&idle, &storm, (answered, logins, spent), (before, peak_bytes(&server), bound));
    if got || !full { ExitCode::SUCCESS } else { ExitCode::from(10) }
}

fn report(
    idle: &Value,
    storm: &Value,
    (answered, logins, spent): (u32, u32, Duration),
    (before, peak, bound): (u64, u64, u64),
) -> bool {
    let us = |load: &Value, of: &str, quantile: &str| load[of][quantile].as_f64().unwrap_or(f64::NAN);
    println!("login storm: {logins} logins at once, GET /me at {RATE} requests/s meanwhile");
    println!("  {:<22} {:>9} {:>9} {:>9}", "/me, µs", "p50", "p99", "max");
    for (name, load) in [("idle", idle), ("storm", storm)] {
        for (part, of) in [("response", "response_us"), ("service", "service_us"), ("generator's lag", "lag_us")] {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|quantile| us(load, of, quantile));
            println!("  {:<22} {p50:>9} {p99:>9} {max:>9}", format!("{name}, {part}"));
        }
    }
    let rate = f64::from(answered) / spent.as_secs_f64();
    println!("  {answered} of {logins} logins answered in {:.1} s: {rate:.1} logins/s", spent.as_secs_f64());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("  server memory: {:.1} MiB before, {:.1} MiB at most", mib(before), mib(peak));
    let ratio = us(storm, "response_us", "p99") / us(idle, "response_us", "p99");
    wants(&format!("p99 of /me at most {TIMES} times its idle value ({ratio:.1} times)"), ratio <= TIMES)
        & wants(&format!("at most {:.0} MiB: {} hashing(s) at a time", mib(bound), hashings()), peak <= bound)
        & wants("every login answered with 200", answered == logins)
}

fn wants(what: &str, got: bool) -> bool {
    println!("  {} {what}", if got { "yes:" } else { "NO: " });
    got
}

/// So many run at a time: one processor is left to those who only show a credential.
fn hashings() -> u64 {
    (std::thread::available_parallelism().map_or(1, usize::from) as u64).saturating_sub(1).max(1)
}

fn rss_bytes(server: &Server) -> u64 {
    lab::observe::memory(server.process().pid()).expect("the server runs").rss_bytes
}

/// The most that the server ever had in memory (`VmHWM`).
fn peak_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().pid())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells the peak");
    line.trim_end_matches("kB").trim().parse::<u64>().expect("it is a number") * 1024
}

/// So many logins at once, each over a connection of its own: how many were answered with 200, and how long it took.
fn log_in(server: &Server, logins: u32) -> (u32, Duration) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime has its handles");
    let address = server.address();
    let started = Instant::now();
    let answered = runtime.block_on(async {
        let logins: Vec<_> = (0..logins).map(|number| tokio::spawn(login(address, number))).collect();
        let mut answered = 0;
        for login in logins {
            answered += u32::from(login.await.is_ok_and(|answer| answer.is_ok_and(|good| good)));
        }
        answered
    });
    (answered, started.elapsed())
}

async fn login(address: std::net::SocketAddr, number: u32) -> std::io::Result<bool> {
    let body = json!({ "username": user::username(number), "password": user::PASSWORD }).to_string();
    let head = format!(
        "POST /login HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}
