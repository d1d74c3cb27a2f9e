//! The paths of the wire table.

/// `POST`, a user name and a password for a credential.
pub const LOGIN: &str = "/login";
/// `GET`, the user of the credential.
pub const ME: &str = "/me";
/// `GET`, for the role `admin` only.
pub const ADMIN: &str = "/admin";
/// `POST`, the presented credential, or the refresh token where the scheme has one, for a new one.
pub const REFRESH: &str = "/refresh";
/// `POST`, ends this credential, and the login of the refresh token where the scheme has these.
pub const LOGOUT: &str = "/logout";
/// `POST`, ends every credential of this user, by the credential or by a refresh token.
pub const LOGOUT_ALL: &str = "/logout-all";
/// `POST`, the old password and a new one; ends every credential of this user.
pub const PASSWORD: &str = "/password";
/// `POST`, for the role `admin` only: disables or enables a user, or changes the roles; revokes every
/// credential of that user.
pub const ADMIN_USER: &str = "/admin/user";
/// `GET`, as `/me`, forwarded to the last of several servers in a chain; `?hops=N` is their number after this one.
pub const CHAIN: &str = "/chain";
/// `GET`, the public keys of an asymmetric signer (RFC 7517).
pub const JWKS: &str = "/.well-known/jwks.json";
/// `GET`, this API described.
pub const OPENAPI: &str = "/openapi.json";
/// `GET`, the process lives.
pub const HEALTHZ: &str = "/healthz";
/// `GET`, the store can be reached.
pub const READYZ: &str = "/readyz";
/// `GET`, Prometheus text.
pub const METRICS: &str = "/metrics";
/// `GET`, the [`SchemeDescriptor`](crate::SchemeDescriptor).
pub const BENCH_SCHEME: &str = "/bench/scheme";
/// `POST`, ready credentials without password hashing; only under `--bench`, only from loopback to a loopback `Host`.
pub const BENCH_MINT: &str = "/bench/mint";
/// `POST`, moves the server's clock forward; only under `--bench`, only from loopback to a loopback `Host`.
pub const BENCH_CLOCK: &str = "/bench/clock";
/// `POST`, makes a new key and signs or seals with it, while the old one is still trusted for as long as what it
/// has signed may live; only under `--bench`, only from loopback to a loopback `Host`.
pub const BENCH_ROTATE: &str = "/bench/rotate";

/// A row of the wire table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
}

/// The whole wire table; the route that is measured comes first.
pub const ALL: [Route; 18] = [
    Route { method: "GET", path: ME },
    Route { method: "GET", path: ADMIN },
    Route { method: "POST", path: LOGIN },
    Route { method: "POST", path: REFRESH },
    Route { method: "POST", path: LOGOUT },
    Route { method: "POST", path: LOGOUT_ALL },
    Route { method: "POST", path: PASSWORD },
    Route { method: "POST", path: ADMIN_USER },
    Route { method: "GET", path: CHAIN },
    Route { method: "GET", path: JWKS },
    Route { method: "GET", path: OPENAPI },
    Route { method: "GET", path: HEALTHZ },
    Route { method: "GET", path: READYZ },
    Route { method: "GET", path: METRICS },
    Route { method: "GET", path: BENCH_SCHEME },
    Route { method: "POST", path: BENCH_MINT },
    Route { method: "POST", path: BENCH_CLOCK },
    Route { method: "POST", path: BENCH_ROTATE },
];
