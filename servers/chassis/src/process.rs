//! The life of a server process, from its arguments to its exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use contract::Scheme;
use futures_util::future::LocalBoxFuture;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::app::App;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::module::{AuthModule, StartError};
use crate::routes::Routes;
use crate::serve::serve;
use crate::settings::{self, Settings};

/// The `main` of a server: reads the settings, serves until SIGTERM or SIGINT.
///
/// When it is ready it prints one line on stdout:
/// `{"listening":"127.0.0.1:41234","scheme":"session-redis","pid":123}`.
/// The code is 0 after a requested stop, 2 for invalid settings, and 1 for anything
/// else that prevents the start, each with one line on stderr.
#[must_use]
pub fn main<M: AuthModule>() -> ExitCode {
    match run::<M>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (code, fault) = match error {
                StartError::Usage(fault) => {
                    let arguments: Vec<_> = std::env::args_os().collect();
                    (2, settings::naming_variable::<M>(&fault, &arguments))
                }
                StartError::Failed(fault) => (1, fault),
            };
            // A response that is not from a store is described in several lines.
            let line = fault.split_whitespace().collect::<Vec<_>>().join(" ");
            print_error_line(&format!("{}: {line}", M::BINARY));
            ExitCode::from(code)
        }
    }
}

fn run<M: AuthModule>() -> Result<(), StartError> {
    let (settings, options) = settings::parse::<M>(std::env::args_os().collect())?;
    let metrics = Arc::new(Metrics::new());
    let routes = async {
        let built = M::build(&settings.start, options).await?;
        let app = Arc::new(App::new(built, &settings, Clock::system()));
        Ok(Routes::new(app, Arc::clone(&metrics), settings.bench))
    };
    serve_until_stopped(&settings, Box::pin(routes), &metrics)
}

/// All that follows is the same code for every module, so that it is compiled once and not once per server.
fn serve_until_stopped(
    settings: &Settings,
    routes: LocalBoxFuture<'_, Result<Routes, StartError>>,
    metrics: &Arc<Metrics>,
) -> Result<(), StartError> {
    log_to_stderr(settings.log);
    let runtime =
        runtime(settings.workers).map_err(|error| StartError::Failed(format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(start(settings, routes, Arc::clone(metrics)));
    // Password hashings of clients that have gone need not be waited for.
    runtime.shutdown_background();
    result
}

async fn start(
    settings: &Settings,
    routes: LocalBoxFuture<'_, Result<Routes, StartError>>,
    metrics: Arc<Metrics>,
) -> Result<(), StartError> {
    let stop = ShutdownSignals::new()
        .map_err(|error| StartError::Failed(format!("cannot install signal handlers: {error}")))?;
    let routes = routes.await?;
    let listener = listen(settings)?;
    if let Err(error) = print_ready_line(&listener, settings.start.scheme) {
        let message = format!("cannot write the address to stdout: {error}");
        if settings.listen.port() == 0 {
            return Err(StartError::Failed(format!(
                "{message}; clients cannot learn the port; set a port with --listen"
            )));
        }
        tracing::warn!("{message}");
    }
    serve(listener, routes, metrics, settings.limits, stop.wait()).await;
    Ok(())
}

/// One worker needs no other thread to hand tasks to, and the runtime without them is the cheaper one.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}

/// Connections that may wait to be accepted. With the 128 of the standard library a thousand concurrent clients overflow
/// the queue, and a dropped client retries after a second. The kernel lowers this to its own limit,
/// `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

fn listen(settings: &Settings) -> Result<TcpListener, StartError> {
    let address = settings.listen;
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A server that was just stopped has left connections behind that would keep its port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listening().map_err(|error: io::Error| {
        StartError::Failed(format!("cannot listen on {address}: {error}; set another address with --listen"))
    })
}

fn print_ready_line(listener: &TcpListener, scheme: Scheme) -> io::Result<()> {
    let line = serde_json::json!({
        "listening": listener.local_addr()?.to_string(),
        "scheme": scheme.id(),
        "pid": std::process::id(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Writes a line to stderr, if that can be.
fn print_error_line(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Logs of this crate at the configured level; those of the libraries at most warnings, because
/// what they log of requests may contain credentials.
fn log_to_stderr(level: LevelFilter) {
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("chassis", level);
    // A log that cannot be written must not end the server: the report of that would go to the same place.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).log_internal_errors(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}

/// The signals that end the server. One that was ignored at start stays ignored, as SIGINT is for what a shell without job
/// control runs in the background; SIGHUP is never touched.
struct ShutdownSignals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl ShutdownSignals {
    fn new() -> io::Result<Self> {
        let ignored = ignored_signals();
        let watch = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            (!is_ignored).then(|| signal(kind)).transpose()
        };
        Ok(Self { terminate: watch(SignalKind::terminate())?, interrupt: watch(SignalKind::interrupt())? })
    }

    async fn wait(self) {
        tokio::select! {
            () = receive(self.terminate) => {}
            () = receive(self.interrupt) => {}
        }
    }
}

/// Waits for the signal; for ever where it is ignored.
async fn receive(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// A bit for each signal that is ignored; none where `/proc` cannot be read.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
