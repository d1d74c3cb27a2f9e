//! Row 18: password checks take the same time for every user, are throttled and do not block other requests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::user;

use super::{Check, guessing};
use crate::check_context::{CheckContext, PAUSE, ThrottledLogin};
use crate::check_error::{CheckResult, ensure, fail};

/// Logins of each kind that are timed.
const LOGINS_PER_MEASUREMENT: usize = 7;
/// The time limit of each of many concurrent logins: the last one waits for all others.
const BURST_TIMEOUT: Duration = Duration::from_mins(1);
/// Measurements before a check fails: other processes may have delayed every login of one.
const MEASUREMENTS: usize = 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "login-times-equal",
        row: 18,
        title: "A login of an unknown user takes between half and twice the time of a login with a wrong password.",
        source: "OWASP Authentication Cheat Sheet",
        run: equal_times,
    },
    Check {
        id: "login-responses-equal",
        row: 18,
        title: "An unknown user and a wrong password get the same response.",
        source: "OWASP Authentication Cheat Sheet",
        run: same_response,
    },
    Check {
        id: "login-throttled",
        row: 18,
        title: "After at most 100 wrong passwords for a user name, known or not, the server returns 429 with \
                Retry-After.",
        source: "SP 800-63B section 3.2.2; RFC 6585 section 4",
        run: throttled,
    },
    Check {
        id: "logins-parallel",
        row: 18,
        title: "Many concurrent logins all succeed, and /me responds meanwhile.",
        source: "OWASP Password Storage Cheat Sheet, denial of service",
        run: parallel,
    },
];

/// Returns a user name that does not exist and that no other run has guessed at.
fn unknown_user(salt: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("nobody-{}-{salt}", now.as_nanos())
}

/// Fails if one kind of login takes more than twice the time of the other, as a median of neighbours, or if its fastest takes
/// more than four times that of the other. Hashing takes tens of milliseconds, and a
/// server that skips it is off by a factor of ten or more.
fn equal_times(context: &CheckContext<'_>) -> CheckResult {
    let mut pairs = Vec::new();
    for _ in 0..MEASUREMENTS {
        measure(context, &mut pairs)?;
        if are_equal(&pairs) {
            return Ok(());
        }
    }
    let (unknown, wrong) = fastest(&pairs);
    fail(format!(
        "logins of an unknown user took {:.1} times as long as those with a wrong password (median of {}; the fastest: \
         {unknown:?} and {wrong:?})",
        typical_ratio(&pairs),
        pairs.len()
    ))
}

/// The times of neighbouring logins, the first of an unknown user, the second with a wrong password.
type Pair = (Duration, Duration);

/// Adds a measurement.
fn measure(context: &CheckContext<'_>, pairs: &mut Vec<Pair>) -> CheckResult {
    let known = context.login()?.username;
    let time = |name: &str| -> CheckResult<Duration> {
        let response = context.send(&CheckContext::login_request(name, "a wrong password of some length"))?;
        response.must_be(401, "a wrong password")?;
        Ok(response.took)
    };
    for attempt in 0..LOGINS_PER_MEASUREMENT {
        // Neither kind always comes first.
        let first = (attempt % 2 == 1).then(|| time(&known)).transpose()?;
        let unknown = time(&unknown_user(attempt))?;
        pairs.push((unknown, first.map_or_else(|| time(&known), Ok)?));
    }
    Ok(())
}

/// Neighbours are compared, because the pace of a machine changes. If other processes delay most logins, all pairs look
/// alike, but not the fastest logins, as a delay only ever adds to a time; a single fast moment that only one kind of
/// login met is less than a factor of four.
fn are_equal(pairs: &[Pair]) -> bool {
    let (unknown, wrong) = fastest(pairs);
    (0.5..=2.0).contains(&typical_ratio(pairs)) && (wrong / 4..=wrong * 4).contains(&unknown)
}

/// Returns the median of the ratios of neighbours.
fn typical_ratio(pairs: &[Pair]) -> f64 {
    let mut ratios: Vec<f64> =
        pairs.iter().map(|(unknown, wrong)| unknown.as_secs_f64() / wrong.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Returns the fastest login of each kind.
fn fastest(pairs: &[Pair]) -> Pair {
    let least = |one: Pair, other: &Pair| (one.0.min(other.0), one.1.min(other.1));
    pairs.iter().fold((Duration::MAX, Duration::MAX), least)
}

fn same_response(context: &CheckContext<'_>) -> CheckResult {
    let known = context.login()?.username;
    let send_login = |name: &str| context.send(&CheckContext::login_request(name, "a wrong password of some length"));
    let (unknown, wrong) = (send_login(&unknown_user(0))?, send_login(&known)?);
    unknown.must_be(401, "an unknown user")?;
    wrong.must_be(401, "a wrong password")?;
    ensure(unknown.body == wrong.body, || "the response bodies differ".to_owned())?;
    let compared_headers = |response: &crate::wire::Response| {
        // A load balancer may number its cookies.
        let foreign = |line: &str| !context.facts.is_credential(line);
        let varies = |(name, line): &&(String, String)| {
            name.eq_ignore_ascii_case("date") || name.eq_ignore_ascii_case("set-cookie") && foreign(line)
        };
        response.headers.iter().filter(|header| !varies(header)).cloned().collect::<Vec<_>>()
    };
    ensure(compared_headers(&unknown) == compared_headers(&wrong), || "the response headers differ".to_owned())
}

fn throttled(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    for name in [login.username.clone(), unknown_user(0)] {
        let Some((rejected, guesses)) = guessing::guess_until_throttled(context, &name)? else {
            context.shared.throttled_login.get_or_init(|| None);
            return fail(format!("no 429 after more than {} wrong passwords for one user name", guessing::MAX_GUESSES));
        };
        let wait_s = rejected.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        ensure(wait_s.is_some_and(|wait_s| wait_s > 0), || "429 without Retry-After in seconds".to_owned())?;
        let right = context.send(&CheckContext::login_request(&name, user::PASSWORD))?;
        right.must_be(429, "the correct password while the user name is throttled")?;
        // The first one is an existing user: the following checks need not guess again.
        context.shared.throttled_login.get_or_init(|| Some(ThrottledLogin { login: login.clone(), guesses }));
    }
    Ok(())
}

/// Memory is not visible from here; the check is that every login succeeds.
fn parallel(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    let count = context.subject.extent.logins;
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..count).map(|_| scope.spawn(|| context.login_within(BURST_TIMEOUT))).collect();
        while logins.iter().any(|login| !login.is_finished()) {
            context.must_be_accepted(&login.credential, "/me during concurrent logins")?;
            // Requests without a pause would take CPU time from the hashing.
            std::thread::sleep(PAUSE);
        }
        logins.into_iter().try_for_each(|login| login.join().expect("a login does not panic").map(drop))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(times_ms: impl Iterator<Item = (f64, f64)>) -> Vec<Pair> {
        let time = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        times_ms.map(|(unknown, wrong)| (time(unknown), time(wrong))).collect()
    }

    #[test]
    fn equal_times_need_no_equal_conditions() {
        let steady = || (0..70).map(|_| (5.2, 5.1));
        assert!(are_equal(&pairs(steady())));
        let one_fast_moment = steady().chain([(2.3, 5.1)]);
        assert!(are_equal(&pairs(one_fast_moment)), "one moment of a faster machine");
        let changing = (1..70).map(|each| (f64::from(each), f64::from(each) * 1.3));
        assert!(are_equal(&pairs(changing)), "a machine whose pace changes");
    }

    #[test]
    fn skipped_and_cheaper_hashes_are_found() {
        assert!(!are_equal(&pairs((0..7).map(|_| (0.3, 5.1)))));
        assert!(!are_equal(&pairs((0..7).map(|_| (5.1, 0.3)))));
        assert!(!are_equal(&pairs((0..7).map(|_| (1.7, 5.1)))), "a third of the work");
        // All but two of the logins wait for other processes, ten times as long as a hash takes.
        let delayed = (0..5).map(|_| (50.3, 55.1)).chain([(0.3, 55.1), (50.3, 5.1)]);
        assert!(!are_equal(&pairs(delayed)), "a busy machine");
    }
}
