//! A child process that cleans up if this process is killed.
//!
//! | end of this program | what removes its folders, control groups and keys in an external Redis |
//! | --- | --- |
//! | normal exit, or a panic that unwinds | the `Drop` of their owners |
//! | `exit`, abort, any signal, even SIGKILL | the janitor, at once |
//! | SIGKILL to this program and to the janitor | the next start ([`left_over`](crate::left_over)) |

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

/// How long to wait for the process to exit after it closed its files, which the kernel does shortly before.
const END_PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);
/// The other child processes exit at the same time and may still write files into a folder that is being removed.
const PASSES: u32 = 5;
const BETWEEN_PASSES: Duration = Duration::from_millis(50);
/// Sent to the janitor on a normal exit.
const LEAVE: &str = ".";

/// A running janitor. Dropping it stops the janitor without any cleanup.
pub(crate) struct Janitor {
    process: Child,
    word: Option<ChildStdin>,
}

impl Janitor {
    /// Starts the janitor: this program in a separate process group, so that Ctrl-C at the terminal does not reach it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([cli::TIDY_AFTER, &std::process::id().to_string()]).process_group(0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let word = process.stdin.take();
        Ok(Self { process, word })
    }

    /// Makes the janitor also remove the keys of this run from an external Redis. The URL, which may contain a password,
    /// is passed through a pipe and not on the command line.
    pub(crate) fn watch(&mut self, redis: &Redis) {
        let line = format!("{} {}\n", redis.key_prefix(), redis.url());
        // If it was killed, the next run removes them.
        let _ = self.word.as_mut().map(|word| word.write_all(line.as_bytes()));
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // The write fails if the janitor was killed, which is fine.
        let _ = self.word.take().map(|mut word| word.write_all(LEAVE.as_bytes()));
        let _ = self.process.wait();
    }
}

/// The janitor's main function: waits until the process `of` exits, and cleans up unless it exited normally.
pub(crate) fn tidy_after(of: u32) -> ExitResult {
    let mut said = String::new();
    // The kernel closes the other end, however the process exits.
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
        // There is no reader for errors. The next run removes what cannot be removed now.
        let _ = (Scratch::reclaim(), Slices::reclaim());
        for (key_prefix, url) in &lent {
            let _ = Redis::reclaim_run(url, key_prefix);
        }
        sleep(BETWEEN_PASSES);
    }
    Ok(())
}
