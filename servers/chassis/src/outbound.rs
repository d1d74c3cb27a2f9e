//! Requests that this server itself makes: to the server behind it, and for the keys of another.

use std::time::Duration;

use axum::body::{self, Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// The time limit of a response, its body included.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest accepted response body, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A client that keeps its connections.
pub struct Client(hyper_util::client::legacy::Client<HttpConnector, Body>);

/// A complete response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// There was no response, not in time, or one that is too large; the text says which.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(PATIENCE));
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl Client {
    /// Returns the body at this URL, if the response is 200.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, NoAnswer> {
        let answer = self.get(url, None).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body.into()),
            status => Err(NoAnswer(format!("{url} returns {status}"))),
        }
    }

    pub(crate) async fn get(&self, url: &str, header: Option<(HeaderName, HeaderValue)>) -> Result<Answer, NoAnswer> {
        let late = |_| NoAnswer(format!("no response from {url} within {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, self.asked(url, header)).await.map_err(late)?.map_err(|error| NoAnswer(error.to_string()))
    }

    async fn asked(
        &self,
        url: &str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let uri: Uri = url.parse()?;
        let mut request = Request::get(uri).body(Body::empty())?;
        request.headers_mut().extend(header);
        let (head, payload) = self.0.request(request).await?.into_parts();
        let body = body::to_bytes(Body::new(payload), MAX_ANSWER_BYTES).await?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}
