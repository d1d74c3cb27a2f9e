//! The HTTP client of all loads but those of the [saturator](crate::saturate) and the [revocation
//! poller](crate::RevocationPoller).

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::DriveError;

/// Makes a client that sends every request once, and to the target alone: through no proxy, whatever the environment
/// names, and to no address that a redirect names. A body is received as it is sent.
#[expect(clippy::disallowed_methods, reason = "the only place that creates clients, without a proxy")]
pub(crate) fn client(timeout: Duration) -> Result<Client, DriveError> {
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .tcp_nodelay(true)
        .user_agent("authbench")
        .timeout(timeout)
        .build();
    client.map_err(|error| DriveError::Client(error.to_string()))
}
