//! A server as its users start it: a process that says where it listens.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Answer, PATIENCE};

/// A running server. It is killed when this value goes.
pub(crate) struct Server {
    child: Child,
    log: Option<JoinHandle<String>>,
    pub(crate) address: SocketAddr,
    pub(crate) ready: Value,
}

/// With the signals that stop it as a terminal has them: it leaves ignored what was ignored at its start, and a shell
/// ignores SIGINT for what it runs in the background, these tests among it.
fn command(binary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=HUP,INT,TERM").arg(binary).args(arguments).env_clear();
    if arguments.contains(&"--bench") {
        // What is tested under --bench is not what a login costs.
        command.env("AUTHBENCH_PASSWORD_KIB", "64");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts the binary on a free port, with few users.
    pub(crate) fn start(binary: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let own = ["--listen", "127.0.0.1:0", "--users", "100"];
        Self::spawn(command(binary.as_ref(), &[&own, arguments].concat()))
    }

    /// Starts the binary with so many file descriptors, soft and hard limit.
    pub(crate) fn start_limited(descriptors: u32, binary: &str, arguments: &[&str]) -> Self {
        let limit = format!("ulimit -n {descriptors} && exec \"$@\"");
        let own = ["-c", &limit, "sh", binary, "--listen", "127.0.0.1:0", "--users", "100"];
        Self::spawn(command(Path::new("/bin/sh"), &[&own, arguments].concat()))
    }

    /// Starts the binary with these environment variables.
    pub(crate) fn start_with(binary: impl AsRef<Path>, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(binary.as_ref(), arguments);
        command.envs(variables.iter().copied());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary can be started");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map_or_else(|error| error.to_string(), |_| text)
        });
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("stdout can be read");
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            panic!("{command:?} did not start: {}", log.join().unwrap());
        };
        let address = ready["listening"].as_str().expect("the line has an address").parse().unwrap();
        Self { child, log: Some(log), address, ready }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        http::send(self.address, &format!("GET {path}"), headers, "")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        http::send(self.address, &format!("POST {path}"), headers, "")
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        http::send(self.address, &format!("POST {path}"), &headers, &body.to_string())
    }

    /// Logs in as the seeded user with this number.
    pub(crate) fn login(&self, user: u32) -> Answer {
        let username = contract::user::username(user);
        self.post_json("/login", &json!({ "username": username, "password": contract::user::PASSWORD }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for the process to end by itself, and gives how it did and what it had logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        (status, self.log.take().expect("the log is read once").join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The exit code and the standard error of a server that must not start.
pub(crate) fn refusal(binary: impl AsRef<Path>, arguments: &[&str]) -> (i32, String) {
    let mut child = command(binary.as_ref(), arguments).spawn().expect("the binary can be started");
    let code = wait(&mut child).code().expect("it ended by itself");
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "{arguments:?} wrote on stdout");
    (code, String::from_utf8(output.stderr).unwrap())
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    panic!("process {} did not end within {PATIENCE:?}", child.id());
}
