//! Signals: the first stops a run cleanly and keeps its results, the second exits at once, and ignored signals stay
//! ignored.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::record::{LoadExperiment, SloExperiment, Status};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{
    SKIP_CONFORMANCE, TestDir, command, exclusive, load, reference_record, server, start, stderr, stdout,
    wait_for_load, wait_until,
};

/// The time limit for a clean stop.
const LIMIT: Duration = Duration::from_secs(15);

fn send(to: &Child, signal: Signal) {
    kill(Pid::from_raw(to.id().try_into().unwrap()), signal).unwrap();
}

#[track_caller]
fn wait_for_exit(running: &mut Child) -> std::process::ExitStatus {
    let mut status = None;
    wait_until("it ends", LIMIT, || {
        status = running.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

#[test]
fn interrupted_load_keeps_its_measurement() {
    let _lock = exclusive();
    for (arrivals, name) in [(["--rate", "400"], "open"), (["--users", "2"], "closed")] {
        let dir = TestDir::new();
        let server = server("jwt-hs256", &dir, None);
        let more = ["--duration", "10m", "--warmup", "0s", "--population", "10"];
        let mut load = load(&dir, &server.base_url(), &[&arrivals[..], &more].concat());
        let mut running = start({
            load.process_group(0);
            load
        });
        wait_for_load(&server);
        send(&running, Signal::SIGINT);
        let status = wait_for_exit(&mut running);
        let output = running.wait_with_output().unwrap();
        let printed = stderr(&output);
        assert_eq!(status.code(), Some(1), "{name}: {printed}");
        let last_line = printed.lines().last().unwrap();
        assert!(
            last_line.starts_with("authbench: interrupted after ") && last_line.contains("are kept in"),
            "{name}: {printed}"
        );
        let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(result["requests"].as_u64().unwrap() >= 20, "{name}: {result}");
        assert_eq!(result["errors"], 0, "{name}: {result}");

        let record = record_file::read(&dir.run()).unwrap();
        let Status::Incomplete { reason } = &record.run.status else { panic!("{name}: {:?}", record.run.status) };
        assert!(reason.starts_with("interrupted after") && reason.ends_with("of 600.0 s"), "{name}: {reason}");
        let load = record.data::<LoadExperiment>().unwrap_or_else(|| panic!("{name}: {:?}", record.experiments));
        let round = &load.rounds[0];
        assert!(round.plan.duration_s < 60.0 && round.window.end_s <= round.plan.duration_s, "{name}: {round:?}");
        assert_eq!(round.counts.unsent, 0, "{name}: nothing is blamed on the target");
        let planned = round.counts.planned.unwrap_or(round.counts.ok);
        assert_eq!(planned, round.counts.ok, "{name}: what was due was sent");
        let rate = round.counts.ok as f64 / round.plan.duration_s;
        assert!((round.achieved_rps / rate - 1.0).abs() < 0.5, "{name}: {} of {rate}", round.achieved_rps);
        assert!(fs::read_to_string(dir.run().join("report.md")).unwrap().contains("This run is incomplete"));
    }
}

#[test]
fn interrupted_search_keeps_its_rounds() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", &dir, None);
    let more = ["--slo", "p99=1s", "--duration", "500ms", "--population", "10"];
    let mut running = start(load(&dir, &server.base_url(), &more));
    let rounds = || {
        record_file::read(&dir.run())
            .map_or(0, |record| record.data::<SloExperiment>().map_or(0, |search| search.rounds.len()))
    };
    wait_until("a round is in the record", Duration::from_mins(1), || rounds() > 0);
    send(&running, Signal::SIGTERM);
    let status = wait_for_exit(&mut running);
    let output = running.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).lines().last().unwrap().contains("are kept in"), "{}", stderr(&output));
    assert!(matches!(record_file::read(&dir.run()).unwrap().run.status, Status::Incomplete { .. }));
    assert!(dir.run().join("report.html").exists());
    serde_json::from_str::<Value>(&stdout(&output)).unwrap();
}

/// The target does not respond, so that the request in flight would take its ten seconds.
#[test]
fn second_signal_ends_a_load_at_once() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", &dir, None);
    let printed = dir.path().join("printed");
    let mut load = load(&dir, &server.base_url(), &["--users", "2", "--duration", "10m", "--population", "10"]);
    let mut running = load.stdout(Stdio::null()).stderr(fs::File::create(&printed).unwrap()).spawn().unwrap();
    wait_for_load(&server);
    server.process().suspend().unwrap();
    send(&running, Signal::SIGINT);
    wait_until("it says so", LIMIT, || {
        fs::read_to_string(&printed).unwrap().contains("send the signal again to exit at once")
    });
    assert_eq!(running.try_wait().unwrap(), None, "it waits for the response");
    send(&running, Signal::SIGINT);
    assert_eq!(wait_for_exit(&mut running).code(), Some(1));
    server.process().resume().unwrap();
}

#[test]
fn one_signal_ends_the_conformance_suite() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("session-memory", &dir, None);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut running = start(command(&["conform", "--target", &server.base_url()]));
        wait_for_load(&server);
        send(&running, signal);
        let status = wait_for_exit(&mut running);
        let output = running.wait_with_output().unwrap();
        assert_eq!(status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
    }
}

/// It needs no cleanup, so that the first signal ends it.
#[test]
fn one_signal_ends_a_report() {
    let _lock = exclusive();
    let dir = TestDir::new();
    dir.file(record_file::FILE_NAME, &reference_record());
    let mut running = start(command(&["report", dir.path().to_str().unwrap()]));
    let clock = lab::observe::CpuClock::of(running.id()).unwrap();
    wait_until("it works", LIMIT, || clock.ns().unwrap() > 100_000_000);
    send(&running, Signal::SIGTERM);
    assert_eq!(wait_for_exit(&mut running).signal(), Some(Signal::SIGTERM as i32));
}

/// Returns the signals that a process ignores, one bit each; none after it has exited. While a process sets its
/// handlers it blocks those that it is about to ignore again.
fn ignored_signals(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    Some(mask("SigIgn:")? | mask("SigBlk:")?)
}

fn is_ignored(mask: u64, signal: Signal) -> bool {
    mask >> (signal as u32 - 1) & 1 == 1
}

/// Returns the role of a process by its program; none after it has exited, and for one that only prints a version.
fn role(pid: u32) -> Option<&'static str> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    match (program.trim(), line.split('\0').nth(1)) {
        ("authbench", Some("compare")) => Some("authbench"),
        ("authbench", Some("tidy-after")) => Some("janitor"),
        ("redis-server" | "session-server", Some("--version" | "-v")) => None,
        ("redis-server", _) => Some("redis-server"),
        ("session-server", _) => Some("session-server"),
        _ => None,
    }
}

/// Returns the child processes.
fn children(of: u32) -> Vec<u32> {
    let list = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        stat.and_then(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()) == Some(of)
    };
    list.filter(is_child).collect()
}

/// As under `nohup`, and as a background job of a script.
#[test]
fn signals_that_were_ignored_at_start_stay_ignored() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let out = dir.run();
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP INT TERM; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_authbench")]);
    ignoring
        .args(["compare", "--schemes", "session-redis", "--experiments", "wire", SKIP_CONFORMANCE, "--out"])
        .arg(&out);
    ignoring.stdin(Stdio::null()).process_group(0);
    let running = start(ignoring);
    // authbench, its janitor, and the processes that it has to stop; not all of them run at the same time. A process
    // between fork and exec has the role of its parent, so that the parent is checked by its number. The processes to
    // stop inherit the ignored signals, until they have installed their own handlers.
    let roles = ["authbench", "janitor", "redis-server", "session-server"];
    let mut seen = [None; 4];
    wait_until("its processes were seen, and what it has to stop can be stopped", Duration::from_mins(1), || {
        let authbench = std::iter::once((running.id(), 0..1));
        for (pid, allowed) in authbench.chain(children(running.id()).into_iter().map(|pid| (pid, 1..roles.len()))) {
            let at = role(pid).and_then(|role| roles.iter().position(|each| *each == role));
            if let Some(at) = at.filter(|at| allowed.contains(at)) {
                let found = ignored_signals(pid).filter(|mask| at < 2 || !is_ignored(*mask, Signal::SIGTERM));
                seen[at] = seen[at].or(found);
            }
        }
        seen.iter().all(Option::is_some)
    });
    for mask in &seen[..2] {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            assert!(is_ignored(mask.unwrap(), signal), "{signal}: {seen:?}");
        }
    }
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        send(&running, signal);
    }
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}: {}", output.status, stderr(&output));
    assert_eq!(record_file::read(&out).unwrap().run.status, Status::Complete);
}

#[test]
fn server_keeps_ignoring_signals_ignored_at_start() {
    let dir = TestDir::new();
    let printed = dir.path().join("printed");
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP INT; exec \"$0\" --listen 127.0.0.1:0 --users 10"]);
    ignoring.arg(lab::server::locate("anonymous-server").unwrap()).stdin(Stdio::null());
    let mut server = ignoring.stdout(fs::File::create(&printed).unwrap()).spawn().unwrap();
    wait_until("it listens", Duration::from_secs(20), || fs::read_to_string(&printed).unwrap().contains("listening"));
    let mask = ignored_signals(server.id()).unwrap();
    assert!([Signal::SIGINT, Signal::SIGHUP].into_iter().all(|signal| is_ignored(mask, signal)), "{mask:x}");
    send(&server, Signal::SIGINT);
    send(&server, Signal::SIGHUP);
    let line: Value = serde_json::from_str(fs::read_to_string(&printed).unwrap().lines().next().unwrap()).unwrap();
    let client = lab::http::Client::new(&format!("http://{}", line["listening"].as_str().unwrap()));
    client.login("user-000001", contract::user::PASSWORD).unwrap();
    send(&server, Signal::SIGTERM);
    assert!(wait_for_exit(&mut server).success());
}
