//! One request and its answer.

use std::time::Instant;

use contract::route;
use contract::user::PASSWORD;
use engine::plan::Mix;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Request, Url};

use crate::credential::Credential;
use crate::{DriveError, Node};

/// The addresses of a node, parsed once.
#[derive(Debug)]
pub(crate) struct Addresses {
    login: Url,
    read: Url,
    refresh: Url,
    logout: Url,
}

impl Addresses {
    pub(crate) fn of(node: &Node, mix: Mix) -> Result<Self, DriveError> {
        let at = |path: &str| {
            let url = Url::parse(&node.base_url).and_then(|base| base.join(path));
            url.map_err(|_| DriveError::Address(node.base_url.clone()))
        };
        Ok(Self {
            login: at(route::LOGIN)?,
            read: at(&read_path(mix))?,
            refresh: at(route::REFRESH)?,
            logout: at(route::LOGOUT)?,
        })
    }

    pub(crate) fn read(&self, credential: &Credential) -> Request {
        authenticated(Method::GET, &self.read, credential)
    }

    pub(crate) fn refresh(&self, credential: &Credential) -> Request {
        authenticated(Method::POST, &self.refresh, credential)
    }

    pub(crate) fn logout(&self, credential: &Credential) -> Request {
        authenticated(Method::POST, &self.logout, credential)
    }

    pub(crate) fn login(&self, username: &str) -> Request {
        let mut request = Request::new(Method::POST, self.login.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = contract::body::LoginRequest { username: username.to_owned(), password: PASSWORD.to_owned() };
        *request.body_mut() = Some(serde_json::to_vec(&body).expect("two strings are JSON").into());
        request
    }
}

/// What a read asks for.
pub(crate) fn read_path(mix: Mix) -> String {
    match mix {
        Mix::Reads | Mix::Journey { .. } => route::ME.to_owned(),
        Mix::Chain { hops } => format!("{}?hops={hops}", route::CHAIN),
    }
}

fn authenticated(method: Method, url: &Url, credential: &Credential) -> Request {
    let mut request = Request::new(method, url.clone());
    for (name, value) in &credential.headers {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    request
}

/// An answer, or why there is none, with its times.
pub(crate) struct Exchange {
    pub(crate) sent: Instant,
    pub(crate) done: Instant,
    pub(crate) answer: Result<Answer, String>,
}

/// The answer that was expected.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

/// Sends a request and reads the answer to its last byte.
pub(crate) async fn exchange(client: &Client, request: Request, expected_status: u16) -> Exchange {
    let sent = Instant::now();
    let answer = whole_answer(client, request, expected_status).await;
    Exchange { sent, done: Instant::now(), answer }
}

async fn whole_answer(client: &Client, request: Request, expected_status: u16) -> Result<Answer, String> {
    let mut response = client.execute(request).await.map_err(|error| kind(&error))?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let body = response.bytes().await.map_err(|error| kind(&error))?;
    if status == expected_status { Ok(Answer { headers, body }) } else { Err(format!("status {status}")) }
}

/// The kind of a failure in few words, so that equal ones count as one.
fn kind(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connection refused or reset"
    } else if error.is_body() || error.is_decode() {
        "answer broken off"
    } else {
        "connection lost"
    };
    kind.to_owned()
}

/// Whether the answer to a read speaks of the user whose credential was sent.
pub(crate) fn names_its_user(body: &[u8], credential: &Credential) -> bool {
    credential.username.as_ref().is_none_or(|username| names(body, username))
}

/// Whether the body speaks of this user.
pub(crate) fn names(body: &[u8], username: &str) -> bool {
    memchr::memmem::find(body, username.as_bytes()).is_some()
}
