//! Somebody who has logged in, and what he was handed.

use contract::Carrier;

use crate::wire::Answer;

/// What an answer hands out, by whichever carrier.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) carrier: Carrier,
    pub(crate) credential: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) cookie: String,
    pub(crate) refresh_cookie: String,
}

impl Handed {
    /// What this answer hands out; none if it is nothing.
    pub(crate) fn in_answer(answer: &Answer) -> Option<Self> {
        let body = answer.json();
        let member = |name: &str| body[name].as_str().map(str::to_owned);
        if let Some(credential) = member("token") {
            let (cookie, refresh_cookie) = (String::new(), String::new());
            let refresh_token = member("refresh_token");
            return Some(Self { carrier: Carrier::Bearer, credential, refresh_token, cookie, refresh_cookie });
        }
        let pairs = answer.all("set-cookie").filter_map(pair).filter(|(_, value)| !value.is_empty());
        let (refresh, own): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| name.contains("refresh"));
        let (cookie, credential) = own.into_iter().next()?;
        let (refresh_cookie, refresh_token) =
            refresh.into_iter().next().map_or((String::new(), None), |(name, value)| (name, Some(value)));
        Some(Self { carrier: Carrier::Cookie, credential, refresh_token, cookie, refresh_cookie })
    }
}

/// Name and value of a `Set-Cookie`.
fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split(';').next()?.split_once('=')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// A user with a credential.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// His name.
    pub(crate) username: String,
    pub(crate) credential: String,
    pub(crate) refresh_token: Option<String>,
    /// The answer that handed it out.
    pub(crate) answer: Answer,
}

impl Login {
    pub(crate) fn new(username: &str, handed: Handed, answer: Answer) -> Self {
        let Handed { credential, refresh_token, .. } = handed;
        Self { username: username.to_owned(), credential, refresh_token, answer }
    }
}
