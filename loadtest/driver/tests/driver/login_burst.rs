//! Login bursts against scripted servers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::{Credentials, LoginBurst, Logins, Node};

use crate::server::{body, head, response, serve};

const ONCE: LoginBurst =
    LoginBurst { clients: 4, repeat: false, first_user: 8, users: 10, timeout: Duration::from_secs(10) };

fn log_in(base_url: String, burst: LoginBurst, stop: &Arc<AtomicBool>) -> Logins {
    let credential =
        contract::body::MintedCredential { username: String::new(), headers: BTreeMap::new(), refresh_token: None };
    let credentials = Arc::new(Credentials::new(vec![credential]).unwrap());
    driver::log_in(&Node { base_url, credentials }, burst, stop).unwrap()
}

/// A server that gets the user name of a login, and returns the scripted response.
fn scripted_server(respond: impl Fn(&str) -> Vec<u8> + Clone + Send + 'static) -> String {
    serve(move |stream| {
        while let Some(head) = head(stream) {
            let login: contract::body::LoginRequest = serde_json::from_slice(&body(stream, &head)).unwrap();
            assert_eq!(login.password, contract::user::PASSWORD);
            stream.get_mut().write_all(&respond(&login.username)).ok();
        }
    })
}

fn success(username: &str) -> Vec<u8> {
    response("200 OK", &format!(r#"{{"user":{{"username":"{username}"}}}}"#))
}

#[test]
fn logins_cycle_through_all_users() {
    let seen = Arc::<Mutex<BTreeSet<String>>>::default();
    let record_seen = seen.clone();
    let base_url = scripted_server(move |username| {
        record_seen.lock().unwrap().insert(username.to_owned());
        success(username)
    });
    let logins = log_in(base_url, ONCE, &Arc::default());
    assert_eq!((logins.answered, logins.failed), (4, BTreeMap::new()));
    let expected = [0, 1, 8, 9].map(contract::user::username);
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from(expected));
}

#[test]
fn login_burst_runs_until_stopped_and_counts_failures_by_kind() {
    let stop = Arc::<AtomicBool>::default();
    let (stopping, responses) = (stop.clone(), Arc::<Mutex<u32>>::default());
    let base_url = scripted_server(move |username| {
        let mut count = responses.lock().unwrap();
        *count += 1;
        match *count {
            1 => response("503 Service Unavailable", ""),
            2 => success("another user"),
            count => {
                if count >= 20 {
                    stopping.store(true, Ordering::Relaxed);
                }
                success(username)
            }
        }
    });
    let logins = log_in(base_url, LoginBurst { repeat: true, ..ONCE }, &stop);
    let failed = [("response for another user".to_owned(), 1), ("status 503".to_owned(), 1)];
    assert_eq!(logins.failed, BTreeMap::from(failed));
    assert!((18..=24).contains(&logins.answered), "no login starts after the stop: {logins:?}");
}

#[test]
fn no_redirect_is_followed() {
    let followed = Arc::<AtomicBool>::default();
    let following = followed.clone();
    let other_server = scripted_server(move |username| {
        following.store(true, Ordering::Relaxed);
        success(username)
    });
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {other_server}/login\r\ncontent-length: 0\r\n\r\n");
    let logins = log_in(scripted_server(move |_| redirect.clone().into_bytes()), ONCE, &Arc::default());
    assert_eq!((logins.answered, logins.failed), (0, BTreeMap::from([("status 307".to_owned(), 4)])));
    assert!(!followed.load(Ordering::Relaxed), "no password is sent to another host");
}
