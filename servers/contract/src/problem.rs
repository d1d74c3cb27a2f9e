//! Errors as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Every problem that a server returns, each with its status and its stable type URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The request cannot be read (400).
    MalformedRequest,
    /// Two credentials in one request (400; RFC 6750 section 3.1).
    AmbiguousCredential,
    /// No credential (401).
    MissingCredential,
    /// A credential that is not, or no longer, valid (401).
    InvalidCredential,
    /// Wrong user name or password (401).
    LoginFailed,
    /// A valid credential that lacks the role (403).
    InsufficientRole,
    /// A state change by cookie that another site may have sent (403).
    CrossSite,
    /// No such route (404).
    NotFound,
    /// The route has other methods (405).
    MethodNotAllowed,
    /// A body larger than any this API accepts (413).
    BodyTooLarge,
    /// A body of another media type than JSON (415).
    UnsupportedMediaType,
    /// Too many wrong passwords for this user (429).
    TooManyAttempts,
    /// Too many logins wait (503).
    Overloaded,
    /// The credential would be larger than a cookie may be (500).
    CredentialTooLarge,
    /// The server met a fault of its own (500).
    Internal,
    /// The next server of a chain cannot be reached (502).
    NextHopUnavailable,
    /// The store cannot be reached, so the credential cannot be checked (503).
    StoreUnavailable,
    /// The store accepts no writes, so nothing was changed (503).
    StoreNotWritable,
}

impl ProblemKind {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedRequest | Self::AmbiguousCredential => 400,
            Self::MissingCredential | Self::InvalidCredential | Self::LoginFailed => 401,
            Self::InsufficientRole | Self::CrossSite => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooManyAttempts => 429,
            Self::CredentialTooLarge | Self::Internal => 500,
            Self::NextHopUnavailable => 502,
            Self::Overloaded | Self::StoreUnavailable | Self::StoreNotWritable => 503,
        }
    }

    /// The `type` member: a stable URI that names the kind and needs no server behind it.
    #[must_use]
    pub const fn type_uri(self) -> &'static str {
        match self {
            Self::MalformedRequest => "urn:authbench:problem:malformed-request",
            Self::AmbiguousCredential => "urn:authbench:problem:ambiguous-credential",
            Self::MissingCredential => "urn:authbench:problem:missing-credential",
            Self::InvalidCredential => "urn:authbench:problem:invalid-credential",
            Self::LoginFailed => "urn:authbench:problem:login-failed",
            Self::InsufficientRole => "urn:authbench:problem:insufficient-role",
            Self::CrossSite => "urn:authbench:problem:cross-site",
            Self::NotFound => "urn:authbench:problem:not-found",
            Self::MethodNotAllowed => "urn:authbench:problem:method-not-allowed",
            Self::BodyTooLarge => "urn:authbench:problem:body-too-large",
            Self::UnsupportedMediaType => "urn:authbench:problem:unsupported-media-type",
            Self::TooManyAttempts => "urn:authbench:problem:too-many-attempts",
            Self::Overloaded => "urn:authbench:problem:overloaded",
            Self::CredentialTooLarge => "urn:authbench:problem:credential-too-large",
            Self::NextHopUnavailable => "urn:authbench:problem:next-hop-unavailable",
            Self::Internal => "urn:authbench:problem:internal",
            Self::StoreUnavailable => "urn:authbench:problem:store-unavailable",
            Self::StoreNotWritable => "urn:authbench:problem:store-not-writable",
        }
    }

    /// The `title` member: the same for every occurrence of the kind.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be read",
            Self::AmbiguousCredential => "More than one credential was sent",
            Self::MissingCredential => "A credential is needed",
            Self::InvalidCredential => "The credential is not valid",
            Self::LoginFailed => "The user name or the password is wrong",
            Self::InsufficientRole => "The user lacks the role",
            Self::CrossSite => "The request does not come from this site",
            Self::NotFound => "There is nothing at this path",
            Self::MethodNotAllowed => "The path does not take this method",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::TooManyAttempts => "Too many wrong passwords for this user; try again later",
            Self::Overloaded => "Too many logins wait; try again later",
            Self::CredentialTooLarge => "The credential would not fit into the 4096 bytes of a cookie",
            Self::NextHopUnavailable => "The next server of the chain cannot be reached",
            Self::Internal => "The server met a fault",
            Self::StoreUnavailable => "The session store cannot be reached",
            Self::StoreNotWritable => "The session store is full or read-only",
        }
    }

    /// The body of this kind of problem.
    #[must_use]
    pub fn body(self) -> Problem {
        Problem { kind: self.type_uri().to_owned(), title: self.title().to_owned(), status: self.status() }
    }
}

/// The body of an error. It never repeats what was sent, so that no credential comes back in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
}
