//! `/bench/mint`, which exists only with `--bench`.

use serde_json::json;

use testkit::server::Server;

#[test]
fn mint_exists_only_with_bench() {
    let server = Server::start(crate::BINARY, &[]);
    assert_eq!(server.post_json("/bench/mint", &json!({"count": 1, "first_user": 0})).status, 404);
}

#[test]
fn minted_users_are_consecutive_and_wrap_around() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    let minted = server.post_json("/bench/mint", &json!({"count": 3, "first_user": 98})).json();
    let expected = json!({"credentials": [
        {"username": "user-000098", "headers": {}},
        {"username": "user-000099", "headers": {}},
        {"username": "user-000000", "headers": {}},
    ]});
    assert_eq!(minted, expected);
}

#[test]
fn mint_count_is_bounded() {
    let server = Server::start(crate::BINARY, &["--bench=true"]);
    let mint = |count: i64| server.post_json("/bench/mint", &json!({"count": count, "first_user": u32::MAX}));
    assert_eq!(mint(100_000).json()["credentials"].as_array().unwrap().len(), 100_000);
    for wrong in [100_001, -1, i64::from(u32::MAX) + 1] {
        assert_eq!(mint(wrong).status, 400, "{wrong}");
    }
    assert_eq!(mint(0).json(), json!({"credentials": []}));
}
