//! Two nodes that share a directory: what ends the privileged writes of an administrator at the other node.

use contract::user::{self, PASSWORD};
use serde_json::{Value, json};

use crate::http::send;
use crate::server::Server;

const NEW_PASSWORD: &str = "an entirely new password";
/// The administrator who is updated, by `user-000000`.
const CHANGED_USER: u32 = 1;

/// An administrator whose credential node `two` still accepts for reads, or has just accepted, cannot write there
/// after being disabled or demoted, or after a password change.
pub fn assert_changes_revoke_writes(one: &Server, two: &Server) {
    let root = login(one, 0, PASSWORD).unwrap();
    let change = |fields: Value| {
        let mut body = json!({ "username": user::username(CHANGED_USER) });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let write = |token: &str, fields: Value| post(two, "/admin/user", token, &change(fields));
    let change_as_root = |fields: Value| assert_eq!(post(one, "/admin/user", &root, &change(fields)), 204);

    change_as_root(json!({ "roles": ["admin"] }));
    let token = accepted_token(one, two, PASSWORD);
    assert_eq!(write(&token, json!({})), 204);
    assert_eq!(write(&token, json!({})), 401, "a change of this same user");

    let token = accepted_token(one, two, PASSWORD);
    change_as_root(json!({ "disabled": true }));
    assert_eq!(write(&token, json!({ "disabled": false })), 401);
    let passwords = json!({ "password": PASSWORD, "new_password": NEW_PASSWORD });
    assert_eq!(post(two, "/password", &token, &passwords), 401);
    assert_eq!(login(one, CHANGED_USER, PASSWORD), Err(401), "still disabled");

    change_as_root(json!({ "disabled": false }));
    let token = accepted_token(one, two, PASSWORD);
    change_as_root(json!({ "roles": ["auditor"] }));
    assert_eq!(write(&token, json!({ "roles": ["admin"] })), 401);
    let demoted = login(two, CHANGED_USER, PASSWORD).unwrap();
    assert_eq!(write(&demoted, json!({ "roles": ["admin"] })), 403);

    change_as_root(json!({ "roles": ["admin"] }));
    let token = accepted_token(one, two, PASSWORD);
    assert_eq!(post(one, "/password", &token, &passwords), 204);
    assert_eq!(write(&token, json!({})), 401);
    let again = json!({ "password": NEW_PASSWORD, "new_password": PASSWORD });
    assert_eq!(post(two, "/password", &token, &again), 401);
    let last = accepted_token(one, two, NEW_PASSWORD);
    assert_eq!(write(&last, json!({})), 204, "a current credential can write");
    assert_eq!(post(two, "/admin/user", &root, &change(json!({}))), 204, "this user is unchanged");
}

/// Returns a credential of node `one` that node `two` has accepted, and cached where the scheme has a cache.
fn accepted_token(one: &Server, two: &Server, password: &str) -> String {
    let token = login(one, CHANGED_USER, password).unwrap();
    assert_eq!(two.get("/me", &[("authorization", &token)]).status, 200);
    token
}

fn login(server: &Server, number: u32, password: &str) -> Result<String, u16> {
    let response = server.post_json("/login", &json!({ "username": user::username(number), "password": password }));
    match response.status {
        200 => Ok(format!("Bearer {}", response.json()["token"].as_str().unwrap())),
        status => Err(status),
    }
}

/// Returns the status of a node's response to this write.
pub fn post(server: &Server, path: &str, token: &str, body: &Value) -> u16 {
    let headers = [("authorization", token), ("content-type", "application/json")];
    send(server.address, &format!("POST {path}"), &headers, &body.to_string()).status
}
