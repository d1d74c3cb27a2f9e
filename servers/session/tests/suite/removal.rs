//! How a session is ended: row 10 of the security table.

use session::SessionStore;
use session::store::NewSession;

use crate::bed::{Bed, NEVER};
use crate::over_every_store;

over_every_store! {
    renewal_revokes_the_old_id with THROTTLED,
    logout_revokes_only_this_session with THROTTLED,
    logout_all_revokes_every_session_of_only_this_user with THROTTLED,
    removed_session_stays_removed with THROTTLED,
    expired_session_cannot_be_replaced with THROTTLED,
    session_stays_listed_when_others_end with THROTTLED,
    expired_session_is_removed with NEVER,
}

async fn renewal_revokes_the_old_id<S: SessionStore>(bed: Bed<S>) {
    let old = bed.login(1).await;
    let new = bed.renew(&old).await.unwrap().credential.unwrap();
    assert_ne!(old, new);
    bed.assert_over(&old).await;
    assert!(bed.renew(&old).await.is_err());
    bed.assert_good(&new).await;
}

async fn logout_revokes_only_this_session<S: SessionStore>(bed: Bed<S>) {
    let (one, other) = (bed.login(1).await, bed.login(1).await);
    bed.revoke(&one).await.unwrap();
    bed.assert_over(&one).await;
    assert!(bed.revoke(&one).await.is_err());
    bed.assert_good(&other).await;
}

async fn logout_all_revokes_every_session_of_only_this_user<S: SessionStore>(bed: Bed<S>) {
    let mut own = vec![];
    for _ in 0..5 {
        own.push(bed.login(1).await);
    }
    own[4] = bed.renew(&own[4]).await.unwrap().credential.unwrap();
    let others = [bed.login(2).await, bed.login(11).await, bed.login(65).await];
    bed.revoke_user(1).await.unwrap();
    for id in &own {
        bed.assert_over(id).await;
    }
    for id in &others {
        bed.assert_good(id).await;
    }
    let new = bed.login(1).await;
    bed.assert_good(&new).await;
}

async fn removed_session_stays_removed<S: SessionStore>(bed: Bed<S>) {
    let store = bed.sessions.store();
    let key = session::SessionId::random(store.shard(1)).unwrap().key();
    let new = NewSession { key, user: 1, payload: b"{}", now: bed.now, ttl_s: 50, listed_s: 100 };
    store.insert(new).await.unwrap();
    assert_eq!(store.read(&key, bed.now).await.unwrap().as_deref(), Some(&b"{}"[..]));
    assert!(store.remove(&key, 1).await.unwrap());
    // As a request does that had read the session just before it was removed.
    store.rewrite(&key, b"{}", bed.now, 50).await.unwrap();
    store.set_deadline(&key, bed.now, 50).await.unwrap();
    assert_eq!(store.read_extending(&key, bed.now, 50).await.unwrap(), None);
    assert_eq!(store.read(&key, bed.now).await.unwrap(), None);
    assert!(!store.replace(&key, new).await.unwrap());
    assert!(!store.remove(&key, 1).await.unwrap());
    assert_eq!(store.read(&key, bed.now).await.unwrap(), None);
}

async fn expired_session_cannot_be_replaced<S: SessionStore>(mut bed: Bed<S>) {
    let [old, next] = [(); 2].map(|()| session::SessionId::random(bed.sessions.store().shard(1)).unwrap().key());
    let new = |key, now| NewSession { key, user: 1, payload: b"{}", now, ttl_s: 10, listed_s: 100 };
    bed.sessions.store().insert(new(old, bed.now)).await.unwrap();
    bed.pass(10);
    assert!(!bed.sessions.store().replace(&old, new(next, bed.now)).await.unwrap());
    assert_eq!(bed.sessions.store().read(&next, bed.now).await.unwrap(), None);
}

async fn session_stays_listed_when_others_end<S: SessionStore>(mut bed: Bed<S>) {
    let first = bed.login(1).await;
    let early = bed.login(1).await;
    bed.pass(50);
    let late = bed.login(1).await;
    bed.revoke(&first).await.unwrap();
    bed.pass(40);
    bed.renew(&early).await.unwrap();
    for _ in 0..10 {
        bed.assert_good(&late).await;
        bed.pass(92);
    }
    // At 1010 seconds the other two have expired, and only the list refers to this one.
    bed.assert_good(&late).await;
    bed.sessions.store().remove_all(1).await.unwrap();
    bed.assert_over(&late).await;
}

async fn expired_session_is_removed<S: SessionStore>(mut bed: Bed<S>) {
    for user in 0..3 {
        bed.login(user).await;
    }
    bed.pass(2000);
    if let Some(redis) = bed.redis() {
        assert_eq!(redis.keys(), [""; 0]);
        // An entry that outlived its session is removed at the next login.
        let mut connection = redis.connection();
        let () = redis::cmd("ZADD").arg("test:u:1").arg(1).arg("stale").query(&mut connection).unwrap();
        bed.login(1).await;
        let listed: Vec<String> = redis::cmd("ZRANGE").arg("test:u:1").arg(0).arg(-1).query(&mut connection).unwrap();
        assert_eq!(listed.len(), 1);
        assert_ne!(listed[0], "stale");
    }
}

#[tokio::test]
async fn expired_sessions_are_removed_from_memory() {
    let mut bed = Bed::in_memory(NEVER).await;
    for _ in 0..20 {
        for user in 0..5000 {
            bed.login(user).await;
        }
        bed.pass(100);
    }
    // A hundred thousand were made, and at most five thousand lived at any time.
    let held = bed.sessions.store().count();
    assert!(held <= 3 * 5000, "{held}");
}

/// Renews and logs out, which leaves one session of the user.
async fn come_and_go<S: SessionStore>(bed: &Bed<S>) {
    let mut id = bed.login(1).await;
    for _ in 0..5 {
        id = bed.renew(&id).await.unwrap().credential.unwrap();
        let other = bed.login(1).await;
        bed.revoke(&other).await.unwrap();
    }
}

#[tokio::test]
async fn session_list_removes_deleted_sessions() {
    let bed = Bed::in_memory(NEVER).await;
    come_and_go(&bed).await;
    assert_eq!(bed.sessions.store().listed(1), 1);
    let bed = Bed::over_redis(NEVER).await;
    come_and_go(&bed).await;
    let redis = bed.redis().unwrap();
    let listed: u64 = redis::cmd("ZCARD").arg("test:u:1").query(&mut redis.connection()).unwrap();
    assert_eq!(listed, 1);
}
