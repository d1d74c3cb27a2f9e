//! The settings of `edge-server`, and the errors for invalid ones.

use testkit::server::startup_error;

#[track_caller]
fn assert_start_fails(arguments: &[&str], parts: &[&str]) {
    let (code, message) = startup_error(crate::EDGE, arguments);
    assert_eq!(code, 2, "{arguments:?}: {message}");
    for part in ["edge-server: "].iter().chain(parts) {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn invalid_settings_are_rejected_with_a_reason() {
    assert_start_fails(&[], &["hybrid needs --redis-url"]);
    let redis = ["--redis-url", "redis://127.0.0.1:1/0"];
    let with = |more: &[&'static str]| [&redis, more].concat();
    assert_start_fails(
        &with(&["--inner-algorithm", "none"]),
        &["--inner-algorithm none", "HS256, EdDSA, ES256, RS256"],
    );
    assert_start_fails(&with(&["--inner-ttl-s", "1"]), &["--inner-ttl-s 1", "between 2 and 3600"]);
    assert_start_fails(&with(&["--inner-key-file", "/nowhere"]), &["--inner-key-file /nowhere", "No such file"]);
    assert_start_fails(&with(&["--next-hop", "ftp://x"]), &["--next-hop ftp://x", "http://127.0.0.1:8081"]);
    assert_start_fails(&with(&["--scheme", "session-redis"]), &["not a scheme of edge-server", "hybrid"]);
}
