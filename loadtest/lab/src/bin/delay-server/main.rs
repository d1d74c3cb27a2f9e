//! The reference target: a server with known response times, to verify an instrument against the
//! truth.
//!
//! With `--delay-us` it responds to every request after exactly that time, however many there are. With
//! `--service-us` and `--servers` it is a queueing station: requests wait in one queue, first come
//! first served, for one of several servers, each of which takes exactly that time.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod connection;
mod reply;
mod report;
mod station;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use clap::Parser;
use nix::sys::signal::{SigSet, Signal};

use connection::Service;
use report::Report;
use station::Station;

/// The longest time that can be set, in microseconds: the reach of the histograms.
const MAX_DELAY_US: u64 = engine::record::MAX_US;

/// Responds to HTTP requests after a known delay, and on SIGTERM prints the actual delays.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 selects a free port, which the first line on stdout states.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Microseconds from the last byte of a request to the first byte of its response.
    #[arg(
        long,
        conflicts_with = "service_us",
        required_unless_present = "service_us",
        value_parser = clap::value_parser!(u64).range(..=MAX_DELAY_US)
    )]
    delay_us: Option<u64>,
    /// Microseconds that one server takes for one request; a request waits until a server is free.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=MAX_DELAY_US))]
    service_us: Option<u64>,
    /// Number of servers.
    #[arg(long, default_value_t = 1, requires = "service_us", value_parser = clap::value_parser!(u32).range(1..))]
    servers: u32,
    /// Run the responding threads under `SCHED_FIFO` if permitted.
    #[arg(long)]
    workers_fifo: bool,
}

impl Args {
    fn station(&self) -> Station {
        let ns = |us: Option<u64>| us.unwrap_or_default() * 1000;
        match self.service_us {
            Some(_) => Station::queue(ns(self.service_us), self.servers as usize),
            None => Station::delay(ns(self.delay_us)),
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // Blocked before any thread is started, so that all inherit it and only `wait` receives them.
    // A blocked signal is received even where it is ignored, so those that were ignored at start are left out.
    let stop_signals: SigSet =
        [Signal::SIGTERM, Signal::SIGINT].into_iter().filter(|signal| !lab::signals::is_ignored(*signal)).collect();
    stop_signals.thread_block()?;
    let listener = TcpListener::bind(args.listen)?;
    let address = listener.local_addr()?;
    let report = Arc::new(Mutex::new(Report::new()));
    let service = Service::new(args.station(), Arc::clone(&report), args.workers_fifo);
    std::thread::spawn(move || service.accept(&listener));
    print_line(&serde_json::json!({ "listening": address, "scheme": reply::SCHEME, "pid": std::process::id() }))?;
    stop_signals.wait()?;
    let summary = report.lock().expect("recording does not panic").summary();
    print_line(&summary)
}

fn print_line(value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    io::stdout().write_all(&line)?;
    io::stdout().flush()
}
