//! The faults that a broken server may have.

use serde::Deserialize;

/// One fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// No fault: the real server.
    #[default]
    None,
    AudIgnored,
    IssIgnored,
    CritIgnored,
    AlgNone,
    PublicKeyAsSecret,
    EmbeddedJwk,
    TypIgnored,
    LongLeeway,
    ExpOptional,
    KidIgnored,
    DuplicateNames,
    WeakKey,
    WeakKeyUnexplained,
    RefreshReuse,
    FamilySurvives,
    IdInClear,
    LogoutNothing,
    LogoutAllOne,
    PasswordNothing,
    DisabledNothing,
    RolesNothing,
    AbsoluteIgnored,
    IdleIgnored,
    ShortIds,
    EqualIds,
    CredentialInLog,
    SealedLoose,
    OutageRefuses,
    OutageAllows,
    KeyForgotten,
    KeyFetched,
    NbfIgnored,
    AlgIgnored,
    SignatureIgnored,
    LogoutEndsAll,
    NoTouch,
    SealedCut,
    SealedForever,
    RotationForgets,
    JsonLenient,
    RefreshStays,
    OutageForgets,
    ServesStale,
    SealedReadable,
    RemembersRefused,
    AsksStore,
    LogoutWrites,
}
