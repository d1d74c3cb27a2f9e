//! Row 21: mutated credentials are rejected, cause no server error and leave no state.

use contract::route;

use super::Check;
use crate::case::Case;
use crate::mutation::Mutator;
use crate::stop::{Step, ensure, not_applicable, reason};
use crate::wire::{Answer, Connection, Request};

/// Users whose credentials are mutated.
const USERS: usize = 4;
/// One of this many mutated credentials is a refresh token, where there are any.
const REFRESH_EVERY: u32 = 4;
/// The growth allowed during the second half of a flood: buffers and allocators settle, but a hundred thousand
/// stored credentials would need more.
const GROWTH_BYTES: u64 = 8 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "mutated-refused",
        row: 21,
        title: "No randomly mutated credential is accepted or causes a server error.",
        source: "RFC 8725 section 3.3; OWASP ASVS 7.2",
        run: refused,
    },
    Check {
        id: "mutated-memory",
        row: 21,
        title: "Mutated credentials do not make the server's memory grow.",
        source: "CWE-770",
        run: memory,
    },
];

fn refused(case: &Case<'_>) -> Step {
    let mut flood = Flood::of(case)?;
    flood.send(case.subject.extent.mutations, |what, answer| answer.must_be_4xx(what))?;
    flood.good.iter().try_for_each(|good| case.must_be_good(good, "a valid credential after that"))
}

fn memory(case: &Case<'_>) -> Step {
    let Some(memory) = &case.subject.memory else { return not_applicable(reason::NO_MEMORY) };
    let bytes = || memory().or_else(|error| not_applicable(format!("the server's memory cannot be read: {error}")));
    let mut flood = Flood::of(case)?;
    let half = case.subject.extent.mutations / 2;
    flood.send(half, |_, _| Ok(()))?;
    let before = bytes()?;
    flood.send(half, |_, _| Ok(()))?;
    let grown = bytes()?.saturating_sub(before);
    ensure(grown <= GROWTH_BYTES, || {
        format!("the server's memory grew by {} KiB during {half} rejected credentials", grown >> 10)
    })
}

/// A connection for mutated credentials.
struct Flood<'c> {
    case: &'c Case<'c>,
    connection: Connection<'c>,
    good: Vec<String>,
    credentials: Mutator,
    refresh_tokens: Option<Mutator>,
    sent: u32,
}

impl<'c> Flood<'c> {
    fn of(case: &'c Case<'_>) -> Step<Self> {
        let logins = (0..USERS).map(|_| case.login()).collect::<Step<Vec<_>>>()?;
        let good: Vec<String> = logins.iter().map(|login| login.credential.clone()).collect();
        let refresh_tokens: Vec<String> = logins.into_iter().filter_map(|login| login.refresh_token).collect();
        let carrier = case.facts.carrier;
        Ok(Self {
            case,
            connection: case.connection(case.first()),
            credentials: Mutator::of(carrier, good.clone()),
            refresh_tokens: (!refresh_tokens.is_empty()).then(|| Mutator::of(carrier, refresh_tokens)),
            good,
            sent: 0,
        })
    }

    /// Sends this many and checks each response.
    fn send(&mut self, count: u32, judge: impl Fn(&str, &Answer) -> Step) -> Step {
        for _ in 0..count {
            let (what, request) = self.next();
            let mut answer = self.case.send_over(&mut self.connection, &request)?;
            if answer.status == 503 && self.case.facts.store_apart() != Some(false) {
                // When the machine pauses, a server may report its store as unavailable: once.
                answer = self.case.send_over(&mut self.connection, &request)?;
            }
            judge(what, &answer)?;
        }
        Ok(())
    }

    fn next(&mut self) -> (&'static str, Request) {
        self.sent += 1;
        match &mut self.refresh_tokens {
            Some(tokens) if self.sent.is_multiple_of(REFRESH_EVERY) => {
                let (what, token) = tokens.next();
                (what, self.case.renewal_by(&String::from_utf8_lossy(&token)))
            }
            _ => {
                let (what, credential) = self.credentials.next();
                (what, self.case.with(Request::get(route::ME), credential))
            }
        }
    }
}
