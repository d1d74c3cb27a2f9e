//! A child process that cleans up if this process is killed.
//!
//! | end of this program | what removes its folders, control groups and keys in an external Redis |
//! | --- | --- |
//! | normal exit, or a panic that unwinds | the `Drop` of their owners |
//! | `exit`, abort, any signal, even SIGKILL | the janitor, at once |
//! | SIGKILL to this program and to the janitor | the next start ([`cleanup`](crate::cleanup)) |

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::cpu_quota::CpuQuotas;
use lab::redis::Redis;
use lab::scratch::Scratch;

use crate::cli;
use crate::exit::ExitResult;

/// How long to wait for the process to exit after it closed its files, which the kernel does shortly before.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);
/// The other child processes exit at the same time and may still write files into a folder that is being removed.
const CLEANUP_PASSES: u32 = 5;
const BETWEEN_PASSES: Duration = Duration::from_millis(50);
/// Sent to the janitor on a normal exit.
const NORMAL_EXIT: &str = ".";

/// A running janitor. Dropping it stops the janitor without any cleanup.
pub(crate) struct Janitor {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Janitor {
    /// Starts the janitor: this program in a separate process group, so that Ctrl-C at the terminal does not reach it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([cli::TIDY_AFTER, &std::process::id().to_string()]).process_group(0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    /// Makes the janitor also remove the keys of this run from an external Redis. The URL, which may contain a password,
    /// is passed through a pipe and not on the command line.
    pub(crate) fn watch(&mut self, redis: &Redis) {
        let line = format!("{} {}\n", redis.key_prefix(), redis.url());
        // If it was killed, the next run removes them.
        let _ = self.pipe.as_mut().map(|pipe| pipe.write_all(line.as_bytes()));
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // The write fails if the janitor was killed, which is fine.
        let _ = self.pipe.take().map(|mut pipe| pipe.write_all(NORMAL_EXIT.as_bytes()));
        let _ = self.process.wait();
    }
}

/// The janitor's main function: waits until the process `pid` exits, and cleans up unless it exited normally.
pub(crate) fn clean_up_after(pid: u32) -> ExitResult {
    let mut input = String::new();
    // The kernel closes the other end, however the process exits.
    io::stdin().read_to_string(&mut input)?;
    if input.ends_with(NORMAL_EXIT) {
        return Ok(());
    }
    let external_redis: Vec<(&str, &str)> = input.lines().filter_map(|line| line.split_once(' ')).collect();
    let deadline = Instant::now() + EXIT_TIMEOUT;
    while parent_id() == pid && Instant::now() < deadline {
        sleep(POLL);
    }
    for _ in 0..CLEANUP_PASSES {
        // There is no reader for errors. The next run removes what cannot be removed now.
        let _ = (Scratch::reclaim(), CpuQuotas::reclaim());
        for (key_prefix, url) in &external_redis {
            let _ = Redis::reclaim_run(url, key_prefix);
        }
        sleep(BETWEEN_PASSES);
    }
    Ok(())
}
