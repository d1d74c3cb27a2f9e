//! One request and its response.

use std::error::Error;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use contract::body::{LoginRequest, RefreshRequest};
use contract::user::PASSWORD;
use contract::{Carrier, route};
use engine::plan::Mix;
use engine::shortage::Shortage;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN};
use reqwest::{Client, Method, Request, Response, Url};
use serde::Serialize;

use crate::credential::Credential;
use crate::issued::Issued;
use crate::{DriveError, Node};

/// The largest body that is received, in bytes. The response to a read has some hundred.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// The kind of failure that a larger one counts as.
pub(crate) const TOO_LARGE: &str = "response larger than 1 MiB";

/// The addresses of a node, parsed once.
#[derive(Debug)]
pub(crate) struct Addresses {
    login: Url,
    read: Url,
    refresh: Url,
    logout: Url,
    origin: HeaderValue,
}

impl Addresses {
    pub(crate) fn of(node: &Node, mix: Mix) -> Result<Self, DriveError> {
        let base = node.base()?;
        Ok(Self {
            login: base.at(route::LOGIN),
            read: base.at(&read_path(mix)),
            refresh: base.at(route::REFRESH),
            logout: base.at(route::LOGOUT),
            origin: HeaderValue::try_from(base.origin()).expect("an origin is visible ASCII"),
        })
    }

    pub(crate) const fn login_url(&self) -> &Url {
        &self.login
    }

    pub(crate) const fn read_url(&self) -> &Url {
        &self.read
    }

    pub(crate) const fn refresh_url(&self) -> &Url {
        &self.refresh
    }

    pub(crate) fn read(&self, credential: &Credential) -> Request {
        let mut request = Request::new(Method::GET, self.read.clone());
        for (name, value) in &credential.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        request
    }

    /// Returns what renews the credential: the refresh token in the body where there is one, else the credential
    /// itself.
    pub(crate) fn refresh(&self, issued: &Issued) -> Request {
        let mut request = Request::new(Method::POST, self.refresh.clone());
        match issued.refresh_token() {
            Some(token) => {
                request.headers_mut().extend(issued.cookie(&self.refresh));
                set_json(&mut request, &RefreshRequest { refresh_token: token.to_owned() });
            }
            None => request.headers_mut().extend(issued.headers(&self.refresh)),
        }
        self.add_origin(&mut request, issued.uses_cookie());
        request
    }

    pub(crate) fn logout(&self, issued: &Issued) -> Request {
        let mut request = Request::new(Method::POST, self.logout.clone());
        request.headers_mut().extend(issued.headers(&self.logout));
        self.add_origin(&mut request, issued.uses_cookie());
        request
    }

    /// Returns a login, as the client of this carrier sends it.
    pub(crate) fn login_by(&self, carrier: Carrier, username: &str) -> Request {
        let mut request = self.login(username);
        self.add_origin(&mut request, carrier == Carrier::Cookie);
        request
    }

    pub(crate) fn login(&self, username: &str) -> Request {
        let mut request = Request::new(Method::POST, self.login.clone());
        set_json(&mut request, &LoginRequest { username: username.to_owned(), password: PASSWORD.to_owned() });
        request
    }

    /// Adds the `Origin` that a browser sends with every `POST` of a page of this very site, for servers that accept a
    /// state change by cookie from their own site only.
    fn add_origin(&self, request: &mut Request, uses_cookie: bool) {
        if uses_cookie {
            request.headers_mut().insert(ORIGIN, self.origin.clone());
        }
    }
}

fn set_json(request: &mut Request, body: &impl Serialize) {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(serde_json::to_vec(body).expect("strings are JSON").into());
}

/// The target of a read.
pub(crate) fn read_path(mix: Mix) -> String {
    match mix {
        Mix::Reads | Mix::Journey { .. } => route::ME.to_owned(),
        Mix::Chain { hops } => format!("{}?hops={hops}", route::CHAIN),
    }
}

/// A response, or why there is none, with its times.
pub(crate) struct Exchange {
    pub(crate) sent: Instant,
    pub(crate) done: Instant,
    pub(crate) response: Result<ReceivedResponse, String>,
}

/// The response, if it is as expected.
pub(crate) struct ReceivedResponse {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Sends a request and reads the response to its last byte.
pub(crate) async fn exchange(client: &Client, request: Request, expected_status: u16) -> Exchange {
    let sent = Instant::now();
    let response = receive_response(client, request, expected_status).await;
    Exchange { sent, done: Instant::now(), response }
}

async fn receive_response(client: &Client, request: Request, expected_status: u16) -> Result<ReceivedResponse, String> {
    let mut response = client.execute(request).await.map_err(|error| kind(&error))?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let body = read_body(response).await.map_err(|error| error.to_string())?;
    if status == expected_status { Ok(ReceivedResponse { headers, body }) } else { Err(format!("status {status}")) }
}

/// A body could not be received. In few words, so that equal failures count as one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("{}", kind(.0))]
    Lost(#[from] reqwest::Error),
    #[error("{TOO_LARGE}")]
    TooLarge,
}

/// Receives a body to its last byte. A larger one than [`MAX_BODY_BYTES`] is given up, and its connection closed.
pub(crate) async fn read_body(mut response: Response) -> Result<Bytes, BodyError> {
    if response.content_length().is_some_and(|announced| announced > MAX_BODY_BYTES as u64) {
        return Err(BodyError::TooLarge);
    }
    // Most bodies come in one piece, which is not copied.
    let first = response.chunk().await?.unwrap_or_default();
    let mut body = BytesMut::new();
    while let Some(more) = response.chunk().await? {
        if body.is_empty() {
            body.extend_from_slice(&first);
        }
        if body.len() + more.len() > MAX_BODY_BYTES {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&more);
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

/// The kind of a failure in few words, so that equal ones count as one.
pub(crate) fn kind(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "timeout"
    } else if let Some(shortage) = Shortage::find_cause(error) {
        shortage.kind()
    } else if is_head_too_large(error) {
        "response head too large"
    } else if error.is_connect() {
        "connection refused or reset"
    } else if error.is_body() || error.is_decode() {
        "response truncated"
    } else {
        "connection lost"
    };
    kind.to_owned()
}

fn is_head_too_large(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large))
}

/// Returns whether the response to a read names the user whose credential was sent.
pub(crate) fn has_expected_user(body: &[u8], credential: &Credential) -> bool {
    credential.username.as_ref().is_none_or(|username| contains_username(body, username))
}

/// Whether the body speaks of this user.
pub(crate) fn contains_username(body: &[u8], username: &str) -> bool {
    memchr::memmem::find(body, username.as_bytes()).is_some()
}
