//! The HTTP client of every load.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::DriveError;

/// Returns the settings of a client that speaks to the target alone. It uses no proxy, whatever the environment says, and
/// follows no redirect: one request is measured as one, and a credential goes to no other host.
pub(crate) fn direct(timeout: Duration) -> ClientBuilder {
    Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout)
}

/// Makes the client.
pub(crate) fn build(settings: ClientBuilder) -> Result<Client, DriveError> {
    settings.build().map_err(|error| DriveError::Client(error.to_string()))
}
