//! The peer of a request, according to its address.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::Request;

/// The bits of an IPv6 address that name a network; its hosts choose the others as they like.
const NETWORK_BITS: u32 = 64;

/// A client by its address: an IPv4 address, or a /64 network. Behind a balancer or a NAT, many clients are one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// The peer with this address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(own) => Ipv6Addr::from_bits(own.to_bits() & (u128::MAX << NETWORK_BITS)).into(),
            own @ IpAddr::V4(_) => own,
        })
    }

    /// The peer that sent this request, where its route needs it; else one placeholder for all.
    pub(crate) fn of_request(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or(Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_network_counts_as_one_peer() {
        let of = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
