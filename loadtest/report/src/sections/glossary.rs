//! The glossary.

use super::parts;
use crate::document::{Block, Section};

const TERMS: [(&str, &str); 15] = [
    ("scheme", "one way to authenticate, with a stable id such as `session-redis` or `jwt-hs256`"),
    (
        "control",
        "`anonymous`: the same server with authentication that does nothing; every cost is the difference from it",
    ),
    ("credential", "what a login issues and a request carries: a session id or a token"),
    ("carrier", "how the credential is sent: in a cookie, or as a bearer token in the `Authorization` header"),
    (
        "revocation class",
        "how long a revoked credential may still be accepted: `immediate`, `propagation`, `ttl` or `expiry`",
    ),
    ("intended start", "when the plan schedules a request"),
    ("response time", "from the intended start to the last body byte"),
    ("service time", "from the actual send to the last body byte"),
    ("lag", "actual send minus intended start: the lateness of the instrument plus queueing for a connection"),
    ("round", "one visit of one scheme inside an experiment; the sample of all statistics"),
    ("block", "rounds that are adjacent in time, one per scheme and level; differences are computed within a block"),
    ("window", "the part of a round that counts, after the warm-up"),
    (
        "valid",
        "the measurement has no known defect; invalid results are shown as invalid and excluded from all figures",
    ),
    ("interval", "in brackets after a figure: contains the true value with at least 95 % confidence"),
    ("p99", "99 % of the requests took this long or less"),
];

pub(super) fn section() -> Section {
    let terms = TERMS.map(|(word, meaning)| (word.to_owned(), meaning.to_owned())).into();
    parts::section("glossary", "Glossary", vec![Block::Terms(terms)])
}
