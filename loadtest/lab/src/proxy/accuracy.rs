//! Measures how accurate a proxy is on this machine: messages at a steady rate through it and directly, to the same
//! echo server, timed by the sender.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;

use engine::clock::{enable_precise_wakeups, now_ns, sleep_until};

use super::{DelayProxy, Link, histogram};

/// Long enough for a small request, and for the moment it was sent.
const MESSAGE_BYTES: usize = 64;
/// What a proxy gives at the median may be so far from what it was set to, in microseconds.
pub const MAX_ERROR_US: f64 = 50.0;
/// The first messages find everything cold.
const WARMUP: usize = 200;

/// What round trips took past a proxy and through it, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProxyAccuracy {
    /// The configured delay.
    pub set_us: f64,
    /// Past the proxy, as the sender saw it.
    pub direct: Percentiles,
    /// Through the proxy, as the sender saw it.
    pub through: Percentiles,
    /// What the proxy cost for each message, per round trip, in microseconds of CPU time.
    pub cpu_us: f64,
}

/// Two percentiles, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let us = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self { p50: us(0.5), p99: us(0.99) }
    }
}

impl ProxyAccuracy {
    /// Returns the delay that the proxy added: median round trip through it minus the direct one.
    #[must_use]
    pub fn added_us(&self) -> f64 {
        self.through.p50 - self.direct.p50
    }

    /// Returns the added delay minus the configured one.
    #[must_use]
    pub fn error_us(&self) -> f64 {
        self.added_us() - self.set_us
    }
}

/// Sends messages at this rate for this long, past a proxy and through it, and compares. The proxy is kept on
/// `proxy_cpus` unless these are empty.
pub fn measure_accuracy(
    round_trip: Duration,
    messages_per_s: u32,
    duration: Duration,
    proxy_cpus: &[u32],
) -> io::Result<ProxyAccuracy> {
    let echo = start_echo()?;
    let count = WARMUP + (duration.as_secs_f64() * f64::from(messages_per_s)) as usize;
    let direct = round_trips(echo, messages_per_s, count)?;
    let proxy = DelayProxy::start(echo, Link::of_round_trip(round_trip), proxy_cpus, 1)?;
    let through = round_trips(proxy.address(), messages_per_s, count)?;
    Ok(ProxyAccuracy {
        set_us: round_trip.as_secs_f64() * 1e6,
        direct: Percentiles::of(&direct),
        through: Percentiles::of(&through),
        cpu_us: proxy.cpu_ns() as f64 / 1e3 / count as f64,
    })
}

/// Sends every message when it is due, and reads the echoes meanwhile: many may be under way at a time.
fn round_trips(to: SocketAddr, messages_per_s: u32, count: usize) -> io::Result<Histogram<u64>> {
    let mut sender = TcpStream::connect(to)?;
    sender.set_nodelay(true)?;
    let receiver = sender.try_clone()?;
    thread::scope(|scope| {
        let reading = scope.spawn(move || read_echoes(receiver, count));
        let writing = scope.spawn(move || {
            let _ = enable_precise_wakeups(true);
            let start = now_ns();
            for number in 0..count as u64 {
                sleep_until(start + number * 1_000_000_000 / u64::from(messages_per_s));
                let mut message = [0; MESSAGE_BYTES];
                message[..8].copy_from_slice(&now_ns().to_le_bytes());
                sender.write_all(&message)?;
            }
            Ok(())
        });
        let written: io::Result<()> = writing.join().expect("sending does not panic");
        written.and(reading.join().expect("reading does not panic"))
    })
}

fn read_echoes(mut from: TcpStream, count: usize) -> io::Result<Histogram<u64>> {
    let _ = enable_precise_wakeups(true);
    from.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut histogram = histogram();
    let mut message = [0; MESSAGE_BYTES];
    for number in 0..count {
        from.read_exact(&mut message)?;
        let sent = u64::from_le_bytes(message[..8].try_into().expect("eight bytes"));
        if number >= WARMUP {
            histogram.saturating_record(now_ns().saturating_sub(sent));
        }
    }
    Ok(histogram)
}

/// Serves the two connections of a trial: each client gets back what it sends.
fn start_echo() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().take(2).flatten() {
            thread::spawn(move || echo(client));
        }
    });
    Ok(address)
}

fn echo(mut client: TcpStream) -> io::Result<()> {
    let _ = enable_precise_wakeups(true);
    client.set_nodelay(true)?;
    let mut buffer = [0; 16 * 1024];
    while let count @ 1.. = client.read(&mut buffer)? {
        client.write_all(&buffer[..count])?;
    }
    Ok(())
}
