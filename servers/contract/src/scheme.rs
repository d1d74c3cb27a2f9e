//! The schemes, and the description that a server gives of its own.

mod descriptor;
mod kind;
mod properties;
mod table;

use std::fmt;
use std::str::FromStr;

pub use descriptor::SchemeDescriptor;
pub use kind::{Algorithm, EarlyRevocation, Kind, SessionBackend};
pub use properties::{Carrier, LogoutScope, RevocationClass, StoreDown, StoreKind, Touch, UnknownName};
use table::Row;

/// One way to authenticate that the reference servers know: a row of the table of schemes.
#[derive(Clone, Copy)]
pub struct Scheme(&'static Row);

impl Scheme {
    /// The control: the same server with authentication that does nothing.
    pub const CONTROL: Self = Self(table::control());

    /// Every scheme in the table's order, the control first.
    pub fn all() -> impl Iterator<Item = Self> {
        table::TABLE.into_iter().flatten().map(Self)
    }

    /// The schemes that this server binary offers; the first is its plainest.
    pub fn of_binary(binary: &str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |scheme| scheme.binary() == binary)
    }

    /// The scheme of this kind, if there is one.
    #[must_use]
    pub fn of_kind(kind: Kind) -> Option<Self> {
        Self::all().find(|scheme| scheme.kind() == kind)
    }

    /// The stable id, such as `session-redis`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// What its credential is, and what ends it early.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.0.kind
    }

    /// The server that offers the scheme, such as `session-server`.
    #[must_use]
    pub const fn binary(self) -> &'static str {
        self.0.binary
    }

    /// What keeps its state.
    #[must_use]
    pub const fn store(self) -> StoreKind {
        self.0.store
    }

    /// How long a revoked credential may still be accepted; none for the control.
    #[must_use]
    pub const fn revocation_class(self) -> Option<RevocationClass> {
        self.0.revocation_class
    }

    /// What a server does when its store cannot be reached.
    #[must_use]
    pub const fn store_down(self) -> StoreDown {
        self.0.store_down
    }

    /// What `POST /logout` ends at the server; none for the control.
    #[must_use]
    pub const fn logout(self) -> Option<LogoutScope> {
        self.0.logout
    }

    /// The scheme in a few words.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.0.summary
    }

    /// Whether this is the control.
    #[must_use]
    pub fn is_control(self) -> bool {
        self == Self::CONTROL
    }
}

impl PartialEq for Scheme {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Scheme {}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Scheme {
    type Err = UnknownName;

    fn from_str(id: &str) -> Result<Self, UnknownName> {
        Self::all().find(|scheme| scheme.id() == id).ok_or_else(|| UnknownName {
            name: id.to_owned(),
            known: Self::all().map(Self::id).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_back_and_are_unique() {
        let ids: Vec<_> = Scheme::all().map(Scheme::id).collect();
        for id in &ids {
            assert_eq!(id.parse::<Scheme>().unwrap().id(), *id);
        }
        assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len());
        assert!(Scheme::CONTROL.is_control());
    }

    #[test]
    fn an_unknown_scheme_lists_the_known_ones() {
        let message = "jwt-none".parse::<Scheme>().unwrap_err().to_string();
        assert!(message.contains("\"jwt-none\" is unknown"), "{message}");
        assert!(message.contains("session-redis-pool"), "{message}");
    }

    #[test]
    fn a_scheme_without_a_store_needs_none() {
        for scheme in Scheme::all() {
            let alone = matches!(scheme.store(), StoreKind::None | StoreKind::Memory);
            assert_eq!(alone, scheme.store_down() == StoreDown::NotNeeded, "{scheme}");
        }
    }
}
