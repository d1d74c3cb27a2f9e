//! Row 21: mutated credentials are rejected, cause no server error and leave no state.

use contract::route;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure, not_applicable, reason};
use crate::mutation::Mutator;
use crate::wire::{Connection, Request, Response};

/// Users whose credentials are mutated.
const USERS: usize = 4;
/// One of this many mutated credentials is a refresh token, where there are any.
const REFRESH_EVERY: u32 = 4;
/// The growth allowed during the second half of a flood: buffers and allocators settle, but a hundred thousand
/// stored credentials would need more.
const GROWTH_BYTES: u64 = 8 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "mutated-rejected",
        row: 21,
        title: "No randomly mutated credential is accepted or causes a server error.",
        source: "RFC 8725 section 3.3; OWASP ASVS 7.2",
        run: are_rejected,
    },
    Check {
        id: "mutated-memory",
        row: 21,
        title: "Mutated credentials do not make the server's memory grow.",
        source: "CWE-770",
        run: memory,
    },
];

fn are_rejected(context: &CheckContext<'_>) -> CheckResult {
    let mut flood = MutationFlood::of(context)?;
    flood.send(context.subject.extent.mutations, |what, response| response.must_be_4xx(what))?;
    flood.valid.iter().try_for_each(|valid| context.must_be_accepted(valid, "a valid credential after that"))
}

fn memory(context: &CheckContext<'_>) -> CheckResult {
    let Some(memory) = &context.subject.memory else { return not_applicable(reason::NO_MEMORY) };
    let bytes = || memory().or_else(|error| not_applicable(format!("the server's memory cannot be read: {error}")));
    let mut flood = MutationFlood::of(context)?;
    let half = context.subject.extent.mutations / 2;
    flood.send(half, |_, _| Ok(()))?;
    let before = bytes()?;
    flood.send(half, |_, _| Ok(()))?;
    let grown = bytes()?.saturating_sub(before);
    ensure(grown <= GROWTH_BYTES, || {
        format!("the server's memory grew by {} KiB during {half} rejected credentials", grown >> 10)
    })
}

/// A connection for mutated credentials.
struct MutationFlood<'c> {
    context: &'c CheckContext<'c>,
    connection: Connection<'c>,
    valid: Vec<String>,
    credentials: Mutator,
    refresh_tokens: Option<Mutator>,
    sent: u32,
}

impl<'c> MutationFlood<'c> {
    fn of(context: &'c CheckContext<'_>) -> CheckResult<Self> {
        let logins = (0..USERS).map(|_| context.login()).collect::<CheckResult<Vec<_>>>()?;
        let valid: Vec<String> = logins.iter().map(|login| login.credential.clone()).collect();
        let refresh_tokens: Vec<String> = logins.into_iter().filter_map(|login| login.refresh_token).collect();
        let carrier = context.facts.carrier;
        Ok(Self {
            context,
            connection: context.connection(context.first_node()),
            credentials: Mutator::of(carrier, valid.clone()),
            refresh_tokens: (!refresh_tokens.is_empty()).then(|| Mutator::of(carrier, refresh_tokens)),
            valid,
            sent: 0,
        })
    }

    /// Sends this many and checks each response.
    fn send(&mut self, count: u32, check: impl Fn(&str, &Response) -> CheckResult) -> CheckResult {
        for _ in 0..count {
            let (what, request) = self.next();
            let mut response = self.context.send_over(&mut self.connection, &request)?;
            if response.status == 503 && self.context.facts.has_external_store() != Some(false) {
                // When the machine pauses, a server may report its store as unavailable: once.
                response = self.context.send_over(&mut self.connection, &request)?;
            }
            check(what, &response)?;
        }
        Ok(())
    }

    fn next(&mut self) -> (&'static str, Request) {
        self.sent += 1;
        match &mut self.refresh_tokens {
            Some(tokens) if self.sent.is_multiple_of(REFRESH_EVERY) => {
                let (what, token) = tokens.next();
                (what, self.context.renewal_request_with(&String::from_utf8_lossy(&token)))
            }
            _ => {
                let (what, credential) = self.credentials.next();
                (what, self.context.with(Request::get(route::ME), credential))
            }
        }
    }
}
