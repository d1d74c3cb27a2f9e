//! One request before a load, so that a target that is wrong from the first request does not take the whole load to
//! show it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use contract::Carrier;
use engine::plan::{Mix, Plan};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Request, StatusCode};

use crate::client::client;
use crate::credential::Credential;
use crate::exchange::{Addresses, BodyError, ReceivedResponse, has_expected_user, read_body};
use crate::issued::Issued;
use crate::{DriveError, Target, redact};

/// The maximum number of response headers that are shown.
const MAX_HEADERS: usize = 24;

/// A target cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The request cannot be made.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The target does not respond as the plan expects.
    #[error("the target does not respond to the first request as expected; no load was sent\n{0}")]
    Unexpected(Box<Exchanged>),
}

/// A request and what came of it, with credentials masked.
#[derive(Debug)]
pub struct Exchanged {
    sent: Vec<String>,
    received: Vec<String>,
    expected: String,
}

impl fmt::Display for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = "\n            ";
        writeln!(f, "  sent:     {}", self.sent.join(between))?;
        writeln!(f, "  received: {}", self.received.join(between))?;
        write!(f, "  expected: {}", self.expected)
    }
}

/// Sends every node the first request of this plan with the first credential, and checks the response as the load does.
pub(crate) fn run(plan: &Plan, target: &Target) -> Result<(), PreflightError> {
    let client = client(Duration::from_secs_f64(plan.timeout_s))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DriveError::Threads)?;
    target.nodes.iter().try_for_each(|node| {
        let addresses = Addresses::of(node, plan.mix)?;
        let first = FirstRequest::of(plan, target.carrier, node.credentials.get(0), &addresses);
        runtime.block_on(first.check(&client))
    })
}

/// The first request to a node, and its expected response.
struct FirstRequest<'a> {
    request: Request,
    addresses: &'a Addresses,
    credential: &'a Credential,
    status: u16,
    expected: ExpectedContent,
}

/// The expected content of a response.
#[derive(Clone, Copy)]
enum ExpectedContent {
    /// The user whose credential was sent.
    User,
    /// A credential, where this carrier has it.
    Credential(Carrier),
    /// Anything.
    Nothing,
}

impl<'a> FirstRequest<'a> {
    fn of(plan: &Plan, carrier: Carrier, credential: &'a Credential, addresses: &'a Addresses) -> Self {
        match plan.mix {
            Mix::Journey { .. } => {
                let request = addresses.login_by(carrier, &contract::user::username(0));
                Self { request, addresses, credential, status: 200, expected: ExpectedContent::Credential(carrier) }
            }
            Mix::Reads | Mix::Chain { .. } => {
                let status = plan.expected_status;
                let expected = if status == 200 { ExpectedContent::User } else { ExpectedContent::Nothing };
                Self { request: addresses.read(credential), addresses, credential, status, expected }
            }
        }
    }

    async fn check(self, client: &Client) -> Result<(), PreflightError> {
        let sent = self.sent();
        let request = self.request.try_clone().expect("its body is in memory");
        let unexpected = |received| {
            let exchanged = Exchanged { sent: sent.clone(), received, expected: self.expected() };
            Err(PreflightError::Unexpected(Box::new(exchanged)))
        };
        let mut response = match client.execute(request).await {
            Ok(response) => response,
            Err(error) => return unexpected(vec![format!("nothing: {}", causes(&error))]),
        };
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        match read_body(response).await {
            Ok(body) if self.accepts(status, &headers, &body) => Ok(()),
            Ok(body) => unexpected(received(status, &headers, &body)),
            Err(error) => {
                let mut received = received(status, &headers, &[]);
                received.push(match error {
                    BodyError::Lost(error) => causes(&error),
                    BodyError::TooLarge => error.to_string(),
                });
                unexpected(received)
            }
        }
    }

    fn accepts(&self, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> bool {
        status == self.status
            && match self.expected {
                ExpectedContent::User => has_expected_user(body, self.credential),
                ExpectedContent::Credential(carrier) => {
                    let response = ReceivedResponse { headers: headers.clone(), body: body.clone() };
                    // The control issues none.
                    self.credential.headers.is_empty() || Issued::at_login(carrier, self.addresses, &response).is_some()
                }
                ExpectedContent::Nothing => true,
            }
    }

    fn expected(&self) -> String {
        let status = format!("status {}", self.status);
        match (self.expected, &self.credential.username) {
            (ExpectedContent::User, Some(username)) => format!("{status}, and {username} in the body"),
            (ExpectedContent::Credential(carrier), _) => format!("{status}, and a credential for carrier {carrier}"),
            (ExpectedContent::User | ExpectedContent::Nothing, _) => status,
        }
    }

    /// The request as it may be shown. A login's body is named only: there is a password in it.
    fn sent(&self) -> Vec<String> {
        let Self { request, credential, .. } = self;
        let is_secret = |name: &HeaderName| credential.headers.iter().any(|(secret, _)| secret == name);
        let line = format!("{} {}", request.method(), request.url());
        let headers = request.headers().iter().map(|(name, value)| redact::header(name, value, is_secret(name)));
        let body = request.body().map(|_| format!("the user name and the password of {}", contract::user::username(0)));
        std::iter::once(line).chain(headers).chain(body).collect()
    }
}

/// Returns a response as it may be shown.
fn received(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let shown = headers.iter().take(MAX_HEADERS).map(|(name, value)| redact::header(name, value, false));
    let more = headers.len().checked_sub(MAX_HEADERS + 1).map(|more| format!("({} more headers)", more + 1));
    let body = (!body.is_empty()).then(|| redact::text(&String::from_utf8_lossy(body)));
    std::iter::once(status.to_string()).chain(shown).chain(more).chain(body).collect()
}

/// Returns an error and its causes, each stated once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    let mut text = String::new();
    for cause in all.filter(|cause| !cause.is_empty()) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    redact::text(&text)
}
