//! What a scheme's credential is, and what ends it before its time.

/// The kind of a scheme: what decides which keys it has, which server module runs it and what can vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No credential: the control.
    Anonymous,
    /// The random id of a session that the servers keep.
    Session(SessionBackend),
    /// The session itself, encrypted, which the client keeps.
    Sealed,
    /// A signed token.
    Token {
        /// What signs it.
        algorithm: Algorithm,
        /// What ends it before it expires.
        early_revocation: EarlyRevocation,
    },
    /// A session at the edge, and a signed token for the servers behind it.
    Hybrid,
}

impl Kind {
    /// What signs a scheme's tokens, if it is one of tokens.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        if let Self::Token { algorithm, .. } = self { Some(algorithm) } else { None }
    }

    /// What ends a scheme's tokens before they expire, if it is one of tokens.
    #[must_use]
    pub const fn early_revocation(self) -> Option<EarlyRevocation> {
        if let Self::Token { early_revocation, .. } = self { Some(early_revocation) } else { None }
    }
}

/// Where sessions are kept, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionBackend {
    /// The server's own memory.
    Memory,
    /// Redis, over one multiplexed connection.
    Redis,
    /// Redis, over a pool of connections.
    RedisPool,
    /// Redis behind a local cache that it invalidates.
    RedisCached,
    /// A Redis Cluster.
    RedisCluster,
    /// PostgreSQL.
    Postgres,
}

/// A signature algorithm (RFC 7518 section 3.1). A scheme has one; its key type has no other, so a key pins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 section 3.2).
    Hs256,
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
}

impl Algorithm {
    /// Every algorithm of the allow-list.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256];

    /// The value of the header parameter `alg` (RFC 7518 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The inverse of [`name`](Self::name). Case counts (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether its key is a secret that signer and verifier share; otherwise verifiers have a public key.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256)
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What ends a token before it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EarlyRevocation {
    /// Nothing.
    Nothing,
    /// It lives short, and the refresh token that renews it can be revoked.
    Refresh,
    /// A list of revoked tokens in the store, queried for each request.
    Denylist,
    /// A list of revoked tokens in the server, which the store pushes.
    Push,
    /// The user's epoch in the store, cached.
    Epoch,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Scheme;

    #[test]
    fn only_the_exact_name_is_an_algorithm() {
        assert_eq!(Algorithm::named("ES256"), Some(Algorithm::Es256));
        for name in ["", "es256", "none", "None", "NONE", "nOnE", "HS384", "ES256 ", "PS256"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }

    #[test]
    fn no_two_schemes_are_of_one_kind() {
        let kinds: std::collections::HashSet<_> = Scheme::all().map(Scheme::kind).collect();
        assert_eq!(kinds.len(), Scheme::all().count());
    }

    #[test]
    fn token_scheme_id_has_algorithm_and_early_revocation() {
        let tokens = Scheme::of_binary("jwt-server");
        let named = tokens.map(|scheme| {
            let Kind::Token { algorithm, early_revocation } = scheme.kind() else { panic!("{scheme}") };
            let end = format!("{early_revocation:?}").to_lowercase();
            let suffix = if early_revocation == EarlyRevocation::Nothing { String::new() } else { format!("-{end}") };
            assert_eq!(scheme.id(), format!("jwt-{}{suffix}", algorithm.name().to_lowercase()));
            scheme.id()
        });
        assert_eq!(named.collect::<BTreeSet<_>>().len(), 20);
    }
}
