//! Row 11: a refresh token is used once, and a second use revokes its family.

use contract::route;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, reason};
use crate::login::Login;

/// Number of concurrent renewals.
const CONCURRENCY: usize = 20;
const SOURCE: &str = "RFC 9700 section 4.14.2";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "refresh-rotates",
        row: 11,
        title: "A renewal issues a working credential and a new refresh token.",
        source: SOURCE,
        run: rotates,
    },
    Check {
        id: "refresh-reuse-rejected",
        row: 11,
        title: "A refresh token older than the last used one is rejected, and without a grace period the last used \
                one, too.",
        source: SOURCE,
        run: reuse_is_rejected,
    },
    Check {
        id: "refresh-reuse-revokes-family",
        row: 11,
        title: "After a refresh token is used twice, the newest of its family is rejected; other logins stay valid.",
        source: SOURCE,
        run: reuse_revokes_family,
    },
    Check {
        id: "refresh-one-winner",
        row: 11,
        title: "Of many concurrent renewals with the same refresh token exactly one succeeds.",
        source: SOURCE,
        run: exactly_one_succeeds,
    },
    Check {
        id: "refresh-unknown-rejected",
        row: 11,
        title: "A refresh token that was never issued is rejected and affects no family.",
        source: SOURCE,
        run: unknown_is_rejected,
    },
];

/// Returns a login and several renewals of it, the login first.
fn chain(context: &CheckContext<'_>, renewals: usize) -> CheckResult<Vec<Login>> {
    applicable(context.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let mut chain = vec![context.login()?];
    for n in 0..renewals {
        chain.push(context.renew(&chain[n])?);
    }
    Ok(chain)
}

fn token(login: &Login) -> CheckResult<&str> {
    login.refresh_token.as_deref().map_or_else(|| fail("a login or renewal without a refresh token"), Ok)
}

fn rotates(context: &CheckContext<'_>) -> CheckResult {
    let chain = chain(context, 3)?;
    for pair in chain.windows(2) {
        ensure(token(&pair[0])? != token(&pair[1])?, || "a renewal issues the same refresh token again".to_owned())?;
        context.must_be_accepted(&pair[1].credential, "a renewed credential")?;
    }
    Ok(())
}

fn reuse_is_rejected(context: &CheckContext<'_>) -> CheckResult {
    let long = chain(context, 2)?;
    context
        .send(&context.renewal_request_with(token(&long[0])?))?
        .must_be(401, "the refresh token before the last one")?;
    if context.subject.refresh_grace_s == 0 {
        let short = chain(context, 1)?;
        context
            .send(&context.renewal_request_with(token(&short[0])?))?
            .must_be(401, "a refresh token that was just used")?;
    }
    Ok(())
}

fn reuse_revokes_family(context: &CheckContext<'_>) -> CheckResult {
    let family = chain(context, 2)?;
    let other = context.login_as(&family[0].username)?;
    let _ = context.send(&context.renewal_request_with(token(&family[0])?))?;
    context
        .send(&context.renewal_request_with(token(&family[2])?))?
        .must_be(401, "the newest refresh token after an old one was reused")?;
    context.renew(&other).map(drop)
}

fn exactly_one_succeeds(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.subject.refresh_grace_s == 0, reason::GRACE)?;
    let login = chain(context, 0)?.remove(0);
    let request = context.renewal_request_with(token(&login)?);
    let nodes = context.subject.nodes.iter().cycle().take(CONCURRENCY);
    let responses = std::thread::scope(|scope| {
        let sent: Vec<_> = nodes.map(|node| scope.spawn(|| context.send_to(node, &request))).collect();
        sent.into_iter().map(|sent| sent.join().expect("sending does not panic")).collect::<CheckResult<Vec<_>>>()
    })?;
    let winners = responses
        .iter()
        .filter(|response| response.status == 200 && context.issued_credential(response).is_some())
        .count();
    let rejected = responses.iter().filter(|response| response.status == 401).count();
    ensure((winners, rejected) == (1, CONCURRENCY - 1), || {
        format!("of {CONCURRENCY} concurrent renewals {winners} succeed and {rejected} are rejected with 401")
    })
}

fn unknown_is_rejected(context: &CheckContext<'_>) -> CheckResult {
    let login = chain(context, 0)?.remove(0);
    let own = token(&login)?;
    let reversed: String = own.chars().rev().collect();
    for unknown in [reversed.as_str(), "unknown", &own[1..], &format!("{own}A")] {
        context.send(&context.renewal_request_with(unknown))?.must_be_4xx("an unknown refresh token")?;
    }
    context
        .send(&context.as_same_origin(crate::wire::Request::post(route::REFRESH)))?
        .must_be_4xx("no refresh token")?;
    context.renew(&login).map(drop)
}
