//! Request and response bodies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A user: the response of `/me`, and the same facts that a session's payload and a
/// token's claims both have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The user's number.
    pub id: u32,
    /// The name to log in with.
    pub username: String,
    /// The address.
    pub email: String,
    /// What the user may do.
    pub roles: Vec<String>,
}

impl Identity {
    /// The seeded user with this number, where an ordinary user has `roles` roles.
    #[must_use]
    pub fn seeded(number: u32, roles: u16) -> Self {
        Self {
            id: number,
            username: crate::user::username(number),
            email: crate::user::email(number),
            roles: crate::user::roles(number, roles),
        }
    }

    /// Whether this user has the role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// The body of `POST /login`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Such as `user-000001`.
    pub username: String,
    /// Such as `correct horse battery staple`.
    pub password: String,
}

/// The response of `POST /login` and `POST /refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginResponse {
    /// The user who logged in.
    pub user: Identity,
    /// Seconds until the credential ends if it is not renewed.
    pub expires_in: u64,
    /// The credential, with the carrier `bearer`; with `cookie` it is in `Set-Cookie`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The token that `/refresh` expects, where the scheme has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// The body of `POST /refresh` where the scheme has refresh tokens and the carrier is `bearer`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The `refresh_token` that `/login` or the last `/refresh` has issued.
    pub refresh_token: String,
}

/// The body of `POST /logout` and `POST /logout-all` where the scheme has refresh tokens and the carrier is `bearer`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogoutRequest {
    /// The refresh token of the login, which logs out by itself when the credential has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// The body of `POST /password`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The current one.
    pub password: String,
    /// The one that is to be.
    pub new_password: String,
}

/// The body of `POST /admin/user`: what is named changes, the rest stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The user to change.
    pub username: String,
    /// Whether the user is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The new roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// The response of `GET /healthz` and `GET /readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always `ok`; otherwise the server responds with a problem, or not at all.
    pub status: &'static str,
}

impl Health {
    /// All is well.
    pub const OK: Self = Self { status: "ok" };
}

/// The body of `POST /bench/mint`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// How many credentials.
    pub count: u32,
    /// The number of the user of the first; the following go to the following users, and start
    /// again at user 0 after the last.
    pub first_user: u32,
    /// Whether each is revoked at once, as by `/logout`: the state that the server then needs stays.
    #[serde(default)]
    pub revoked: bool,
}

/// The response of `POST /bench/mint`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintResponse {
    /// As many as requested.
    pub credentials: Vec<MintedCredential>,
}

/// The body of `POST /bench/clock`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClockRequest {
    /// Seconds by which the clock advances; at most [`ClockRequest::MAX_ADVANCE_S`] in one call.
    pub advance_s: u64,
}

impl ClockRequest {
    /// A year.
    pub const MAX_ADVANCE_S: u64 = 366 * 24 * 3600;
}

/// The response of `POST /bench/clock`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClockResponse {
    /// What the server's clock shows now, in seconds since the Unix epoch.
    pub now_s: u64,
}

/// The body of `POST /bench/rotate`: an empty object. A web page cannot send JSON to another site without asking first
/// (Fetch section 3.3), as it could send an empty body.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {}

/// A credential as a client has to send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintedCredential {
    /// Its user.
    pub username: String,
    /// The request headers with the credential; none for the control.
    pub headers: BTreeMap<String, String>,
    /// The token that `/refresh` expects, where the scheme has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}
