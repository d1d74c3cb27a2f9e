//! Targets with programmed behaviour.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use testkit::message::{Connection, Message};
use testkit::reverse_proxy::serve;

/// The credential of every user of a [`Target`].
pub(crate) const TOKEN: &str = "eyJhbGciOiJub25lIn0.c2VjcmV0LXNlY3JldC1zZWNyZXQ.0123456789";

/// A server that mints, at the address `base_url`. It stops with the test.
pub(crate) struct Target {
    pub(crate) base_url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A request as a [`Target`] receives it.
pub(crate) struct Request {
    /// For example `GET /me`.
    pub(crate) line: String,
    /// How many requests with this line came before.
    pub(crate) before: usize,
    pub(crate) body: Vec<u8>,
}

impl Target {
    /// Starts a target that responds with these bytes to every request other than minting.
    pub(crate) fn responding(response: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with_handler(move |request, stream| {
            let response = if request.line == "POST /bench/mint" { minted(request) } else { response(request) };
            stream.write_all(&response).is_ok()
        })
    }

    /// Starts a target that handles every request with this function, until it returns that the connection is to be
    /// closed.
    pub(crate) fn with_handler(handler: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = requests.clone();
        let address = serve(move |mut connection| {
            while let Some(request) = next(&mut connection, &seen)
                && handler(&request, connection.stream())
            {}
        });
        let base_url = format!("http://{address}");
        Self { base_url, requests }
    }

    /// Returns the number of requests with this line, such as `GET /me`.
    pub(crate) fn count(&self, line: &str) -> usize {
        count(&self.requests, line)
    }
}

fn count(requests: &Mutex<Vec<String>>, line: &str) -> usize {
    requests.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|seen| *seen == line).count()
}

/// Returns the next request of a connection; none after the client has disconnected.
fn next(connection: &mut Connection, seen: &Mutex<Vec<String>>) -> Option<Request> {
    let Message { line, body, .. } = connection.request(None)?;
    let line = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let before = count(seen, &line);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
    Some(Request { line, before, body })
}

/// Returns the requested number of credentials, all of them [`TOKEN`].
pub(crate) fn minted(request: &Request) -> Vec<u8> {
    minted_with_headers(request, &json!({ "authorization": format!("Bearer {TOKEN}") }))
}

/// Returns the requested number of credentials, with these headers.
pub(crate) fn minted_with_headers(request: &Request, headers: &Value) -> Vec<u8> {
    let mint: contract::body::MintRequest = serde_json::from_slice(&request.body).unwrap();
    let credential =
        |number| json!({ "username": contract::user::username(mint.first_user + number), "headers": headers });
    let credentials: Vec<Value> = (0..mint.count).map(credential).collect();
    response("200 OK", &json!({ "credentials": credentials }).to_string())
}

/// Returns a response with this end of its status line, such as `200 OK`, and this body.
pub(crate) fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Returns a valid response to a read of the first user.
pub(crate) fn first_user_response() -> Vec<u8> {
    response("200 OK", r#"{"id":0,"username":"user-000000","email":"e","roles":[]}"#)
}
