//! Which responses of a node are counted, and from when.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::{Call, Pace, ProbeError, Prober, Seen, Trial};

use crate::server::{answer, head, serve};

const PACE: Pace = Pace { pause: Duration::ZERO, patience: Duration::from_secs(5), at_a_time: 1 };

/// A node that acknowledges an event with this status, and responds to the following reads with these, and then with 401.
fn node(acknowledgement: &'static str, reads: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    node_ending(acknowledgement, reads, "401 Unauthorized")
}

/// The same with another end, and how many reads came after the event.
fn node_ending(
    acknowledgement: &'static str,
    reads: &'static [&'static str],
    then: &'static str,
) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (told, counted) = (Arc::new(Mutex::new(false)), asked.clone());
    let base_url = serve(move |stream| {
        while let Some(head) = head(stream) {
            let mut told = told.lock().unwrap();
            let status = if head.starts_with("POST") {
                *told = true;
                acknowledgement
            } else if *told {
                reads.get(counted.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(then)
            } else {
                "200 OK"
            };
            // No Content has no length.
            let bytes = if status.starts_with("204") {
                format!("HTTP/1.1 {status}\r\n\r\n").into_bytes()
            } else {
                answer(status, "")
            };
            stream.get_mut().write_all(&bytes).unwrap();
        }
    });
    (base_url.strip_prefix("http://").unwrap().to_owned(), asked)
}

fn run(authority: &str, trials: usize, pace: Pace) -> Vec<Seen> {
    let trial = Trial {
        told: 0,
        event: Call::post("/logout", Vec::new(), None),
        probe: Call::get("/me", vec![("authorization".to_owned(), "Bearer x".to_owned())]),
    };
    let mut prober = Prober::connect(&[authority.to_owned()], 1).unwrap();
    let trials = vec![trial; trials];
    assert_eq!(prober.warm(&trials).unwrap(), vec![None; trials.len()], "accepted before the event");
    prober.run(&trials, pace, &AtomicBool::new(false)).unwrap()
}

#[test]
fn node_that_accepts_after_a_denial_is_detected() {
    let (authority, _) = node("204 No Content", &["200 OK", "200 OK", "401 Unauthorized", "200 OK", "403 Forbidden"]);
    let [seen] = &run(&authority, 1, PACE)[..] else { panic!("one trial") };
    assert_eq!(seen.faults, Vec::<String>::new());
    let [node] = seen.nodes[..] else { panic!("one node") };
    assert_eq!((node.accepted, node.denials, node.unavailable), (3, 3, 0), "{node:?}");
    // The next question may be sent within the same microsecond.
    assert!(node.last_accepted_us >= node.denied_us, "{node:?}");
}

#[test]
fn denial_by_503_is_reported() {
    let (authority, _) = node("204 No Content", &["200 OK", "503 Service Unavailable"]);
    let [seen] = &run(&authority, 1, PACE)[..] else { panic!("one trial") };
    assert_eq!((seen.nodes[0].accepted, seen.nodes[0].denials, seen.nodes[0].unavailable), (1, 3, 1));
}

#[test]
fn failed_event_starts_no_polling() {
    let (authority, asked) = node("409 Conflict", &[]);
    let [seen] = &run(&authority, 1, PACE)[..] else { panic!("one trial") };
    assert_eq!(seen.acknowledged, None);
    assert!(seen.faults[0].contains("not acknowledged (status 409)"), "{:?}", seen.faults);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn response_other_than_200_401_or_503_is_a_fault() {
    let (authority, _) = node("204 No Content", &["500 Internal Server Error"]);
    let [seen] = &run(&authority, 1, PACE)[..] else { panic!("one trial") };
    assert_eq!(seen.faults, ["polling node 1 failed (status 500)"]);
}

#[test]
fn polling_times_out_if_a_node_never_denies() {
    let (authority, _) = node_ending("204 No Content", &[], "200 OK");
    let pace = Pace { patience: Duration::from_millis(50), ..PACE };
    let [seen] = &run(&authority, 1, pace)[..] else { panic!("one trial") };
    assert_eq!((seen.nodes[0].denied_us, seen.nodes[0].denials), (None, 0));
    assert!(seen.nodes[0].last_accepted_us.is_some() && seen.nodes[0].accepted > 0);
}

#[test]
fn stopped_run_does_not_wait_for_a_denial() {
    let (authority, _) = node_ending("204 No Content", &[], "200 OK");
    let mut prober = Prober::connect(&[authority], 1).unwrap();
    let trial = Trial { told: 0, event: Call::post("/logout", Vec::new(), None), probe: Call::get("/me", Vec::new()) };
    let pace = Pace { patience: Duration::from_hours(1), ..PACE };
    let stopped = prober.run(&[trial], pace, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(ProbeError::Interrupted)), "{stopped:?}");
}
