//! The effect of the delay proxy on connections. Its accuracy is not a matter for tests: see `ProxyAccuracy`.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use lab::proxy::{DelayProxy, Link, LinkFault, measure_accuracy};

/// Whatever is waited for happens within this, or never.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What must not happen is waited for this long.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// A target that returns its accepted connections.
fn target() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connect(proxy: &DelayProxy, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let near = TcpStream::connect(proxy.address()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    }
    (near, far)
}

fn read(from: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

/// Opens a connection and reads. A reset may come before the connection is open, or afterwards.
fn read_from_new(proxy: &DelayProxy, timeout: Duration) -> io::Result<usize> {
    let mut near = TcpStream::connect(proxy.address())?;
    near.set_read_timeout(Some(timeout))?;
    near.read(&mut [0; 8])
}

/// A proxy that has forwarded data, and both ends of the connection.
fn used_proxy(link: Link) -> (DelayProxy, TcpListener, TcpStream, TcpStream) {
    let (listener, address) = target();
    let proxy = DelayProxy::start(address, link, &[], 1).unwrap();
    let (mut near, mut far) = connect(&proxy, &listener);
    near.write_all(b"before").unwrap();
    assert_eq!(read(&mut far, 6), b"before");
    (proxy, listener, near, far)
}

#[test]
fn bytes_are_forwarded_unchanged_after_the_delay() {
    let (listener, address) = target();
    let proxy = DelayProxy::start(address, Link::of_round_trip(Duration::from_millis(40)), &[], 1).unwrap();
    let (mut near, mut far) = connect(&proxy, &listener);
    let began = Instant::now();
    near.write_all(b"question").unwrap();
    assert_eq!(read(&mut far, 8), b"question");
    far.write_all(b"answer").unwrap();
    assert_eq!(read(&mut near, 6), b"answer");
    assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());
    let delays = proxy.take_delays();
    assert_eq!((delays.to_target.len(), delays.from_target.len()), (1, 1));
    assert!(delays.round_trip_p50() >= Duration::from_micros(39_900), "{:?}", delays.round_trip_p50());
    assert_eq!(proxy.take_delays().to_target.len(), 0, "what was reported is not reported again");
}

#[test]
fn large_transfer_is_complete_with_a_slow_reader() {
    let (listener, address) = target();
    let proxy = DelayProxy::start(address, Link::of_round_trip(Duration::from_micros(200)), &[], 1).unwrap();
    let (mut near, mut far) = connect(&proxy, &listener);
    let sent: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || {
        near.write_all(&sent).unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        near
    });
    let mut received = Vec::new();
    far.read_to_end(&mut received).unwrap();
    assert!(received == expected, "{} of {} bytes", received.len(), expected.len());
    // The other direction is still open.
    far.write_all(b"thanks").unwrap();
    assert_eq!(read(&mut writer.join().unwrap(), 6), b"thanks");
}

#[test]
fn closed_connection_passes_through() {
    let (listener, address) = target();
    let proxy = DelayProxy::start(address, Link::default(), &[], 1).unwrap();
    let (mut near, far) = connect(&proxy, &listener);
    drop(far);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn stall_delays_all_data_and_loses_none() {
    let (proxy, _listener, mut near, mut far) = used_proxy(Link::default());
    proxy.set_fault(LinkFault::Stalled);
    // Settings and bytes come by different ways: what is sent now may still slip through, so it is sent until one does
    // not.
    far.set_read_timeout(Some(SHORT_WAIT)).unwrap();
    let held = (0..100).find(|_| {
        near.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).is_err()
    });
    assert!(held.is_some());
    proxy.set_fault(LinkFault::None);
    far.set_read_timeout(Some(TIMEOUT)).unwrap();
    assert_eq!(read(&mut far, 1), b"x");
}

#[test]
fn cut_resets_open_and_new_connections() {
    let (proxy, _listener, mut near, mut far) = used_proxy(Link::default());
    proxy.set_fault(LinkFault::Cut);
    assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(far.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(read_from_new(&proxy, TIMEOUT).unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.set_fault(LinkFault::None);
    // A connection opened before the command took effect is reset, too.
    let stays_open = |error: io::Error| error.kind() == ErrorKind::WouldBlock;
    let healed = (0..100).any(|_| read_from_new(&proxy, SHORT_WAIT).is_err_and(stays_open));
    assert!(healed, "a connection that stays open");
}

#[test]
fn half_open_connection_stays_silent() {
    let (proxy, _listener, mut near, mut far) = used_proxy(Link::default());
    proxy.set_fault(LinkFault::HalfOpen);
    assert_eq!(far.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    near.write_all(b"into the void").unwrap();
    near.set_read_timeout(Some(SHORT_WAIT)).unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock, "no data has been sent");
    proxy.set_fault(LinkFault::None);
    near.set_read_timeout(Some(TIMEOUT)).unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn missing_target_resets_the_client() {
    let (listener, address) = target();
    drop(listener);
    let proxy = DelayProxy::start(address, Link::default(), &[], 1).unwrap();
    assert_eq!(read_from_new(&proxy, TIMEOUT).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn dropped_proxy_closes_its_connections_and_idle_proxy_uses_no_cpu() {
    let (proxy, _listener, mut near, mut far) = used_proxy(Link::of_round_trip(Duration::from_millis(2)));
    // Neither an expired timer nor a half-closed connection may keep it busy.
    far.shutdown(Shutdown::Write).unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
    let before = proxy.cpu_ns();
    std::thread::sleep(SHORT_WAIT * 2);
    near.write_all(b"still").unwrap();
    read(&mut far, 5);
    let used = Duration::from_nanos(proxy.cpu_ns() - before);
    assert!(used < SHORT_WAIT, "it polled all the time: {used:?}");
    let address = proxy.address();
    drop(proxy);
    assert!(matches!(far.read(&mut [0; 8]), Ok(0) | Err(_)));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn accuracy_measurement_compares_proxied_with_direct_round_trips() {
    let trial = measure_accuracy(Duration::from_millis(20), 500, Duration::from_millis(400), &[]).unwrap();
    assert!((trial.set_us - 20_000.0).abs() < 1e-6);
    // Nothing passes early, so no round trip through it is shorter than what was set.
    assert!(trial.through.p50 >= 19_900.0 && trial.direct.p50 < trial.through.p50, "{trial:?}");
    assert!(trial.cpu_us > 0.0);
}
