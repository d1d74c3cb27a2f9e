//! Credentials, and the events that revoke them.

use std::time::Instant;

use contract::body::MintedCredential;
use contract::user::{ADMIN_ROLE, PASSWORD, username};
use contract::{Carrier, Scheme, route};
use driver::{Call, PollError, RevocationPoller, Trial};
use engine::record::EventKind;
use lab::http::Client;

use crate::run_context::ExperimentError;
use crate::wire::credential_header;

/// Long enough for any password rule.
const NEW_PASSWORD: &str = "an entirely new password";
/// The seeded admin, who changes other users.
const ADMIN_USER: u32 = 0;

type Headers = Vec<(String, String)>;

/// Creates trials for nodes that share a store and keys.
pub(super) struct TrialFactory<'group> {
    pub(super) scheme: Scheme,
    pub(super) carrier: Carrier,
    pub(super) poller: &'group mut RevocationPoller,
    /// One client per node.
    pub(super) clients: &'group [Client],
    /// Every event has a separate user, because the change is permanent.
    pub(super) next_user: &'group mut u32,
}

/// A trial that is ready to start.
pub(super) struct PreparedTrial {
    pub(super) kind: EventKind,
    pub(super) trial: Trial,
    /// The latest time at which the credential was issued.
    pub(super) issued_at: Instant,
}

impl TrialFactory<'_> {
    /// Creates one trial for each kind and receiving node.
    pub(super) fn make(&mut self, kinds: &[(EventKind, usize)]) -> Result<Vec<PreparedTrial>, ExperimentError> {
        let (admin, _) = self.mint(1, ADMIN_USER)?;
        let admin = &admin[0];
        // Logins first, because they take long, and credentials issued before would age meanwhile.
        let demoted = kinds.iter().filter(|(kind, _)| *kind == EventKind::Demote);
        let mut prepared: Vec<PreparedTrial> =
            demoted.map(|&(_, event_node)| self.demotion(event_node, admin)).collect::<Result<_, ExperimentError>>()?;
        let others: Vec<&(EventKind, usize)> = kinds.iter().filter(|(kind, _)| *kind != EventKind::Demote).collect();
        let first = self.users(others.len() as u32);
        let (credentials, issued_at) = self.mint(others.len() as u32, first)?;
        for ((&&(kind, event_node), headers), user) in others.iter().zip(credentials).zip(first..) {
            let event = self.event(kind, &headers, admin, user);
            prepared.push(PreparedTrial {
                kind,
                trial: Trial { event_node, event, probe: Call::get(route::ME, headers) },
                issued_at,
            });
        }
        Ok(prepared)
    }

    fn users(&mut self, count: u32) -> u32 {
        let first = *self.next_user;
        *self.next_user += count;
        first
    }

    fn mint(&self, count: u32, first: u32) -> Result<(Vec<Headers>, Instant), ExperimentError> {
        let minted = self.clients[0].mint(count, first)?;
        let headers = |credential: MintedCredential| credential.headers.into_iter().collect();
        Ok((minted.into_iter().map(headers).collect(), Instant::now()))
    }

    /// Returns the request that revokes this credential of this user.
    fn event(&self, kind: EventKind, headers: &Headers, admin: &Headers, user: u32) -> Call {
        let body = |value: serde_json::Value| Some(value.to_string());
        let name = username(user);
        match kind {
            EventKind::Logout => self.post(route::LOGOUT, headers, None),
            EventKind::LogoutAll => self.post(route::LOGOUT_ALL, headers, None),
            EventKind::PasswordChange => {
                let change = serde_json::json!({ "password": PASSWORD, "new_password": NEW_PASSWORD });
                self.post(route::PASSWORD, headers, body(change))
            }
            EventKind::Disable => {
                self.post(route::ADMIN_USER, admin, body(serde_json::json!({ "username": name, "disabled": true })))
            }
            EventKind::Demote => {
                self.post(route::ADMIN_USER, admin, body(serde_json::json!({ "username": name, "roles": [] })))
            }
        }
    }

    /// Returns a request that changes state; with a cookie it has to state the same origin.
    fn post(&self, path: &'static str, credential: &Headers, body: Option<String>) -> Call {
        let mut headers = credential.clone();
        if self.carrier == Carrier::Cookie {
            headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
        }
        Call::post(path, headers, body)
    }

    /// Prepares a user who was given the role, has logged in with it, and will lose it.
    fn demotion(&mut self, event_node: usize, admin: &Headers) -> Result<PreparedTrial, ExperimentError> {
        let user = self.users(1);
        let roles = serde_json::json!({ "username": username(user), "roles": [ADMIN_ROLE] });
        let promotion = self.post(route::ADMIN_USER, admin, Some(roles.to_string()));
        let status = self.poller.send(event_node, &promotion).map_err(|source| self.failed(source))?;
        if status != 204 {
            return Err(ExperimentError::Prepared { scheme: self.scheme, what: "a promotion", status });
        }
        let (login, response) = self.clients[event_node].login(&username(user), PASSWORD)?;
        let issued_at = Instant::now();
        let credential_header = credential_header(&self.clients[event_node], self.carrier, &login, &response);
        let headers: Headers = credential_header.into_iter().map(|sent| (sent.header.to_owned(), sent.value)).collect();
        let event = self.event(EventKind::Demote, &headers, admin, user);
        let trial = Trial { event_node, event, probe: Call::get(route::ADMIN, headers) };
        Ok(PreparedTrial { kind: EventKind::Demote, trial, issued_at })
    }

    fn failed(&self, source: PollError) -> ExperimentError {
        ExperimentError::Probe { scheme: self.scheme, source }
    }
}
