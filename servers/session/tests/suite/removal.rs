//! How a session is ended: row 10 of the security table.

use session::SessionStore;
use session::store::NewSession;

use crate::over_every_store;
use crate::testbed::{NEVER, Testbed};

over_every_store! {
    renewal_revokes_the_old_id with THROTTLED,
    logout_revokes_only_this_session with THROTTLED,
    logout_all_revokes_every_session_of_only_this_user with THROTTLED,
    removed_session_stays_removed with THROTTLED,
    expired_session_cannot_be_replaced with THROTTLED,
    session_stays_listed_when_others_expire with THROTTLED,
    expired_session_is_removed with NEVER,
}

async fn renewal_revokes_the_old_id<S: SessionStore>(testbed: Testbed<S>) {
    let old = testbed.login(1).await;
    let new = testbed.renew(&old).await.unwrap().credential.unwrap();
    assert_ne!(old, new);
    testbed.assert_rejected(&old).await;
    assert!(testbed.renew(&old).await.is_err());
    testbed.assert_accepted(&new).await;
}

async fn logout_revokes_only_this_session<S: SessionStore>(testbed: Testbed<S>) {
    let (one, other) = (testbed.login(1).await, testbed.login(1).await);
    testbed.revoke(&one).await.unwrap();
    testbed.assert_rejected(&one).await;
    assert!(testbed.revoke(&one).await.is_err());
    testbed.assert_accepted(&other).await;
}

async fn logout_all_revokes_every_session_of_only_this_user<S: SessionStore>(testbed: Testbed<S>) {
    let mut own = vec![];
    for _ in 0..5 {
        own.push(testbed.login(1).await);
    }
    own[4] = testbed.renew(&own[4]).await.unwrap().credential.unwrap();
    let others = [testbed.login(2).await, testbed.login(11).await, testbed.login(65).await];
    testbed.revoke_user(1).await.unwrap();
    for id in &own {
        testbed.assert_rejected(id).await;
    }
    for id in &others {
        testbed.assert_accepted(id).await;
    }
    let new = testbed.login(1).await;
    testbed.assert_accepted(&new).await;
}

async fn removed_session_stays_removed<S: SessionStore>(testbed: Testbed<S>) {
    let store = testbed.sessions.store();
    let key = session::SessionId::random(store.shard(1)).unwrap().key();
    let new = NewSession { key, user: 1, payload: b"{}", now: testbed.now, ttl_s: 50, listed_s: 100 };
    store.insert(new).await.unwrap();
    assert_eq!(store.read(&key, testbed.now).await.unwrap().as_deref(), Some(&b"{}"[..]));
    assert!(store.remove(&key, 1).await.unwrap());
    // As a request does that had read the session just before it was removed.
    store.rewrite(&key, b"{}", testbed.now, 50).await.unwrap();
    store.set_deadline(&key, testbed.now, 50).await.unwrap();
    assert_eq!(store.read_extending(&key, testbed.now, 50).await.unwrap(), None);
    assert_eq!(store.read(&key, testbed.now).await.unwrap(), None);
    assert!(!store.replace(&key, new).await.unwrap());
    assert!(!store.remove(&key, 1).await.unwrap());
    assert_eq!(store.read(&key, testbed.now).await.unwrap(), None);
}

async fn expired_session_cannot_be_replaced<S: SessionStore>(mut testbed: Testbed<S>) {
    let [old, next] = [(); 2].map(|()| session::SessionId::random(testbed.sessions.store().shard(1)).unwrap().key());
    let new = |key, now| NewSession { key, user: 1, payload: b"{}", now, ttl_s: 10, listed_s: 100 };
    testbed.sessions.store().insert(new(old, testbed.now)).await.unwrap();
    testbed.advance(10);
    assert!(!testbed.sessions.store().replace(&old, new(next, testbed.now)).await.unwrap());
    assert_eq!(testbed.sessions.store().read(&next, testbed.now).await.unwrap(), None);
}

async fn session_stays_listed_when_others_expire<S: SessionStore>(mut testbed: Testbed<S>) {
    let first = testbed.login(1).await;
    let early = testbed.login(1).await;
    testbed.advance(500);
    let late = testbed.login(1).await;
    testbed.revoke(&first).await.unwrap();
    testbed.advance(400);
    testbed.renew(&early).await.unwrap();
    for _ in 0..10 {
        testbed.assert_accepted(&late).await;
        testbed.advance(920);
    }
    // At 10,100 seconds the other two have expired, and only the list refers to this one.
    testbed.assert_accepted(&late).await;
    testbed.sessions.store().remove_all(1).await.unwrap();
    testbed.assert_rejected(&late).await;
}

async fn expired_session_is_removed<S: SessionStore>(mut testbed: Testbed<S>) {
    for user in 0..3 {
        testbed.login(user).await;
    }
    testbed.advance(20_000);
    if let Some(redis) = testbed.redis() {
        assert_eq!(redis.keys(), [""; 0]);
        // An entry that outlived its session is removed at the next login.
        let mut connection = redis.connection();
        let () = redis::cmd("ZADD").arg("test:u:1").arg(1).arg("stale").query(&mut connection).unwrap();
        testbed.login(1).await;
        let listed: Vec<String> = redis::cmd("ZRANGE").arg("test:u:1").arg(0).arg(-1).query(&mut connection).unwrap();
        assert_eq!(listed.len(), 1);
        assert_ne!(listed[0], "stale");
    }
}

#[tokio::test]
async fn expired_sessions_are_removed_from_memory() {
    let mut testbed = Testbed::in_memory(NEVER).await;
    for _ in 0..20 {
        for user in 0..5000 {
            testbed.login(user).await;
        }
        testbed.advance(1000);
    }
    // A hundred thousand were made, and at most five thousand lived at any time.
    let held = testbed.sessions.store().count();
    assert!(held <= 3 * 5000, "{held}");
}

/// Renews and logs out, which leaves one session of the user.
async fn renew_and_log_out<S: SessionStore>(testbed: &Testbed<S>) {
    let mut id = testbed.login(1).await;
    for _ in 0..5 {
        id = testbed.renew(&id).await.unwrap().credential.unwrap();
        let other = testbed.login(1).await;
        testbed.revoke(&other).await.unwrap();
    }
}

#[tokio::test]
async fn session_list_removes_deleted_sessions() {
    let testbed = Testbed::in_memory(NEVER).await;
    renew_and_log_out(&testbed).await;
    assert_eq!(testbed.sessions.store().listed(1), 1);
    let testbed = Testbed::over_redis(NEVER).await;
    renew_and_log_out(&testbed).await;
    let redis = testbed.redis().unwrap();
    let listed: u64 = redis::cmd("ZCARD").arg("test:u:1").query(&mut redis.connection()).unwrap();
    assert_eq!(listed, 1);
}
