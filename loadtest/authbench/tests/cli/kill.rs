//! Cleanup: however authbench ends, it leaves nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use engine::record::Status;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::support::{
    SKIP_CONFORMANCE, TestDir, authbench, command, exclusive, runs_full_tests, start, stderr, wait_until,
};

/// Everything must be cleaned up after this time.
const LIMIT: Duration = Duration::from_secs(15);
/// The first server of a run has started after this time.
const SERVING: Duration = Duration::from_secs(20);

/// The experiments that start other processes than `cost`.
const EXPERIMENTS: [(&str, &str); 9] = [
    ("rtt", "session-redis"),
    ("login", "session-redis"),
    ("reject", "session-redis"),
    ("scaling", "session-redis"),
    ("population", "session-redis"),
    ("revocation", "session-redis,session-redis-cached"),
    ("outage", "session-redis"),
    ("fanout", "hybrid"),
    ("rotation", "jwt-hs256,cookie-sealed"),
];

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL];

/// Nodes with CPU quotas, delay proxies, login bursts, chains of servers, stores with faults: each is killed once, by
/// the signals in turn, as soon as it has a server; with `FULL_TESTS` by each signal, at a random moment.
#[test]
fn killed_experiments_leave_nothing() {
    let _lock = exclusive();
    let mut random = SmallRng::seed_from_u64(20_261_123);
    let cost = ("cost", "session-redis,jwt-hs256");
    for (index, (experiment, schemes)) in [cost].into_iter().chain(EXPERIMENTS).enumerate() {
        let only = ["--schemes", schemes, "--experiments", experiment, SKIP_CONFORMANCE];
        if runs_full_tests() {
            for signal in SIGNALS {
                expect_cleanup(signal, Moment::After(Duration::from_millis(random.random_range(300..8_000))), &only);
            }
        } else {
            expect_cleanup(SIGNALS[index % 3], Moment::Serving, &only);
        }
    }
}

/// Also while the stores start and the conformance checks run.
#[test]
fn killed_comparison_leaves_nothing() {
    let _lock = exclusive();
    let mut random = SmallRng::seed_from_u64(20_261_122);
    let times = if runs_full_tests() { 10 } else { 2 };
    for signal in SIGNALS.into_iter().cycle().take(times) {
        let after = Duration::from_millis(random.random_range(300..6_000));
        expect_cleanup(signal, Moment::After(after), &["--schemes", "session-redis,jwt-hs256"]);
    }
}

/// The moment at which a comparison with a record is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as one of the measured servers runs.
    Serving,
    After(Duration),
}

fn expect_cleanup(signal: Signal, moment: Moment, args: &[&str]) {
    let case = format!("{signal}, {moment:?}, {args:?}");
    let dir = TestDir::new();
    let run = dir.run();
    let mut compare = command(&[&["compare", "--out", run.to_str().unwrap()], args].concat());
    // A separate process group, as a shell creates it, and scratch folders that this test can see.
    let mut running = start_in_group(&mut compare, &dir);
    wait_until("the record is begun", Duration::from_secs(10), || run.join(record_file::FILE_NAME).exists());
    match moment {
        Moment::Serving => {
            wait_until("a server has started", SERVING, || servers(&running).into_iter().any(is_auth_server));
        }
        Moment::After(time) => std::thread::sleep(time),
    }
    let children = children(&running);
    kill(pid(&running), signal).unwrap();

    let mut status = None;
    wait_until(&format!("authbench ends ({case})"), LIMIT, || {
        status = running.try_wait().unwrap();
        status.is_some()
    });
    wait_until(&format!("its children end ({case})"), LIMIT, || children.iter().all(|&pid| has_exited(pid)));
    if signal != Signal::SIGKILL {
        assert_eq!(status.unwrap().code(), Some(1), "{case}");
    }
    assert_eq!(scratch_folders(&dir), Vec::<PathBuf>::new(), "{case}");
    assert_eq!(control_groups(&running), Vec::<PathBuf>::new(), "{case}");
    let record = record_file::read(&run).unwrap();
    assert!(matches!(record.run.status, Status::Incomplete { .. }), "{case}: {:?}", record.run.status);
}

/// With `FULL_TESTS` each experiment: the detection of an exit is the same in all of them.
#[test]
fn experiment_fails_when_one_of_its_processes_exits() {
    let _lock = exclusive();
    let mut random = SmallRng::seed_from_u64(20_261_124);
    let some = ["login", "scaling", "outage"];
    let selected = EXPERIMENTS.iter().filter(|(name, _)| runs_full_tests() || some.contains(name));
    let failures: Vec<String> =
        selected.filter_map(|&(name, schemes)| failure_after_server_exit(name, schemes, &mut random)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Kills a server or store of such a run at a random moment, and returns what is wrong with the end of the run, if
/// anything.
fn failure_after_server_exit(experiment: &str, schemes: &str, random: &mut SmallRng) -> Option<String> {
    let dir = TestDir::new();
    let run = dir.run();
    let printed = dir.path().join("printed");
    let args = ["compare", "--schemes", schemes, "--experiments", experiment, SKIP_CONFORMANCE, "--out"];
    let mut compare = command(&[&args[..], &[run.to_str().unwrap()]].concat());
    compare.process_group(0).env("TMPDIR", dir.path()).stdout(std::process::Stdio::null());
    let mut running = compare.stderr(fs::File::create(&printed).unwrap()).spawn().unwrap();
    wait_until("a server has started", SERVING, || !servers(&running).is_empty());
    if runs_full_tests() {
        std::thread::sleep(Duration::from_millis(random.random_range(0..5_000)));
    }
    let mut killed_pid = 0;
    wait_until("a server is killed", Duration::from_secs(20), || {
        killed_pid = kill_a_server(&running, random).unwrap_or(0);
        killed_pid != 0
    });
    let mut status = None;
    // A server that is just starting has half a minute to become ready without its store.
    wait_until(&format!("{experiment} ends without {killed_pid}"), Duration::from_mins(1), || {
        status = running.try_wait().unwrap();
        status.is_some()
    });
    let printed = fs::read_to_string(&printed).unwrap();
    let as_expected = status.unwrap().code() == Some(1)
        && printed.contains(&format!("(process {killed_pid}) exited"))
        && matches!(record_file::read(&run).unwrap().run.status, Status::Incomplete { .. })
        && scratch_folders(&dir).is_empty()
        && control_groups(&running).is_empty();
    (!as_expected).then(|| format!("{experiment} without {killed_pid}: {status:?}, {printed}"))
}

/// Kills a random server or store of a run, but none that authbench is stopping: the exit of such a process is expected.
fn kill_a_server(running: &Child, random: &mut SmallRng) -> Option<u32> {
    // A suspended process stops no others, and servers that were told to stop before close their sockets meanwhile.
    kill(pid(running), Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_millis(250));
    let listening_sockets = listening_sockets();
    // Between two parts of an experiment there is none.
    let serving = servers(running)
        .into_iter()
        .filter(|&pid| sockets(pid).iter().any(|socket| listening_sockets.contains(socket)));
    let killed_pid = serving.choose(random);
    let result = killed_pid.map(|pid| kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL));
    kill(pid(running), Signal::SIGCONT).unwrap();
    result.transpose().unwrap();
    killed_pid
}

/// Returns the inodes of all listening sockets.
fn listening_sockets() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[3] == "0A").map(|fields| fields[9].to_owned()).collect()
}

/// Returns the inodes of a process's sockets.
fn sockets(of: u32) -> Vec<String> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{of}/fd")) else { return Vec::new() };
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

/// Returns the servers that it has started.
fn servers(of: &Child) -> Vec<u32> {
    // A Redis is called redis-server, and counts as well.
    let is_server = |pid: &u32| arguments(*pid).first().is_some_and(|program| program.contains("-server"));
    children(of).into_iter().filter(is_server).collect()
}

/// Returns whether a server is not a store.
fn is_auth_server(pid: u32) -> bool {
    arguments(pid).iter().any(|argument| argument == "--bench")
}

#[test]
fn next_start_cleans_up_if_the_janitor_was_killed_too() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let args = ["compare", "--schemes", "session-redis", "--experiments", "cost", SKIP_CONFORMANCE, "--out"];
    let mut running = start_in_group(&mut command(&[&args[..], &[run.to_str().unwrap()]].concat()), &dir);
    wait_until("there is something to leave", Duration::from_secs(10), || has_complete_scratch_folder(&dir));
    let children = children(&running);
    let janitor = *children.iter().find(|pid| is_janitor(**pid)).expect("a janitor stands by");
    for pid in [Pid::from_raw(janitor.try_into().unwrap()), pid(&running)] {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    running.wait().unwrap();
    wait_until("its children end", LIMIT, || children.iter().all(|&pid| has_exited(pid)));
    assert_ne!(scratch_folders(&dir), Vec::<PathBuf>::new(), "no process was left to remove it");
    expect_next_run_cleans_up(&dir);
}

#[test]
fn keys_of_a_killed_run_in_an_external_redis_are_removed() {
    let _lock = exclusive();
    let (dir, store_dir) = (TestDir::new(), TestDir::new());
    let bounds = lab::child::Bounds::default();
    let redis = lab::redis::Redis::start(store_dir.path(), &store_dir.path().join("redis.log"), &bounds).unwrap();
    let run_until_keys = |name: &str| {
        let out = dir.path().join(name);
        let flags = ["compare", "--schemes", "session-redis", "--experiments", "cost", SKIP_CONFORMANCE, "--redis-url"];
        let args = [&flags[..], &[redis.url(), "--out", out.to_str().unwrap()]].concat();
        let running = start_in_group(&mut command(&args), &dir);
        wait_until("the run has stored sessions", Duration::from_secs(20), || redis.keys().unwrap() > 100);
        running
    };

    let mut running = run_until_keys("watched");
    kill(pid(&running), Signal::SIGKILL).unwrap();
    running.wait().unwrap();
    wait_until("its janitor removes its keys", LIMIT, || redis.keys().unwrap() == 0);

    let mut running = run_until_keys("unwatched");
    let children = children(&running);
    let janitor = *children.iter().find(|pid| is_janitor(**pid)).expect("a janitor stands by");
    for pid in [Pid::from_raw(janitor.try_into().unwrap()), pid(&running)] {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    running.wait().unwrap();
    wait_until("its children end", LIMIT, || children.iter().all(|&pid| has_exited(pid)));
    assert!(redis.keys().unwrap() > 100, "no process is left that could remove them");
    let out = dir.path().join("next");
    let next = ["compare", "--schemes", "session-redis", "--experiments", "wire", SKIP_CONFORMANCE, "--redis-url"];
    let output = authbench(&[&next[..], &[redis.url(), "--out", out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("keys that killed runs left"), "{}", stderr(&output));
    assert_eq!(redis.keys().unwrap(), 0);
}

fn is_janitor(pid: u32) -> bool {
    arguments(pid).get(1).is_some_and(|subcommand| subcommand == "tidy-after")
}

/// Returns the command line of a process; empty after it has exited.
fn arguments(pid: u32) -> Vec<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split_terminator('\0').map(str::to_owned).collect()
}

/// Returns the control groups that it has created, wherever they are mounted.
fn control_groups(of: &Child) -> Vec<PathBuf> {
    let prefix = format!("authbench-{}-", of.id());
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

fn start_in_group(compare: &mut std::process::Command, dir: &TestDir) -> Child {
    compare.process_group(0).env("TMPDIR", dir.path());
    compare.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
}

fn expect_next_run_cleans_up(dir: &TestDir) {
    let out = dir.path().join("next");
    let mut next = command(&[
        "compare",
        "--schemes",
        "jwt-hs256",
        "--experiments",
        "wire",
        SKIP_CONFORMANCE,
        "--out",
        out.to_str().unwrap(),
    ]);
    next.env("TMPDIR", dir.path());
    let output = start(next).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(scratch_folders(dir), Vec::<PathBuf>::new());
}

fn scratch_folders(dir: &TestDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("authbench-"));
    ours.map(|entry| entry.path()).collect()
}

/// A folder that is still being created is kept for a minute: it may belong to a run that starts now.
fn has_complete_scratch_folder(dir: &TestDir) -> bool {
    scratch_folders(dir).iter().any(|folder| folder.join("lock").exists())
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

/// Returns the child processes.
fn children(parent: &Child) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid).is_some_and(|(_, of)| of == parent.id())).collect()
}

/// Returns whether a process has exited; its entry may still wait for its parent.
fn has_exited(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| state == 'Z')
}

/// Returns state and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[test]
fn interrupted_run_can_be_reported() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let compare = start(command(&[
        "compare",
        "--schemes",
        "jwt-hs256",
        "--experiments",
        "cost",
        SKIP_CONFORMANCE,
        "--out",
        run.to_str().unwrap(),
    ]));
    wait_until("a round is recorded", Duration::from_mins(1), || {
        record_file::read(&run).is_ok_and(|record| !record.experiments.is_empty())
    });
    kill(pid(&compare), Signal::SIGINT).unwrap();
    let output = compare.wait_with_output().unwrap();
    assert!(stderr(&output).contains("authbench report"), "{}", stderr(&output));
    let rebuilt = authbench(&["report", run.to_str().unwrap()]);
    assert!(rebuilt.status.success(), "{}", stderr(&rebuilt));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("interrupted"), "the page says that the run is incomplete");
}
