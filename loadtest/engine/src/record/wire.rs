//! Bytes on the wire.

use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// Bytes on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WireExperiment {
    /// One a scheme, carrier and number of roles.
    pub points: Vec<WirePoint>,
}

impl Measured for WireExperiment {}

/// The bytes of one login and of one `GET /me`, counted on the TCP connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WirePoint {
    /// The scheme's id.
    pub scheme: String,
    /// Where the credential travels.
    pub carrier: contract::Carrier,
    /// Roles the user has.
    pub roles: u16,
    /// The credential alone.
    pub credential_bytes: u64,
    /// Request line and headers of `GET /me`, blank line included.
    pub request_header_bytes: u64,
    /// Status line and headers of its response, blank line included.
    pub response_header_bytes: u64,
    /// The body of its response.
    pub response_body_bytes: u64,
    /// Status line, headers and body of the response to the login that issued the credential.
    pub login_response_bytes: u64,
    /// Whether the point may feed a claim.
    pub validity: Validity,
}
