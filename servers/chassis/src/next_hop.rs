//! The server behind this one.

use axum::http::{HeaderName, HeaderValue};
use contract::{BaseUrl, route};

use crate::outbound::{Client, ClientError, ClientResponse};

/// The server to which `GET /chain` passes on.
pub(crate) struct NextHop {
    url: String,
    client: Client,
}

impl NextHop {
    /// The one with this base URL.
    pub(crate) fn new(base: &BaseUrl) -> Self {
        Self { url: format!("{base}{}?hops=", route::CHAIN), client: Client::default() }
    }

    /// Returns its response to a request that has to cross this many further servers.
    pub(crate) async fn get(
        &self,
        hops: u8,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<ClientResponse, ClientError> {
        self.client.get(&format!("{}{hops}", self.url), header).await
    }
}
