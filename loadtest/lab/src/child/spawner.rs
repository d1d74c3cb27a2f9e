//! The one thread that starts every child, because `PR_SET_PDEATHSIG` fires at its end.

use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::sys::signal::{SigHandler, Signal, signal};

struct Job {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// Never dropped, so the thread never ends before the program.
static SPAWNER: LazyLock<Sender<Job>> = LazyLock::new(|| {
    reap_children();
    let (jobs, queue) = channel();
    std::thread::Builder::new()
        .name("lab-spawner".to_owned())
        .spawn(move || serve(&queue))
        .expect("the load generator can start a thread");
    jobs
});

pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, response) = channel();
    SPAWNER.send(Job { command, reply }).expect("the spawner lives as long as the program");
    response.recv().expect("the spawner replies to every job")
}

fn serve(queue: &Receiver<Job>) {
    for mut job in queue {
        let spawned = job.command.spawn();
        // The receiver is still waiting: `spawn` blocks until this reply.
        let _ = job.reply.send(spawned);
    }
}

/// A parent that ignored SIGCHLD hands that down, and then the kernel reaps children by itself and
/// may give their ids to others while they are still ours to signal.
#[expect(unsafe_code, reason = "a signal's disposition belongs to the whole process")]
fn reap_children() {
    // SAFETY: the default disposition installs no handler, so there is none that could be unsound.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.expect("SIGCHLD may be set to its default");
}
