//! The probe: every request is sent at its intended time, and every outcome is reported.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use contract::Carrier;
use contract::body::MintedCredential;
use driver::{Credentials, Node, Probe, ProbeLoad, Reply, Target, Workers};
use engine::plan::{Arrivals, Plan, Population};

use crate::server::{head, response, serve};

const WORKERS: Workers = Workers { count: 2, dedicated_cpus: false };

/// Two users, whose requests go to these servers in turn.
fn load(base_urls: &[String], duration_s: f64, timeout_s: f64) -> ProbeLoad {
    let minted = ["user-000001", "user-000002"].map(|username| {
        let headers = BTreeMap::from([("authorization".to_owned(), format!("Bearer {username}"))]);
        MintedCredential { username: username.to_owned(), headers, refresh_token: None }
    });
    let credentials = Arc::new(Credentials::new(minted.to_vec()).unwrap());
    let node = |base_url: &String| Node { base_url: base_url.clone(), credentials: credentials.clone() };
    let plan = Plan {
        population: Population { size: 2, ..Population::default() },
        timeout_s,
        ..Plan::new(Arrivals::Fixed { rate_rps: 100.0 }, duration_s)
    };
    ProbeLoad { plan, target: Target { nodes: base_urls.iter().map(node).collect(), carrier: Carrier::Bearer } }
}

/// Returns the first user to every client.
fn server_of_first_user() -> String {
    serve(|stream| {
        while head(stream).is_some() {
            let body = r#"{"id":1,"username":"user-000001","email":"e","roles":[]}"#;
            if stream.get_mut().write_all(&response("200 OK", body)).is_err() {
                return;
            }
        }
    })
}

/// Reads and does not respond.
fn unresponsive_server() -> String {
    serve(|stream| while head(stream).is_some() {})
}

/// An address without a listener.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn outcome_of_every_request_is_reported() {
    // Only of the server that does not respond is the timeout shorter than a stall of the machine.
    let loads = [load(&[server_of_first_user(), closed_port()], 0.4, 20.0), load(&[unresponsive_server()], 0.2, 0.4)];
    let probed = Probe::of(&loads, WORKERS).unwrap().run(Instant::now(), &Arc::default()).unwrap();
    assert_eq!(probed.iter().map(Vec::len).collect::<Vec<_>>(), [40, 20]);
    for (number, each) in probed[0].iter().enumerate() {
        assert_eq!(each.node, number % 2);
        match (each.node, each.reply) {
            (0, Reply::Completed { status: 200, has_expected_user, sent, done }) => {
                assert_eq!(has_expected_user, each.credential == 0, "the other response is for another user");
                assert!(each.intended <= sent && sent < done);
            }
            (1, Reply::Disconnected) => {}
            _ => panic!("{each:?}"),
        }
    }
    assert!(probed[1].iter().all(|each| each.reply == Reply::TimedOut), "{:?}", probed[1]);
}

#[test]
fn stopped_probe_does_not_wait_for_responses() {
    let stop = Arc::new(AtomicBool::new(false));
    let (seen, first) = mpsc::channel();
    let url = serve(move |stream| {
        while head(stream).is_some() {
            seen.send(()).ok();
        }
    });
    let stopping = stop.clone();
    std::thread::spawn(move || {
        first.recv().unwrap();
        stopping.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let began = Instant::now();
    let probed = Probe::of(&[load(&[url], 300.0, 300.0)], WORKERS).unwrap().run(began, &stop).unwrap();
    assert!(began.elapsed() < Duration::from_mins(4), "before the end of the plan and of the timeout");
    assert_eq!(probed[0].len(), 30_000);
    assert!(probed[0].iter().all(|each| each.reply == Reply::Unsent));
}
