//! Row 11: a refresh token is used once, and a second use revokes its family.

use contract::route;

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, fail, reason};

/// Number of concurrent renewals.
const AT_ONCE: usize = 20;
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
        id: "refresh-reuse-refused",
        row: 11,
        title: "A refresh token older than the last used one is rejected, and without a grace period the last used \
                one, too.",
        source: SOURCE,
        run: reuse_refused,
    },
    Check {
        id: "refresh-reuse-ends-family",
        row: 11,
        title: "After a refresh token is used twice, the newest of its family is rejected; other logins stay valid.",
        source: SOURCE,
        run: reuse_ends_family,
    },
    Check {
        id: "refresh-one-winner",
        row: 11,
        title: "Of many concurrent renewals with the same refresh token exactly one succeeds.",
        source: SOURCE,
        run: one_winner,
    },
    Check {
        id: "refresh-unknown-refused",
        row: 11,
        title: "A refresh token that was never issued is rejected and affects no family.",
        source: SOURCE,
        run: unknown_refused,
    },
];

/// Returns a login and several renewals of it, the login first.
fn chain(case: &Case<'_>, renewals: usize) -> Step<Vec<Login>> {
    applicable(case.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let mut chain = vec![case.login()?];
    for n in 0..renewals {
        chain.push(case.renew(&chain[n])?);
    }
    Ok(chain)
}

fn token(login: &Login) -> Step<&str> {
    login.refresh_token.as_deref().map_or_else(|| fail("a login or renewal without a refresh token"), Ok)
}

fn rotates(case: &Case<'_>) -> Step {
    let chain = chain(case, 3)?;
    for pair in chain.windows(2) {
        ensure(token(&pair[0])? != token(&pair[1])?, || "a renewal issues the same refresh token again".to_owned())?;
        case.must_be_good(&pair[1].credential, "a renewed credential")?;
    }
    Ok(())
}

fn reuse_refused(case: &Case<'_>) -> Step {
    let long = chain(case, 2)?;
    case.send(&case.renewal_by(token(&long[0])?))?.must_be(401, "the refresh token before the last one")?;
    if case.subject.refresh_grace_s == 0 {
        let short = chain(case, 1)?;
        case.send(&case.renewal_by(token(&short[0])?))?.must_be(401, "a refresh token that was just used")?;
    }
    Ok(())
}

fn reuse_ends_family(case: &Case<'_>) -> Step {
    let family = chain(case, 2)?;
    let other = case.login_as(&family[0].username)?;
    let _ = case.send(&case.renewal_by(token(&family[0])?))?;
    case.send(&case.renewal_by(token(&family[2])?))?
        .must_be(401, "the newest refresh token after an old one was reused")?;
    case.renew(&other).map(drop)
}

fn one_winner(case: &Case<'_>) -> Step {
    applicable(case.subject.refresh_grace_s == 0, reason::GRACE)?;
    let login = chain(case, 0)?.remove(0);
    let request = case.renewal_by(token(&login)?);
    let nodes = case.subject.nodes.iter().cycle().take(AT_ONCE);
    let answers = std::thread::scope(|scope| {
        let asked: Vec<_> = nodes.map(|node| scope.spawn(|| case.send_to(node, &request))).collect();
        asked.into_iter().map(|asked| asked.join().expect("sending does not panic")).collect::<Step<Vec<_>>>()
    })?;
    let winners = answers.iter().filter(|answer| answer.status == 200 && case.handed(answer).is_some()).count();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    ensure((winners, refused) == (1, AT_ONCE - 1), || {
        format!("of {AT_ONCE} concurrent renewals {winners} succeed and {refused} are rejected with 401")
    })
}

fn unknown_refused(case: &Case<'_>) -> Step {
    let login = chain(case, 0)?.remove(0);
    let own = token(&login)?;
    let reversed: String = own.chars().rev().collect();
    for unknown in [reversed.as_str(), "unknown", &own[1..], &format!("{own}A")] {
        case.send(&case.renewal_by(unknown))?.must_be_4xx("an unknown refresh token")?;
    }
    case.send(&case.as_own_site(crate::wire::Request::post(route::REFRESH)))?.must_be_4xx("no refresh token")?;
    case.renew(&login).map(drop)
}
