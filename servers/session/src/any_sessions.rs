//! The schemes of this server as one type, so that one can be chosen at start without a dynamic call in every
//! request.

use crate::Sessions;
use crate::sealed::Sealed;
use crate::store::AnyStore;

/// A scheme at work.
pub enum AnySessions {
    /// Ids over a store.
    Stored(Sessions<AnyStore>),
    /// `cookie-sealed`
    Sealed(Sealed),
}

chassis::either_authenticator!(AnySessions, scheme => *scheme; AnySessions::Stored, AnySessions::Sealed);
