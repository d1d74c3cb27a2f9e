//! The saturator against servers that misbehave in ways that a real one should not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use contract::body::MintedCredential;
use driver::{Credentials, Target, Workers};
use engine::plan::{Arrivals, Plan};
use engine::record::Counts;

use crate::server::{head, request, response, serve};

const BODY: &str = r#"{"username":"user-000007"}"#;

/// With the one credential that the servers here know.
fn target(base_url: &str) -> Target {
    let headers = BTreeMap::from([("authorization".to_owned(), "Bearer abc".to_owned())]);
    let credential = MintedCredential { username: "user-000007".to_owned(), headers, refresh_token: None };
    let credentials = Credentials::new(vec![credential]).unwrap().into();
    Target::one(base_url.to_owned(), credentials, contract::Carrier::Bearer)
}

fn plan(seconds: f64) -> Plan {
    Plan { connections: 2, timeout_s: 20.0, ..Plan::new(Arrivals::Closed, seconds) }
}

const WORKERS: Workers = Workers { count: 2, dedicated_cpus: false };

/// Saturates it over two connections until each has sent several requests.
fn load(base_url: &str) -> Counts {
    load_with(&plan(0.1), base_url)
}

/// Saturates it for longer and longer until several requests were sent: a machine that stalls may send none.
fn load_with(plan: &Plan, base_url: &str) -> Counts {
    let of_duration = |doublings| Plan { duration_s: plan.duration_s * f64::from(1 << doublings), ..plan.clone() };
    let mut counts = (0..8).map(|doublings| saturate(&of_duration(doublings), &target(base_url), &Arc::default()));
    counts.find(|counts| counts.ok + counts.failed() > 8).expect("the machine sends some requests")
}

fn saturate(plan: &Plan, target: &Target, stop: &Arc<AtomicBool>) -> Counts {
    driver::saturate(plan, target, WORKERS, stop).unwrap().driven.counts().clone()
}

#[track_caller]
fn assert_only_error(counts: &Counts, error: &str) {
    assert_eq!(counts.ok, 0, "{counts:?}");
    assert_eq!(counts.errors.keys().collect::<Vec<_>>(), [error], "{counts:?}");
}

/// A server that sends every request the same response.
fn always(reply: Vec<u8>) -> String {
    serve(move |stream| {
        while request(stream) {
            stream.get_mut().write_all(&reply).ok();
        }
    })
}

#[test]
fn fragmented_response_is_one_response() {
    let counts = load(&serve(|stream| {
        while request(stream) {
            for byte in response("200 OK", BODY) {
                stream.get_mut().write_all(&[byte]).unwrap();
            }
        }
    }));
    assert!(counts.ok > 2, "{counts:?}");
    assert_eq!(counts.failed(), 0, "{counts:?}");
}

#[test]
fn response_for_another_user_is_a_failure() {
    let counts = load(&always(response("200 OK", r#"{"username":"user-000008"}"#)));
    assert_only_error(&counts, "response for another user");
}

#[test]
fn unexpected_status_is_a_failure() {
    let counts = load(&always(response("503 Service Unavailable", BODY)));
    assert_only_error(&counts, "status 503");
}

/// With an expected status, any other is a failure, and no user is expected.
#[test]
fn accepted_request_that_must_be_rejected_is_a_failure() {
    let expecting_rejection = Plan { expected_status: 401, ..plan(0.2) };
    let load = |base_url: &str| load_with(&expecting_rejection, base_url);
    let counts = load(&always(response("401 Unauthorized", "{}")));
    assert!(counts.ok > 2 && counts.failed() == 0, "{counts:?}");
    assert_only_error(&load(&always(response("200 OK", BODY))), "status 200");
    let reads =
        driver::drive(&expecting_rejection, &target(&always(response("200 OK", BODY))), WORKERS, &Arc::default())
            .unwrap();
    assert_only_error(reads.driven.counts(), "status 200");
}

/// A server may respond and close before it has read the request; then its kernel resets the connection.
#[test]
fn early_response_counts_and_the_next_request_uses_a_new_connection() {
    let base_url = serve(|stream| {
        let mut begun = [0; 1];
        if stream.get_mut().read(&mut begun).is_ok_and(|read| read > 0) {
            let closing = b"HTTP/1.1 431 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.get_mut().write_all(closing).unwrap();
        }
    });
    // More than fits into the sockets' buffers, so that the client still writes when the server closes.
    let headers = BTreeMap::from([("authorization".to_owned(), "a".repeat(16 << 20))]);
    let credential = MintedCredential { username: "user-000007".to_owned(), headers, refresh_token: None };
    let credentials = Credentials::new(vec![credential]).unwrap().into();
    let target = Target::one(base_url, credentials, contract::Carrier::Bearer);
    let plan = Plan { expected_status: 431, ..plan(0.5) };
    let mut counts = (0..6).map(|_| saturate(&plan, &target, &Arc::default()));
    let counts = counts.find(|counts| counts.ok > 2 || counts.failed() > 0).expect("the machine sends some requests");
    assert_eq!(counts.failed(), 0, "{counts:?}");
}

#[test]
fn non_http_response_is_a_failure() {
    let counts = load(&always(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()));
    assert_only_error(&counts, "not an HTTP response of known length");
}

#[test]
fn closed_connection_is_replaced() {
    let counts = load(&serve(|stream| {
        if request(stream) {
            stream.get_mut().write_all(&response("200 OK", BODY)).ok();
        }
    }));
    assert!(counts.ok > 2, "more responses than on the first connections: {counts:?}");
    assert!(counts.failed() > 2, "{counts:?}");
}

#[test]
fn unresponsive_server_times_out_as_planned() {
    let begun = Instant::now();
    let plan = Plan { timeout_s: 0.5, ..plan(1.0) };
    let counts = saturate(&plan, &target(&serve(|stream| while request(stream) {})), &Arc::default());
    assert_only_error(&counts, "timeout");
    assert_eq!(counts.failed(), 2, "one per connection");
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn stopped_saturator_ends_early() {
    let begun = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let base_url = serve(move |stream| {
        while request(stream) {
            stopping.store(true, Ordering::Relaxed);
            stream.get_mut().write_all(&response("200 OK", BODY)).ok();
        }
    });
    let counts = saturate(&plan(3600.0), &target(&base_url), &stop);
    assert!((1..=2).contains(&counts.ok), "at most one per connection: {counts:?}");
    assert!(begun.elapsed() < Duration::from_mins(1));
}

/// Waiting is not load, and a generator that shares the server's CPU must not use it for waiting.
#[test]
fn busy_polling_needs_dedicated_cpus_and_reports_its_time() {
    let base_url = serve(|stream| {
        while request(stream) {
            std::thread::sleep(Duration::from_millis(20));
            stream.get_mut().write_all(&response("200 OK", BODY)).ok();
        }
    });
    let plan = Plan { interval_s: 0.05, ..plan(1.0) };
    let drive = |dedicated_cpus| {
        let workers = Workers { dedicated_cpus, ..WORKERS };
        driver::saturate(&plan, &target(&base_url), workers, &Arc::default()).unwrap()
    };
    assert_eq!(drive(false).idle_poll_time, Duration::ZERO);
    let drive = drive(true);
    let window = drive.driven.window();
    let longest = Duration::from_secs_f64(window.end_s - window.start_s + plan.interval_s) * WORKERS.count as u32;
    assert!(
        drive.idle_poll_time > Duration::ZERO && drive.idle_poll_time <= longest,
        "{:?} of {longest:?}",
        drive.idle_poll_time
    );
    assert!(drive.driven.counts().ok > 2, "it polls and finds completions: {:?}", drive.driven.counts());
}

/// What a server does for a request must not depend on which driver sent it.
#[test]
fn saturator_sends_the_same_bytes_as_goose() {
    let (heads, received) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let base_url = serve(move |stream| {
        while let Some(head) = head(stream) {
            heads.send(head).ok();
            stopping.store(true, Ordering::Relaxed);
            stream.get_mut().write_all(&response("200 OK", BODY)).ok();
        }
    });
    driver::drive(&plan(3600.0), &target(&base_url), WORKERS, &stop).unwrap();
    let goose: BTreeSet<String> = received.try_iter().collect();
    stop.store(false, Ordering::Relaxed);
    driver::saturate(&plan(3600.0), &target(&base_url), WORKERS, &stop).unwrap();
    let saturator: BTreeSet<String> = received.try_iter().collect();
    assert_eq!(saturator.len(), 1);
    assert_eq!(saturator, goose);
}

#[test]
fn routes_are_appended_to_the_path_of_the_target() {
    let base_url = serve(|stream| {
        while let Some(head) = head(stream) {
            let reply = if head.starts_with("GET /auth/api/me ") {
                response("200 OK", BODY)
            } else {
                response("404 Not Found", "")
            };
            stream.get_mut().write_all(&reply).ok();
        }
    });
    for target in ["/auth/api", "/auth/api/"] {
        let counts = load(&format!("{base_url}{target}"));
        assert!(counts.ok > 2 && counts.failed() == 0, "{target}: {counts:?}");
    }
    let refused = driver::saturate(&plan(0.1), &target(&format!("{base_url}/auth?x")), WORKERS, &Arc::default());
    assert!(refused.unwrap_err().to_string().contains("without a query"));
}

#[test]
fn endless_response_is_a_failure() {
    let endless = |head: &'static str, more: &'static [u8]| {
        serve(move |stream| {
            while request(stream) {
                let mut alive = stream.get_mut().write_all(head.as_bytes()).is_ok();
                while alive {
                    alive = stream.get_mut().write_all(more).is_ok();
                }
            }
        })
    };
    for base_url in [
        endless("HTTP/1.1 200 OK\r\nx-a: ", &[b'a'; 1 << 12]),
        endless("HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n", &[b'a'; 1 << 12]),
    ] {
        assert_only_error(&load(&base_url), "response larger than 1 MiB");
    }
}
