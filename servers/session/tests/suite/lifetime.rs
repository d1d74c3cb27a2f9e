//! When a session ends by itself: rows 16 of the security table.

use session::SessionStore;

use crate::over_every_store;
use crate::testbed::Testbed;

over_every_store! {
    untouched_session_expires_a_fixed_time_after_login with NEVER,
    session_expires_by_its_payload_even_if_still_stored with THROTTLED,
    activity_extends_at_most_once_per_interval with THROTTLED,
    activity_extends_at_every_use with ALWAYS,
    activity_does_not_exceed_the_absolute_timeout_throttled with THROTTLED,
    activity_does_not_exceed_the_absolute_timeout_always with ALWAYS,
    renewal_restarts_the_idle_timeout_but_not_the_absolute_one with NEVER,
    new_credential_states_its_lifetime with THROTTLED,
}

async fn untouched_session_expires_a_fixed_time_after_login<S: SessionStore>(mut testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    testbed.advance(600);
    testbed.assert_accepted(&id).await;
    testbed.advance(390);
    testbed.assert_accepted(&id).await;
    testbed.advance(10);
    testbed.assert_rejected(&id).await;
}

async fn session_expires_by_its_payload_even_if_still_stored<S: SessionStore>(mut testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    testbed.now += 990;
    testbed.assert_accepted(&id).await;
    // Touched, so until 1990; and the store counts from its own clock, which does not advance.
    testbed.now += 1000;
    testbed.assert_rejected(&id).await;
    assert!(testbed.renew(&id).await.is_err());
}

async fn activity_extends_at_most_once_per_interval<S: SessionStore>(mut testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    testbed.advance(90);
    // Within the interval: the limit stays at 1000.
    testbed.assert_accepted(&id).await;
    testbed.advance(410);
    // At 500, so the limit is 1500.
    testbed.assert_accepted(&id).await;
    testbed.advance(990);
    testbed.assert_accepted(&id).await;
    // That was at 1490, so the limit is 2490.
    testbed.advance(990);
    testbed.assert_accepted(&id).await;
    testbed.advance(1000);
    testbed.assert_rejected(&id).await;
    let other = testbed.login(1).await;
    testbed.advance(90);
    testbed.assert_accepted(&other).await;
    testbed.advance(910);
    testbed.assert_rejected(&other).await;
}

async fn activity_extends_at_every_use<S: SessionStore>(mut testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    testbed.advance(10);
    testbed.assert_accepted(&id).await;
    testbed.advance(990);
    testbed.assert_accepted(&id).await;
    testbed.advance(1000);
    testbed.assert_rejected(&id).await;
}

async fn activity_does_not_exceed_the_absolute_timeout_throttled<S: SessionStore>(testbed: Testbed<S>) {
    activity_never_passes_the_absolute_limit(testbed).await;
}

async fn activity_does_not_exceed_the_absolute_timeout_always<S: SessionStore>(testbed: Testbed<S>) {
    activity_never_passes_the_absolute_limit(testbed).await;
}

async fn activity_never_passes_the_absolute_limit<S: SessionStore>(mut testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    for used_at in (900..10_000).step_by(900) {
        testbed.advance(900);
        testbed.assert_accepted(&id).await;
        if let Some(redis) = testbed.redis() {
            let key = redis.keys().into_iter().find(|key| key.starts_with("test:s:")).unwrap();
            let left_s: u64 = redis::cmd("TTL").arg(key).query(&mut redis.connection()).unwrap();
            assert!(left_s <= 10_000 - used_at, "{left_s} s left at {used_at} s");
        }
    }
    testbed.advance(90);
    testbed.assert_accepted(&id).await;
    testbed.advance(10);
    testbed.assert_rejected(&id).await;
}

async fn renewal_restarts_the_idle_timeout_but_not_the_absolute_one<S: SessionStore>(mut testbed: Testbed<S>) {
    let mut id = testbed.login(1).await;
    for _ in 0..11 {
        testbed.advance(900);
        let issued = testbed.renew(&id).await.unwrap();
        assert_eq!(issued.expires_in, 1000.min(10_000 - (testbed.now - 1_800_000_000)));
        id = issued.credential.unwrap();
    }
    testbed.advance(90);
    testbed.assert_accepted(&id).await;
    testbed.advance(10);
    testbed.assert_rejected(&id).await;
    assert!(testbed.renew(&id).await.is_err());
}

async fn new_credential_states_its_lifetime<S: SessionStore>(testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    assert_eq!(testbed.renew(&id).await.unwrap().expires_in, 1000);
}
