//! Credentials as request headers, made once before the round.

use contract::body::MintedCredential;
use reqwest::header::{COOKIE, HeaderName, HeaderValue};

/// Headers of a credential, at most; servers read some hundred.
const MAX_HEADERS: usize = 100;

/// The credentials of a population, numbered from 0.
#[derive(Debug)]
pub struct Credentials(Vec<Credential>);

/// The headers of a credential; none for the control.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The expected content of the `/me` response; without a credential nothing is expected.
    pub(crate) username: Option<String>,
}

/// A credential cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There are none.
    #[error("the target issued no credentials")]
    None,
    /// It has more headers than a request may have.
    #[error("the target issued a credential of {count} headers for {username}; at most {MAX_HEADERS} are supported")]
    TooManyHeaders {
        /// Its user.
        username: String,
        /// How many it has.
        count: usize,
    },
    /// A header is not one.
    #[error("the target issued a credential for {username} whose header {name:?} cannot be sent")]
    Header {
        /// Its user.
        username: String,
        /// The header's name.
        name: String,
    },
}

impl Credentials {
    /// Parses the response of `/bench/mint`.
    pub fn new(minted: Vec<MintedCredential>) -> Result<Self, CredentialError> {
        if minted.is_empty() {
            return Err(CredentialError::None);
        }
        minted.into_iter().map(Credential::new).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the same credentials, each with this cookie, as a client sends them after a balancer has assigned it.
    pub fn with_cookie(&self, pair: &str) -> Result<Self, CredentialError> {
        self.iter().map(|credential| credential.with_cookie(pair)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether they are those of the control, which issues none.
    pub(crate) fn are_absent(&self) -> bool {
        self.0.iter().all(|credential| credential.headers.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.0.iter()
    }

    /// The credential with this number; numbers wrap around.
    pub(crate) fn get(&self, number: u32) -> &Credential {
        &self.0[number as usize % self.0.len()]
    }
}

impl Credential {
    fn new(minted: MintedCredential) -> Result<Self, CredentialError> {
        let MintedCredential { username, headers, .. } = minted;
        if headers.len() > MAX_HEADERS {
            return Err(CredentialError::TooManyHeaders { username, count: headers.len() });
        }
        let parse = |(name, value): (String, String)| {
            let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::try_from(value).ok());
            parsed.ok_or_else(|| CredentialError::Header { username: username.clone(), name })
        };
        let headers: Vec<_> = headers.into_iter().map(parse).collect::<Result<_, _>>()?;
        let username = (!headers.is_empty()).then_some(username);
        Ok(Self { headers, username })
    }

    fn with_cookie(&self, pair: &str) -> Result<Self, CredentialError> {
        let mut headers = self.headers.clone();
        let existing = headers.iter_mut().find(|(name, _)| *name == COOKIE);
        // One header holds all cookies (RFC 6265 section 5.4).
        let cookies = existing.as_ref().map_or_else(Vec::new, |(_, value)| [value.as_bytes(), b"; "].concat());
        let cookies = HeaderValue::from_bytes(&[&cookies, pair.as_bytes()].concat());
        let cookies = cookies.map_err(|_| CredentialError::Header {
            username: self.username.clone().unwrap_or_default(),
            name: COOKIE.to_string(),
        })?;
        match existing {
            Some((_, value)) => *value = cookies,
            None => headers.push((COOKIE, cookies)),
        }
        Ok(Self { headers, username: self.username.clone() })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn balancer_cookie_is_sent_with_the_credential() {
        let with = |name, value| {
            let headers = vec![(name, HeaderValue::from_static(value))];
            Credential { headers, username: None }.with_cookie("node=3").unwrap().headers
        };
        let node = (COOKIE, HeaderValue::from_static("node=3"));
        assert_eq!(with(AUTHORIZATION, "Bearer abc"), [(AUTHORIZATION, HeaderValue::from_static("Bearer abc")), node]);
        assert_eq!(with(COOKIE, "id=abc"), [(COOKIE, HeaderValue::from_static("id=abc; node=3"))]);
    }
}
