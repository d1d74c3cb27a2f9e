//! When the program is killed, nothing of it is left.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use lab::child::Bounds;
use lab::redis::Redis;
use lab::scratch::Scratch;

use crate::processes::{ignored_test_command, is_running, shell, wait_until};

const FOLDER: &str = "LAB_TEST_FOLDER";

#[test]
fn killed_program_leaves_no_process_and_its_folder_is_reclaimed() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = ignored_test_command("parent::hold_resources")
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pids = lines.find_map(|line| line.strip_prefix("pids ").map(str::to_owned)).unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 3 && pids.iter().all(|&pid| is_running(pid)), "{pids:?}");
    assert!(Scratch::reclaim_in(folder.path()).is_empty(), "the directory of a running owner is kept");

    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until(15, "the children exit", || pids.iter().all(|&pid| !is_running(pid)));
    assert_eq!(Scratch::reclaim_in(folder.path()).len(), 1);
}

/// A program that holds a scratch folder, a Redis, a child of its first thread and one of a thread that has ended.
#[test]
#[ignore = "the program that the test above kills"]
fn hold_resources() {
    let folder = std::env::var_os(FOLDER).expect("it is run by the test above");
    let folder = Path::new(&folder);
    let scratch = Scratch::new_in(folder).unwrap();
    let redis = Redis::start(scratch.path(), &folder.join("redis.log"), &Bounds::default()).unwrap();
    let logs = tempfile::tempdir_in(scratch.path()).unwrap();
    let sleep = || shell(&logs, "exec sleep 1000");
    let children = [sleep(), std::thread::scope(|scope| scope.spawn(sleep).join()).unwrap()];
    println!("\npids {} {} {}", redis.pid().unwrap(), children[0].pid(), children[1].pid());
    loop {
        std::thread::park();
    }
}
