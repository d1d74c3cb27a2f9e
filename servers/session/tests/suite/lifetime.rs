//! When a session ends by itself: rows 16 of the security table.

use session::SessionStore;

use crate::bed::Bed;
use crate::over_every_store;

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

async fn untouched_session_expires_a_fixed_time_after_login<S: SessionStore>(mut bed: Bed<S>) {
    let id = bed.login(1).await;
    bed.pass(60);
    bed.assert_good(&id).await;
    bed.pass(39);
    bed.assert_good(&id).await;
    bed.pass(1);
    bed.assert_over(&id).await;
}

async fn session_expires_by_its_payload_even_if_still_stored<S: SessionStore>(mut bed: Bed<S>) {
    let id = bed.login(1).await;
    bed.now += 99;
    bed.assert_good(&id).await;
    // Touched, so until 199; and the store counts from its own clock, which does not advance.
    bed.now += 100;
    bed.assert_over(&id).await;
    assert!(bed.renew(&id).await.is_err());
}

async fn activity_extends_at_most_once_per_interval<S: SessionStore>(mut bed: Bed<S>) {
    let id = bed.login(1).await;
    bed.pass(9);
    // Within the interval: the limit stays at 100.
    bed.assert_good(&id).await;
    bed.pass(41);
    // At 50, so the limit is 150.
    bed.assert_good(&id).await;
    bed.pass(99);
    bed.assert_good(&id).await;
    // That was at 149, so the limit is 249.
    bed.pass(99);
    bed.assert_good(&id).await;
    bed.pass(100);
    bed.assert_over(&id).await;
    let other = bed.login(1).await;
    bed.pass(9);
    bed.assert_good(&other).await;
    bed.pass(91);
    bed.assert_over(&other).await;
}

async fn activity_extends_at_every_use<S: SessionStore>(mut bed: Bed<S>) {
    let id = bed.login(1).await;
    bed.pass(1);
    bed.assert_good(&id).await;
    bed.pass(99);
    bed.assert_good(&id).await;
    bed.pass(100);
    bed.assert_over(&id).await;
}

async fn activity_does_not_exceed_the_absolute_timeout_throttled<S: SessionStore>(bed: Bed<S>) {
    activity_never_passes_the_absolute_limit(bed).await;
}

async fn activity_does_not_exceed_the_absolute_timeout_always<S: SessionStore>(bed: Bed<S>) {
    activity_never_passes_the_absolute_limit(bed).await;
}

async fn activity_never_passes_the_absolute_limit<S: SessionStore>(mut bed: Bed<S>) {
    let id = bed.login(1).await;
    for used_at in (90..1000).step_by(90) {
        bed.pass(90);
        bed.assert_good(&id).await;
        if let Some(redis) = bed.redis() {
            let key = redis.keys().into_iter().find(|key| key.starts_with("test:s:")).unwrap();
            let left_s: u64 = redis::cmd("TTL").arg(key).query(&mut redis.connection()).unwrap();
            assert!(left_s <= 1000 - used_at, "{left_s} s left at {used_at} s");
        }
    }
    bed.pass(9);
    bed.assert_good(&id).await;
    bed.pass(1);
    bed.assert_over(&id).await;
}

async fn renewal_restarts_the_idle_timeout_but_not_the_absolute_one<S: SessionStore>(mut bed: Bed<S>) {
    let mut id = bed.login(1).await;
    for _ in 0..11 {
        bed.pass(90);
        let issued = bed.renew(&id).await.unwrap();
        assert_eq!(issued.expires_in, 100.min(1000 - (bed.now - 1_800_000_000)));
        id = issued.credential.unwrap();
    }
    bed.pass(9);
    bed.assert_good(&id).await;
    bed.pass(1);
    bed.assert_over(&id).await;
    assert!(bed.renew(&id).await.is_err());
}

async fn new_credential_states_its_lifetime<S: SessionStore>(bed: Bed<S>) {
    let id = bed.login(1).await;
    assert_eq!(bed.renew(&id).await.unwrap().expires_in, 100);
}
