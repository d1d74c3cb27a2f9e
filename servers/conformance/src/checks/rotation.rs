//! Row 8: key rotation fails no request, and tokens with unknown key ids cost nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::route;
use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, reason};
use crate::token::{Token, encode};
use crate::wire::Request;

/// Rotations under load.
const ROTATIONS: usize = 3;
/// Requests that each thread must complete between two rotations.
const REQUESTS: usize = 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "unknown-kid-flood",
        row: 8,
        title: "Two thousand tokens with unknown key ids are all rejected with 401; valid ones are accepted meanwhile.",
        source: "RFC 7517 section 4.5; RFC 8725 section 3.10",
        run: flood,
    },
    Check {
        id: "rotation-under-load",
        row: 8,
        title: "While keys are rotated, no valid credential fails, old or new.",
        source: "RFC 7517 section 5; OWASP Key Management Cheat Sheet",
        run: under_load,
    },
    Check {
        id: "rotation-publishes-both",
        row: 8,
        title: "After a rotation the key set has the new key and the old one, and each has its own key id.",
        source: "RFC 7517 section 5",
        run: publishes,
    },
];

fn flood(context: &CheckContext<'_>) -> CheckResult {
    let token = context.token()?;
    let good = context.login()?.credential;
    for n in 0..context.subject.extent.unknown_kids {
        let mut header = token.header.clone();
        header.insert("kid".to_owned(), json!(format!("unknown-{n}")));
        let segments = format!("{}.{}", encode(Value::Object(header).to_string()), encode(token.claims_json()));
        context.must_be_rejected(format!("{segments}.{}", token.signature), "an unknown kid")?;
        if n % 100 == 0 {
            context.must_be_accepted(&good, "a valid token during a flood of unknown kids")?;
        }
    }
    Ok(())
}

fn rotate(context: &CheckContext<'_>) -> CheckResult {
    let rotated = context.send(&Request::post(route::BENCH_ROTATE).json(&json!({})))?;
    // The response to an unknown path is not specified.
    applicable(rotated.status == 204, reason::NO_ROTATION)
}

fn under_load(context: &CheckContext<'_>) -> CheckResult {
    rotate(context)?;
    let old = context.login()?.credential;
    let stop = AtomicBool::new(false);
    let counts = [const { std::sync::atomic::AtomicUsize::new(0) }; 2];
    let send_until_stopped = |place: usize, request: &(dyn Fn() -> CheckResult + Sync)| {
        while !stop.load(Ordering::Relaxed) {
            request()?;
            counts[place].fetch_add(1, Ordering::Relaxed);
        }
        CheckResult::Ok(())
    };
    let fresh = || context.must_be_accepted(context.login()?.credential, "a new credential during a rotation");
    let kept = || context.must_be_accepted(&old, "an old credential during a rotation");
    std::thread::scope(|scope| {
        let threads = [scope.spawn(|| send_until_stopped(0, &fresh)), scope.spawn(|| send_until_stopped(1, &kept))];
        let rotated = (0..ROTATIONS).try_for_each(|_| {
            let before = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            rotate(context)?;
            let requests_sent = || {
                counts[1].load(Ordering::Relaxed) >= before[1] + REQUESTS
                    && counts[0].load(Ordering::Relaxed) > before[0]
            };
            let finished = || threads.iter().any(std::thread::ScopedJoinHandle::is_finished);
            context.wait_until(Duration::from_secs(20), || Ok(requests_sent() || finished())).map(drop)
        });
        stop.store(true, Ordering::Relaxed);
        let sent = threads.into_iter().try_for_each(|thread| thread.join().expect("sending does not panic"));
        rotated.and(sent)
    })
}

fn kids(context: &CheckContext<'_>) -> CheckResult<Vec<String>> {
    let set = context.send(&Request::get(route::JWKS))?;
    applicable(set.status == 200, reason::NO_PUBLIC_KEY)?;
    let set = set.json();
    let keys = set["keys"].as_array().cloned().unwrap_or_default();
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            ensure(key.get(private).is_none(), || format!("the key set has the private member {private:?}"))?;
        }
    }
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}

fn kid(context: &CheckContext<'_>) -> CheckResult<(String, String)> {
    let credential = context.login()?.credential;
    let token = Token::open(&credential);
    let kid = token.and_then(|token| token.header.get("kid")?.as_str().map(str::to_owned));
    kid.map_or_else(|| fail("a token without kid"), |kid| Ok((kid, credential)))
}

fn publishes(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.jws, reason::NOT_JWS)?;
    kids(context)?;
    let (old, credential) = kid(context)?;
    rotate(context)?;
    let (new, _) = kid(context)?;
    ensure(old != new, || "the key id does not change".to_owned())?;
    let published = kids(context)?;
    for kid in [&old, &new] {
        ensure(published.contains(kid), || format!("the key set {published:?} lacks {kid:?}"))?;
    }
    context.must_be_accepted(credential, "a token of the old key")
}
