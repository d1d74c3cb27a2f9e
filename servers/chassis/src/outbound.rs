//! Requests that this server itself makes: to the server behind it, and for the keys of another.

use std::time::Duration;

use axum::body::{self, Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// The time limit of a response, its body included.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest accepted response body, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// A client that keeps its connections.
pub struct Client(hyper_util::client::legacy::Client<HttpConnector, Body>);

/// A complete response.
pub(crate) struct ClientResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// There was no response, not in time, or one that is too large; the text says which.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(String);

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(RESPONSE_TIMEOUT));
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl Client {
    /// Returns the body at this URL, if the response is 200.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, ClientError> {
        let response = self.get(url, None).await?;
        match response.status {
            StatusCode::OK => Ok(response.body.into()),
            status => Err(ClientError(format!("{url} returns {status}"))),
        }
    }

    pub(crate) async fn get(
        &self,
        url: &str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<ClientResponse, ClientError> {
        let late = |_| ClientError(format!("no response from {url} within {} s", RESPONSE_TIMEOUT.as_secs()));
        timeout(RESPONSE_TIMEOUT, self.request(url, header))
            .await
            .map_err(late)?
            .map_err(|error| ClientError(error.to_string()))
    }

    async fn request(
        &self,
        url: &str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<ClientResponse, Box<dyn std::error::Error + Send + Sync>> {
        let uri: Uri = url.parse()?;
        let mut request = Request::get(uri).body(Body::empty())?;
        request.headers_mut().extend(header);
        let (head, payload) = self.0.request(request).await?.into_parts();
        let body = body::to_bytes(Body::new(payload), MAX_RESPONSE_BYTES).await?;
        Ok(ClientResponse { status: head.status, headers: head.headers, body })
    }
}
