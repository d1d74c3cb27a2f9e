//! Which responses of a node are counted, and from when.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::{Call, PollError, Polling, RevocationPoller, Trial, TrialResult};

use crate::server::{head, response, serve};

const POLLING: Polling = Polling { pause: Duration::ZERO, timeout: Duration::from_secs(5), concurrency: 1 };

/// A node that acknowledges an event with this status, and responds to the following reads with these, and then with
/// 401.
fn node(acknowledgement: &'static str, reads: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    node_with_final_status(acknowledgement, reads, "401 Unauthorized")
}

/// The same with another final status; also returns how many reads came after the event.
fn node_with_final_status(
    acknowledgement: &'static str,
    reads: &'static [&'static str],
    then: &'static str,
) -> (String, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let (event_sent, counted) = (Arc::new(Mutex::new(false)), polls.clone());
    let base_url = serve(move |stream| {
        while let Some(head) = head(stream) {
            let mut event_sent = event_sent.lock().unwrap();
            let status = if head.starts_with("POST") {
                *event_sent = true;
                acknowledgement
            } else if *event_sent {
                reads.get(counted.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(then)
            } else {
                "200 OK"
            };
            // No Content has no length.
            let bytes = if status.starts_with("204") {
                format!("HTTP/1.1 {status}\r\n\r\n").into_bytes()
            } else {
                response(status, "")
            };
            stream.get_mut().write_all(&bytes).unwrap();
        }
    });
    (base_url.strip_prefix("http://").unwrap().to_owned(), polls)
}

fn run(authority: &str, trials: usize, polling: Polling) -> Vec<TrialResult> {
    let trial = Trial {
        event_node: 0,
        event: Call::post("/logout", Vec::new(), None),
        probe: Call::get("/me", vec![("authorization".to_owned(), "Bearer x".to_owned())]),
    };
    let mut poller = RevocationPoller::connect(&[authority.to_owned()], 1).unwrap();
    let trials = vec![trial; trials];
    assert_eq!(poller.warm_up(&trials).unwrap(), vec![None; trials.len()], "accepted before the event");
    poller.run(&trials, polling, &AtomicBool::new(false)).unwrap()
}

#[test]
fn node_that_accepts_after_a_denial_is_detected() {
    let (authority, _) = node("204 No Content", &["200 OK", "200 OK", "401 Unauthorized", "200 OK", "403 Forbidden"]);
    let [result] = &run(&authority, 1, POLLING)[..] else { panic!("one trial") };
    assert_eq!(result.faults, Vec::<String>::new());
    let [node] = result.nodes[..] else { panic!("one node") };
    assert_eq!((node.accepted, node.denials, node.unavailable), (3, 3, 0), "{node:?}");
    // The next poll may be sent within the same microsecond.
    assert!(node.last_accepted_us >= node.denied_us, "{node:?}");
}

#[test]
fn denial_by_503_is_reported() {
    let (authority, _) = node("204 No Content", &["200 OK", "503 Service Unavailable"]);
    let [result] = &run(&authority, 1, POLLING)[..] else { panic!("one trial") };
    assert_eq!((result.nodes[0].accepted, result.nodes[0].denials, result.nodes[0].unavailable), (1, 3, 1));
}

#[test]
fn failed_event_starts_no_polling() {
    let (authority, polls) = node("409 Conflict", &[]);
    let [result] = &run(&authority, 1, POLLING)[..] else { panic!("one trial") };
    assert_eq!(result.acknowledged, None);
    assert!(result.faults[0].contains("not acknowledged (status 409)"), "{:?}", result.faults);
    assert_eq!(polls.load(Ordering::SeqCst), 0);
}

#[test]
fn response_other_than_200_401_or_503_is_a_fault() {
    let (authority, _) = node("204 No Content", &["500 Internal Server Error"]);
    let [result] = &run(&authority, 1, POLLING)[..] else { panic!("one trial") };
    assert_eq!(result.faults, ["polling node 1 failed (status 500)"]);
}

#[test]
fn polling_times_out_if_a_node_never_denies() {
    let (authority, _) = node_with_final_status("204 No Content", &[], "200 OK");
    let polling = Polling { timeout: Duration::from_millis(50), ..POLLING };
    let [result] = &run(&authority, 1, polling)[..] else { panic!("one trial") };
    assert_eq!((result.nodes[0].denied_us, result.nodes[0].denials), (None, 0));
    assert!(result.nodes[0].last_accepted_us.is_some() && result.nodes[0].accepted > 0);
}

#[test]
fn stopped_run_does_not_wait_for_a_denial() {
    let (authority, _) = node_with_final_status("204 No Content", &[], "200 OK");
    let mut poller = RevocationPoller::connect(&[authority], 1).unwrap();
    let trial =
        Trial { event_node: 0, event: Call::post("/logout", Vec::new(), None), probe: Call::get("/me", Vec::new()) };
    let polling = Polling { timeout: Duration::from_hours(1), ..POLLING };
    let stopped = poller.run(&[trial], polling, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(PollError::Interrupted)), "{stopped:?}");
}
