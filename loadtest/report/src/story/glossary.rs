//! The words.

use super::parts;
use crate::document::{Block, Section};

const TERMS: [(&str, &str); 14] = [
    ("scheme", "one way to authenticate, with a stable id"),
    ("control", "`anonymous`: the same server with authentication that does nothing; every cost is a difference to it"),
    ("credential", "what a login hands out and a request carries: a session id or a token"),
    ("carrier", "where it travels: in a cookie, or as a bearer token in the `Authorization` header"),
    (
        "revocation class",
        "how long a revoked credential may still be accepted: `immediate`, `propagation`, `ttl` or `expiry`",
    ),
    ("response time", "from the moment a request was due to the last byte of its answer"),
    ("service time", "from the actual send to the last byte of the answer"),
    ("lag", "actual send minus the moment it was due"),
    ("round", "one visit of one scheme: the sample of all statistics"),
    ("block", "rounds that are neighbours in time, one a scheme; differences are taken inside it"),
    ("window", "the part of a round that counts, after the warm-up"),
    ("valid", "nothing speaks against the measurement; what is invalid is shown as such and feeds no figure"),
    ("interval", "in brackets after a figure: where the truth lies, with at least 95 % confidence"),
    ("p99", "99 % of the requests took this long or less"),
];

pub(super) fn section() -> Section {
    let terms = TERMS.map(|(word, meaning)| (word.to_owned(), meaning.to_owned())).into();
    parts::section("glossary", "The words", vec![Block::Terms(terms)])
}
