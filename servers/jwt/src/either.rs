//! The schemes as one type, so that one can be chosen at start without a dynamic call in every request.

use crate::authenticator::Tokens;
use crate::refresh::Refreshing;
use crate::revocation::{Denylist, Epochs, Push, SignatureOnly};

/// The scheme of a server.
pub struct AnyTokens(Which);

enum Which {
    /// `jwt-<alg>`
    Signature(Tokens<SignatureOnly>),
    /// `jwt-<alg>-refresh`
    Refreshing(Refreshing),
    /// `jwt-<alg>-denylist`
    Denylist(Tokens<Denylist>),
    /// `jwt-<alg>-push`
    Push(Tokens<Push>),
    /// `jwt-<alg>-epoch`
    Epochs(Tokens<Epochs>),
}

macro_rules! from {
    ($($variant:ident($tokens:ty)),+) => {
        $(
            impl From<$tokens> for AnyTokens {
                fn from(tokens: $tokens) -> Self {
                    Self(Which::$variant(tokens))
                }
            }
        )+
    };
}

from!(
    Signature(Tokens<SignatureOnly>),
    Refreshing(Refreshing),
    Denylist(Tokens<Denylist>),
    Push(Tokens<Push>),
    Epochs(Tokens<Epochs>)
);

chassis::either_authenticator!(
    AnyTokens, tokens => tokens.0;
    Which::Signature, Which::Refreshing, Which::Denylist, Which::Push, Which::Epochs
);
