//! A suite that fails a correct server once in fifty times would be disabled: fifty runs, on three schemes.

use std::sync::atomic::AtomicBool;

use contract::{Carrier, Scheme};

use crate::testbed::{SMALL, Testbed, failures};

const TIMES: usize = 50;

#[test]
#[ignore = "takes the better part of an hour"]
fn correct_servers_pass_fifty_runs() {
    for scheme in ["session-redis", "jwt-hs256-push", "jwt-eddsa-refresh"] {
        let scheme: Scheme = scheme.parse().unwrap();
        for time in 0..TIMES {
            let carrier = if time % 2 == 0 { Carrier::Bearer } else { Carrier::Cookie };
            let testbed = Testbed::of(scheme, carrier);
            let mut subject = testbed.subject();
            subject.extent = SMALL;
            let report = conformance::run(&subject, &mut (), &AtomicBool::new(false)).unwrap();
            assert!(report.is_conformant(), "{scheme}, {carrier}, run {time}: {}", failures(&report));
        }
    }
}
