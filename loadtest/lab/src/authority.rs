//! Where a URL leads.

use std::net::SocketAddr;

/// The address in a URL, if it is a number.
pub(crate) fn authority(url: &str) -> Option<SocketAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit('@').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_address_is_parsed_from_a_url() {
        let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(authority("redis://127.0.0.1:6379/0"), at(6379));
        assert_eq!(authority("redis://:secret@127.0.0.1:6379"), at(6379));
        assert_eq!(authority("postgresql://authbench@127.0.0.1:5432/postgres"), at(5432));
        assert_eq!(authority("redis+unix:///run/redis.sock"), None);
    }
}
