//! A load on several nodes, each of which knows its own credentials and no others.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::Carrier;
use contract::body::MintedCredential;
use driver::{Credentials, Node, Target, Workers};
use engine::plan::{Arrivals, Mix, Plan};

use crate::server::{body, head, response, serve};

const NODES: usize = 3;
const WORKERS: Workers = Workers { count: 2, dedicated_cpus: false };

/// The requests that a node has received.
#[derive(Debug, Default)]
struct Received {
    reads: usize,
    readers: HashSet<SocketAddr>,
}

/// A target of some nodes, and what each of them sees.
fn nodes() -> (Target, Vec<Arc<Mutex<Received>>>) {
    let started = (0..NODES).map(|number| {
        let received = Arc::<Mutex<Received>>::default();
        let for_server = received.clone();
        let base_url = serve(move |stream| work(stream, number, &for_server));
        let headers = BTreeMap::from([("authorization".to_owned(), format!("Bearer node-{number}"))]);
        let minted = MintedCredential { username: "user-000007".to_owned(), headers, refresh_token: None };
        (Node { base_url, credentials: Credentials::new(vec![minted]).unwrap().into() }, received)
    });
    let (nodes, received) = started.unzip();
    (Target { nodes, carrier: Carrier::Bearer }, received)
}

/// Issues its own credential, and accepts no other.
fn work(stream: &mut BufReader<TcpStream>, number: usize, received: &Mutex<Received>) {
    let user = r#"{"id":7,"username":"user-000007","email":"e","roles":[]}"#;
    while let Some(head) = head(stream) {
        let known = head.contains(&format!("Bearer node-{number}\r\n"));
        let reply = if head.starts_with("POST /login") {
            body(stream, &head);
            response("200 OK", &format!(r#"{{"user":{user},"expires_in":9,"token":"node-{number}"}}"#))
        } else if known {
            let mut received = received.lock().unwrap();
            received.reads += 1;
            received.readers.insert(stream.get_ref().peer_addr().unwrap());
            response("200 OK", user)
        } else {
            response("401 Unauthorized", "")
        };
        if stream.get_mut().write_all(&reply).is_err() {
            return;
        }
    }
}

/// Returns a flag that is set when every node has received enough: a machine that stalls may send nothing for a while.
fn stop_when(received: &[Arc<Mutex<Received>>], enough: fn(&Received) -> bool) -> Arc<AtomicBool> {
    let stop = Arc::<AtomicBool>::default();
    let (stopping, received) = (stop.clone(), received.to_vec());
    std::thread::spawn(move || {
        while !received.iter().all(|received| enough(&received.lock().unwrap())) {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopping.store(true, Ordering::SeqCst);
    });
    stop
}

/// Longer than any test waits.
const ENDLESS_S: f64 = 600.0;

#[test]
fn saturator_opens_equally_many_connections_per_node() {
    let (target, received) = nodes();
    let plan = Plan { connections: 6, timeout_s: 20.0, ..Plan::new(Arrivals::Closed, ENDLESS_S) };
    let stop = stop_when(&received, |received| received.readers.len() == 2 && received.reads >= 6);
    let drive = driver::saturate(&plan, &target, WORKERS, &stop).unwrap();
    let counts = drive.driven.counts();
    assert!(counts.ok > 6 && counts.failed() == 0, "{counts:?}");
    let connections: Vec<usize> = received.iter().map(|received| received.lock().unwrap().readers.len()).collect();
    assert_eq!(connections, [2; NODES]);
}

#[test]
fn reads_at_a_set_rate_cycle_through_the_nodes() {
    let (target, received) = nodes();
    let arrivals = Arrivals::Fixed { rate_rps: 300.0 };
    let plan = Plan { connections: 8, timeout_s: 20.0, ..Plan::new(arrivals, 0.5) };
    let drive = driver::drive(&plan, &target, WORKERS, &Arc::default()).unwrap();
    let counts = drive.driven.counts();
    assert_eq!(counts.planned, Some(counts.ok), "{counts:?}");
    let reads: Vec<usize> = received.iter().map(|received| received.lock().unwrap().reads).collect();
    assert!(reads.iter().max().unwrap() - reads.iter().min().unwrap() <= 1, "{reads:?}");
}

#[test]
fn journey_stays_with_its_node() {
    let (target, received) = nodes();
    let mix = Mix::Journey { reads: 100_000 };
    let plan = Plan { connections: 6, timeout_s: 20.0, mix, ..Plan::new(Arrivals::Closed, ENDLESS_S) };
    let stop = stop_when(&received, |received| received.reads >= 8);
    let drive = driver::drive(&plan, &target, WORKERS, &stop).unwrap();
    let counts = drive.driven.counts();
    assert!(counts.ok > 12 && counts.failed() == 0, "{counts:?}");
}
