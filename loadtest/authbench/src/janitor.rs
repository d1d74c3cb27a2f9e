//! A process beside this one that removes what this one leaves behind if it is killed.
//!
//! | end of this program | what removes its folders, control groups and keys in a lent Redis |
//! | --- | --- |
//! | in order, or a panic that unwinds | the `Drop` of what made them |
//! | `exit`, abort, any signal, even SIGKILL | the janitor, at once |
//! | SIGKILL for the janitor, too | the next start ([`left_over`](crate::left_over)) |

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::redis::Redis;
use lab::scratch::Scratch;
use lab::slice::Slices;

use crate::cli;
use crate::exit::ExitResult;

/// How long this program's entry may stay once its files are closed, which is the last but one thing the kernel does for it.
const END_PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);
/// What this program started ends at the same moment, and may still write a file into a folder that is being removed.
const PASSES: u32 = 5;
const BETWEEN_PASSES: Duration = Duration::from_millis(50);
/// What this program says when it ends in good order.
const LEAVE: &str = ".";

/// It waits for as long as this value lives; dropped, it ends without having done anything.
pub(crate) struct Janitor {
    process: Child,
    word: Option<ChildStdin>,
}

impl Janitor {
    /// Starts it: this program again, in a process group of its own, so that a Ctrl-C at the terminal does not reach it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([cli::TIDY_AFTER, &std::process::id().to_string()]).process_group(0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let word = process.stdin.take();
        Ok(Self { process, word })
    }

    /// Has it remove the keys of this run from a lent Redis, too. It learns the URL, which may hold a password, through
    /// a pipe, and not from its command line.
    pub(crate) fn watch(&mut self, redis: &Redis) {
        let line = format!("{} {}\n", redis.key_prefix(), redis.url());
        // If it was killed, the next run removes them.
        let _ = self.word.as_mut().map(|word| word.write_all(line.as_bytes()));
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // A janitor that somebody has killed hears nothing, and needs not.
        let _ = self.word.take().map(|mut word| word.write_all(LEAVE.as_bytes()));
        let _ = self.process.wait();
    }
}

/// The janitor itself: waits until the process `of` has ended, and unless that took its leave, removes what it left.
pub(crate) fn tidy_after(of: u32) -> ExitResult {
    let mut said = String::new();
    // The kernel closes the other end, however the process ends.
    io::stdin().read_to_string(&mut said)?;
    if said.ends_with(LEAVE) {
        return Ok(());
    }
    let lent: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once(' ')).collect();
    let deadline = Instant::now() + END_PATIENCE;
    while parent_id() == of && Instant::now() < deadline {
        sleep(POLL);
    }
    for _ in 0..PASSES {
        // Its output is not read. What cannot be removed now, the next run removes.
        let _ = (Scratch::reclaim(), Slices::reclaim());
        for (key_prefix, url) in &lent {
            let _ = Redis::reclaim_run(url, key_prefix);
        }
        sleep(BETWEEN_PASSES);
    }
    Ok(())
}
