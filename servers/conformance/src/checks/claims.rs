//! Rows 3, 5 and 7: a correctly signed token is accepted only by its audience, as its type and during its lifetime.

use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, not_applicable, reason};
use crate::token::Forge;

/// The maximum declared leeway in seconds.
const MAX_LEEWAY_S: u64 = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "iss-required",
        row: 3,
        title: "A token without iss is rejected.",
        source: "RFC 8725 section 3.8",
        run: |context| absent(context, "iss"),
    },
    Check {
        id: "iss-exact",
        row: 3,
        title: "A token from another issuer is rejected.",
        source: "RFC 8725 section 3.8",
        run: |context| other(context, "iss"),
    },
    Check {
        id: "aud-required",
        row: 3,
        title: "A token without aud is rejected.",
        source: "RFC 8725 section 3.9",
        run: |context| absent(context, "aud"),
    },
    Check {
        id: "aud-exact",
        row: 3,
        title: "A token for another audience is rejected.",
        source: "RFC 8725 section 3.9",
        run: |context| other(context, "aud"),
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
        title: "A token is rejected when the declared leeway and one second have passed since it expired.",
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

fn absent(context: &CheckContext<'_>, claim: &str) -> CheckResult {
    let forge = context.forge()?;
    context.must_be_rejected(forge.without_claim(claim), &format!("no {claim}"))?;
    context.must_be_rejected(forge.with_claims([(claim, Value::Null)]), &format!("{claim} null"))
}

fn other(context: &CheckContext<'_>, claim: &str) -> CheckResult {
    let forge = context.forge()?;
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
        context.must_be_rejected(forge.with_claims([(claim, value.clone())]), &format!("{claim} {value}"))?;
    }
    Ok(())
}

fn aud_array(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let own = match &forge.token.claims["aud"] {
        Value::Array(audiences) => audiences.first().cloned().unwrap_or_default(),
        own => own.clone(),
    };
    let others = "https://other.example.test";
    for aud in [json!([own]), json!([others, own]), json!([own, others])] {
        context.must_be_accepted(forge.with_claims([("aud", aud.clone())]), &format!("aud {aud}"))?;
    }
    Ok(())
}

fn typ(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
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
        context.must_be_rejected(forge.with_header("typ", typ.clone()), &format!("typ {typ}"))?;
    }
    context.must_be_rejected(forge.without_header("typ"), "no typ")
}

fn refresh_token(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let login = context.login()?;
    let Some(token) = &login.refresh_token else { return fail("a login without a refresh token") };
    context.must_be_rejected(token, "a refresh token at the API")?;
    context.send(&context.renewal_request_with(&login.credential))?.must_be(401, "a credential as a refresh token")?;
    context.must_be_accepted(&login.credential, "after that")
}

/// Returns the time according to a new token of the server; no other clock counts.
fn now(forge: &Forge) -> CheckResult<u64> {
    let issued_at = forge.token.number("iat").or_else(|| forge.token.number("nbf"));
    issued_at.map_or_else(|| not_applicable("the tokens have neither iat nor nbf"), Ok)
}

/// Returns a token that expired this many seconds ago, otherwise unchanged: same lifetime, issued earlier.
fn expired_for(forge: &Forge, seconds: u64) -> CheckResult<String> {
    let now = now(forge)?;
    let end = now.saturating_sub(seconds);
    let start = json!(end.saturating_sub(60));
    Ok(forge.with_claims([("exp", json!(end)), ("iat", start.clone()), ("nbf", start.clone()), ("auth_time", start)]))
}

fn exp(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let leeway_s = context.facts.leeway_s().unwrap_or(MAX_LEEWAY_S);
    for seconds in [1, 2, 10, 3600] {
        let token = expired_for(&forge, leeway_s + seconds)?;
        context
            .must_be_rejected(token, &format!("expired for {} s, with a leeway of {leeway_s} s", leeway_s + seconds))?;
    }
    for exp in [json!(0), json!(-1)] {
        context.must_be_rejected(forge.with_claims([("exp", exp.clone())]), &format!("exp {exp}"))?;
    }
    Ok(())
}

fn exp_required(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    context.must_be_rejected(forge.without_claim("exp"), "no exp")?;
    let later = now(&forge)? + 60;
    for exp in [Value::Null, json!(later.to_string()), json!([later]), json!(true)] {
        context.must_be_rejected(forge.with_claims([("exp", exp.clone())]), &format!("exp {exp}"))?;
    }
    Ok(())
}

fn nbf(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let later = now(&forge)? + context.facts.leeway_s().unwrap_or(MAX_LEEWAY_S) + 60;
    for claim in ["nbf", "iat"] {
        context.must_be_rejected(forge.with_claims([(claim, json!(later))]), &format!("{claim} a minute from now"))?;
    }
    context.must_be_rejected(forge.with_claims([("nbf", json!("0"))]), "nbf that is a string")
}

fn fractional(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let (now, leeway_s) = (now(&forge)? as f64, context.facts.leeway_s().unwrap_or(MAX_LEEWAY_S) as f64);
    let with = |begins: f64, ends: f64| {
        let claims = ["iat", "nbf", "auth_time"].map(|claim| (claim, json!(begins)));
        let [iat, nbf, auth_time] = claims;
        forge.with_claims([iat, nbf, auth_time, ("exp", json!(ends))])
    };
    context.must_be_accepted(with(now - 0.5, now + 60.5), "dates with fractional seconds")?;
    let expired = with(now - leeway_s - 61.5, now - leeway_s - 1.5);
    context.must_be_rejected(expired, &format!("expired for 1.5 s, with a leeway of {leeway_s} s"))
}

fn leeway(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.jws, reason::NOT_JWS)?;
    let declared_s = CheckContext::require(context.facts.leeway_s())?;
    ensure(declared_s <= MAX_LEEWAY_S, || format!("the declared leeway is {declared_s} s"))?;
    let forge = context.forge()?;
    let token = expired_for(&forge, MAX_LEEWAY_S + 1)?;
    context.must_be_rejected(token, &format!("expired for {} s", MAX_LEEWAY_S + 1))
}
