//! The parameters of the experiment `wire`.

/// The parameters of the experiment `wire`.
#[derive(Clone, Debug)]
pub struct WireParameters {
    /// Roles that an ordinary user has.
    pub roles: Vec<u16>,
}

pub(super) fn parameters() -> WireParameters {
    WireParameters { roles: vec![0, 10, 100] }
}
