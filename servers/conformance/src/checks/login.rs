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

/// The bounds are coarse by intent. Hashing takes tens of milliseconds, and a server that skips it is off by a factor
/// of ten or more. The fastest logins are compared, because other processes only ever add
/// to a time.
fn equal_times(context: &CheckContext<'_>) -> CheckResult {
    let (mut unknown, mut wrong) = (Duration::MAX, Duration::MAX);
    for _ in 0..MEASUREMENTS {
        let times = fastest(context)?;
        (unknown, wrong) = (unknown.min(times.0), wrong.min(times.1));
        if (wrong / 2..=wrong * 2).contains(&unknown) {
            return Ok(());
        }
    }
    let timed = LOGINS_PER_MEASUREMENT * MEASUREMENTS;
    fail(format!("{unknown:?} for an unknown user, {wrong:?} for a wrong password (the fastest of {timed})"))
}

/// Returns the fastest rejection of an unknown user and of a wrong password, timed alternately.
fn fastest(context: &CheckContext<'_>) -> CheckResult<(Duration, Duration)> {
    let (known, mut unknown, mut wrong) = (context.login()?.username, Duration::MAX, Duration::MAX);
    for attempt in 0..LOGINS_PER_MEASUREMENT {
        for (name, fastest) in [(unknown_user(attempt), &mut unknown), (known.clone(), &mut wrong)] {
            let response = context.send(&CheckContext::login_request(&name, "a wrong password of some length"))?;
            response.must_be(401, "a wrong password")?;
            *fastest = response.took.min(*fastest);
        }
    }
    Ok((unknown, wrong))
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
