//! Rows 3, 5 and 7: a correctly signed token is accepted only by its audience, as its type and during its lifetime.

use serde_json::{Value, json};

use super::Check;
use crate::case::Case;
use crate::stop::{Step, applicable, ensure, fail, not_applicable, reason};
use crate::token::Forge;

/// The maximum declared leeway in seconds.
const MOST_LEEWAY_S: u64 = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "iss-required",
        row: 3,
        title: "A token without iss is rejected.",
        source: "RFC 8725 section 3.8",
        run: |case| absent(case, "iss"),
    },
    Check {
        id: "iss-exact",
        row: 3,
        title: "A token from another issuer is rejected.",
        source: "RFC 8725 section 3.8",
        run: |case| other(case, "iss"),
    },
    Check {
        id: "aud-required",
        row: 3,
        title: "A token without aud is rejected.",
        source: "RFC 8725 section 3.9",
        run: |case| absent(case, "aud"),
    },
    Check {
        id: "aud-exact",
        row: 3,
        title: "A token for another audience is rejected.",
        source: "RFC 8725 section 3.9",
        run: |case| other(case, "aud"),
    },
    Check {
        id: "aud-array",
        row: 3,
        title: "A token for several audiences that include the server's own is accepted.",
        source: "RFC 7519 section 4.1.3",
        run: aud_array,
    },
    Check {
        id: "typ-exact",
        row: 5,
        title: "A token whose typ is absent or not at+jwt is rejected.",
        source: "RFC 8725 section 3.11; RFC 9068 section 4",
        run: typ,
    },
    Check {
        id: "refresh-token-at-api",
        row: 5,
        title: "A refresh token is rejected as a credential, and a credential is rejected as a refresh token.",
        source: "RFC 8725 section 3.12; RFC 9700 section 4.14",
        run: refresh_token,
    },
    Check {
        id: "exp-enforced",
        row: 7,
        title: "A token that expired one second longer ago than the declared leeway is rejected.",
        source: "RFC 7519 section 4.1.4",
        run: exp,
    },
    Check {
        id: "exp-required",
        row: 7,
        title: "A token whose exp is absent or not a number is rejected.",
        source: "RFC 9068 section 4",
        run: exp_required,
    },
    Check {
        id: "nbf-enforced",
        row: 7,
        title: "A token that is not valid yet, or was issued in the future, is rejected.",
        source: "RFC 7519 section 4.1.5",
        run: nbf,
    },
    Check {
        id: "dates-fractional",
        row: 7,
        title: "A token with fractional seconds in its dates is accepted until it expires.",
        source: "RFC 7519 section 2",
        run: fractional,
    },
    Check {
        id: "leeway-small",
        row: 7,
        title: "The leeway is declared and at most 5 s, and a token that has expired for longer is rejected.",
        source: "RFC 7519 section 4.1.4",
        run: leeway,
    },
];

fn absent(case: &Case<'_>, claim: &str) -> Step {
    let forge = case.forge()?;
    case.must_be_refused(forge.without_claim(claim), &format!("no {claim}"))?;
    case.must_be_refused(forge.with_claims([(claim, Value::Null)]), &format!("{claim} null"))
}

fn other(case: &Case<'_>, claim: &str) -> Step {
    let forge = case.forge()?;
    let own = forge.token.claims.get(claim).and_then(Value::as_str).unwrap_or_default();
    let others = [
        json!("https://other.example.test"),
        json!(format!("{own}/")),
        json!(format!("{own} ")),
        json!(own.to_uppercase()),
        json!(["https://other.example.test"]),
        json!([]),
        json!(""),
        json!(7),
    ];
    for value in others {
        case.must_be_refused(forge.with_claims([(claim, value.clone())]), &format!("{claim} {value}"))?;
    }
    Ok(())
}

fn aud_array(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    let own = match &forge.token.claims["aud"] {
        Value::Array(audiences) => audiences.first().cloned().unwrap_or_default(),
        own => own.clone(),
    };
    let others = "https://other.example.test";
    for aud in [json!([own]), json!([others, own]), json!([own, others])] {
        case.must_be_good(forge.with_claims([("aud", aud.clone())]), &format!("aud {aud}"))?;
    }
    Ok(())
}

fn typ(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    let others = [
        json!("JWT"),
        json!("rt+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("at+jwt "),
        json!("at+jwt; charset=utf-8"),
        json!("text/at+jwt"),
        json!("application/"),
        json!("application/jwt"),
        json!(""),
        Value::Null,
        json!(["at+jwt"]),
    ];
    for typ in others {
        case.must_be_refused(forge.with_header("typ", typ.clone()), &format!("typ {typ}"))?;
    }
    case.must_be_refused(forge.without_header("typ"), "no typ")
}

fn refresh_token(case: &Case<'_>) -> Step {
    applicable(case.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let login = case.login()?;
    let Some(token) = &login.refresh_token else { return fail("a login without a refresh token") };
    case.must_be_refused(token, "a refresh token at the API")?;
    case.send(&case.renewal_by(&login.credential))?.must_be(401, "a credential as a refresh token")?;
    case.must_be_good(&login.credential, "after that")
}

/// Returns the time according to a new token of the server; no other clock counts.
fn now(forge: &Forge) -> Step<u64> {
    let told = forge.token.number("iat").or_else(|| forge.token.number("nbf"));
    told.map_or_else(|| not_applicable("the tokens have neither iat nor nbf"), Ok)
}

/// Returns a token that expired this many seconds ago, otherwise unchanged: same lifetime, issued earlier.
fn over_for(forge: &Forge, seconds: u64) -> Step<String> {
    let now = now(forge)?;
    let end = now.saturating_sub(seconds);
    let start = json!(end.saturating_sub(60));
    Ok(forge.with_claims([("exp", json!(end)), ("iat", start.clone()), ("nbf", start.clone()), ("auth_time", start)]))
}

fn exp(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    let leeway_s = case.facts.leeway_s().unwrap_or(MOST_LEEWAY_S);
    for seconds in [1, 2, 10, 3600] {
        let token = over_for(&forge, leeway_s + seconds)?;
        case.must_be_refused(token, &format!("expired for {} s, with a leeway of {leeway_s} s", leeway_s + seconds))?;
    }
    for exp in [json!(0), json!(-1)] {
        case.must_be_refused(forge.with_claims([("exp", exp.clone())]), &format!("exp {exp}"))?;
    }
    Ok(())
}

fn exp_required(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    case.must_be_refused(forge.without_claim("exp"), "no exp")?;
    let later = now(&forge)? + 60;
    for exp in [Value::Null, json!(later.to_string()), json!([later]), json!(true)] {
        case.must_be_refused(forge.with_claims([("exp", exp.clone())]), &format!("exp {exp}"))?;
    }
    Ok(())
}

fn nbf(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    let later = now(&forge)? + case.facts.leeway_s().unwrap_or(MOST_LEEWAY_S) + 60;
    for claim in ["nbf", "iat"] {
        case.must_be_refused(forge.with_claims([(claim, json!(later))]), &format!("{claim} a minute from now"))?;
    }
    case.must_be_refused(forge.with_claims([("nbf", json!("0"))]), "nbf that is a string")
}

fn fractional(case: &Case<'_>) -> Step {
    let forge = case.forge()?;
    let (now, leeway_s) = (now(&forge)? as f64, case.facts.leeway_s().unwrap_or(MOST_LEEWAY_S) as f64);
    let with = |begins: f64, ends: f64| {
        let claims = ["iat", "nbf", "auth_time"].map(|claim| (claim, json!(begins)));
        let [iat, nbf, auth_time] = claims;
        forge.with_claims([iat, nbf, auth_time, ("exp", json!(ends))])
    };
    case.must_be_good(with(now - 0.5, now + 60.5), "dates with fractional seconds")?;
    let over = with(now - leeway_s - 61.5, now - leeway_s - 1.5);
    case.must_be_refused(over, &format!("expired for 1.5 s, with a leeway of {leeway_s} s"))
}

fn leeway(case: &Case<'_>) -> Step {
    applicable(case.facts.jws, reason::NOT_JWS)?;
    let declared_s = Case::fact(case.facts.leeway_s())?;
    ensure(declared_s <= MOST_LEEWAY_S, || format!("the declared leeway is {declared_s} s"))?;
    let forge = case.forge()?;
    let token = over_for(&forge, MOST_LEEWAY_S + 1)?;
    case.must_be_refused(token, &format!("expired for {} s", MOST_LEEWAY_S + 1))
}
