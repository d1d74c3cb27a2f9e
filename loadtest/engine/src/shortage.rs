//! Resources that the generator's own machine runs out of. Such a failure proves nothing about the target.

use std::error::Error;
use std::io;

use nix::errno::Errno;

/// A resource that the generator's machine ran out of, so that a request could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The process has no file descriptor left.
    ProcessDescriptors,
    /// The system has no file descriptor left.
    SystemDescriptors,
    /// No local address and port is left to connect from.
    Ports,
    /// The kernel has no memory left for sockets.
    Memory,
}

impl Shortage {
    const ALL: [Self; 4] = [Self::ProcessDescriptors, Self::SystemDescriptors, Self::Ports, Self::Memory];

    /// The shortage that this error reports, if it reports one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_raw(error.raw_os_error()?) {
            Errno::EMFILE => Some(Self::ProcessDescriptors),
            Errno::ENFILE => Some(Self::SystemDescriptors),
            Errno::EADDRNOTAVAIL => Some(Self::Ports),
            Errno::ENOBUFS | Errno::ENOMEM => Some(Self::Memory),
            _ => None,
        }
    }

    /// The shortage that this error or one of its causes reports, if any does.
    #[must_use]
    pub fn find_cause(error: &(dyn Error + 'static)) -> Option<Self> {
        let causes = std::iter::successors(Some(error), |&error| error.source());
        causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).find_map(|cause| {
            // An I/O error that wraps another one gives the cause of that one as its source.
            Self::of(cause).or_else(|| Self::find_cause(cause.get_ref()?))
        })
    }

    /// The kind of failure that it counts as in a round.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::ProcessDescriptors => "generator out of file descriptors (EMFILE)",
            Self::SystemDescriptors => "generator's machine out of file descriptors (ENFILE)",
            Self::Ports => "generator out of local ports (EADDRNOTAVAIL)",
            Self::Memory => "generator's machine out of socket memory (ENOBUFS or ENOMEM)",
        }
    }

    /// The shortage that a round counts as this kind of failure; none if the kind is another one.
    #[must_use]
    pub fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shortage| shortage.kind() == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno as i32)
    }

    #[test]
    fn shortages_are_distinguished_from_target_failures() {
        let shortage = |errno| Shortage::of(&os(errno));
        assert_eq!(shortage(Errno::EMFILE), Some(Shortage::ProcessDescriptors));
        assert_eq!(shortage(Errno::ENFILE), Some(Shortage::SystemDescriptors));
        assert_eq!(shortage(Errno::EADDRNOTAVAIL), Some(Shortage::Ports));
        assert_eq!([shortage(Errno::ENOBUFS), shortage(Errno::ENOMEM)], [Some(Shortage::Memory); 2]);
        for targets in [Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::ETIMEDOUT, Errno::EHOSTUNREACH] {
            assert_eq!(shortage(targets), None, "{targets}");
        }
    }

    #[test]
    fn shortage_is_found_below_the_errors_that_wrap_it() {
        let wrapped = io::Error::other(os(Errno::EMFILE));
        assert_eq!(Shortage::find_cause(&wrapped), Some(Shortage::ProcessDescriptors));
        assert_eq!(Shortage::find_cause(&io::Error::other(os(Errno::ECONNREFUSED))), None);
    }

    #[test]
    fn shortage_is_found_again_by_its_kind() {
        for shortage in Shortage::ALL {
            assert_eq!(Shortage::of_kind(shortage.kind()), Some(shortage));
        }
        assert_eq!(Shortage::of_kind("connection refused or reset"), None);
    }
}
