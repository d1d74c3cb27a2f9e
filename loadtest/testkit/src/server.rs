//! A server as its users start it: a process that prints where it listens.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::TIMEOUT;
use crate::http::{self, Response};

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    log: Option<JoinHandle<String>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// The line that it printed when it was ready.
    pub ready: Value,
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
    pub fn start(binary: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let defaults = ["--listen", "127.0.0.1:0", "--users", "100"];
        Self::spawn(command(binary.as_ref(), &[&defaults, arguments].concat()))
    }

    /// Starts the binary with this many file descriptors, as soft and hard limit.
    pub fn start_limited(descriptors: u32, binary: &str, arguments: &[&str]) -> Self {
        let limit = format!("ulimit -n {descriptors} && exec \"$@\"");
        let shell_arguments = ["-c", &limit, "sh", binary, "--listen", "127.0.0.1:0", "--users", "100"];
        Self::spawn(command(Path::new("/bin/sh"), &[&shell_arguments, arguments].concat()))
    }

    /// Starts the binary with these environment variables.
    pub fn start_with(binary: impl AsRef<Path>, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
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

    /// Sends a GET.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        http::send(self.address, &format!("GET {path}"), headers, "")
    }

    /// Sends a POST without a body.
    pub fn post(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        http::send(self.address, &format!("POST {path}"), headers, "")
    }

    /// Sends a POST with a JSON body.
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        let headers = [("content-type", "application/json")];
        http::send(self.address, &format!("POST {path}"), &headers, &body.to_string())
    }

    /// Logs in as the seeded user with this number.
    pub fn login(&self, user: u32) -> Response {
        let username = contract::user::username(user);
        self.post_json("/login", &json!({ "username": username, "password": contract::user::PASSWORD }))
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal, such as `-TERM`.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits until the process exits, and returns its exit status and its log.
    pub fn wait_for_exit(mut self) -> (ExitStatus, String) {
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

/// Returns the exit code and the standard error of a server that must not start.
pub fn startup_error(binary: impl AsRef<Path>, arguments: &[&str]) -> (i32, String) {
    let mut child = command(binary.as_ref(), arguments).spawn().expect("the binary can be started");
    let code = wait(&mut child).code().expect("it exited by itself");
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "{arguments:?} wrote on stdout");
    (code, String::from_utf8(output.stderr).unwrap())
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    panic!("process {} did not exit within {TIMEOUT:?}", child.id());
}
