//! What is an id, and what is none.

use std::collections::HashSet;

use chassis::auth::{AuthError, Authenticator};
use session::{SessionId, SessionStore};

use crate::over_every_store;
use crate::testbed::Testbed;

over_every_store! {
    session_id_identifies_its_user with THROTTLED,
    malformed_id_is_rejected with THROTTLED,
    an_unknown_id_is_never_adopted with THROTTLED,
}

async fn session_id_identifies_its_user<S: SessionStore>(testbed: Testbed<S>) {
    let (admin, ordinary) = (testbed.login(0).await, testbed.login(7).await);
    let identity = testbed.verify(&admin).await.unwrap();
    assert_eq!(identity, contract::body::Identity::seeded(0, 1));
    assert_eq!(testbed.verify(&ordinary).await.unwrap().username, "user-000007");
}

async fn malformed_id_is_rejected<S: SessionStore>(testbed: Testbed<S>) {
    let id = testbed.login(1).await;
    assert_eq!(testbed.sessions.verify(None, testbed.now).await, Err(AuthError::Missing));
    let last = id.as_bytes()[42];
    // The last character has two bits that decoding ignores: another spelling of the same bytes.
    let sibling = (b'-'..=b'z').find(|other| same_bytes(&id, *other)).unwrap();
    assert_ne!(sibling, last);
    let respelt = format!("{}{}", &id[..42], char::from(sibling));
    for wrong in ["", "x", &id[..42], &format!("{id}="), &format!("{id}A"), &respelt, &id.to_lowercase(), "*"] {
        testbed.assert_rejected(wrong).await;
    }
    testbed.assert_accepted(&id).await;
}

fn same_bytes(id: &str, last: u8) -> bool {
    use base64::Engine;
    use base64::alphabet::URL_SAFE;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lax = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&URL_SAFE, lax);
    let other = format!("{}{}", &id[..42], char::from(last));
    other != id && engine.decode(&other).ok() == engine.decode(id).ok()
}

async fn an_unknown_id_is_never_adopted<S: SessionStore>(testbed: Testbed<S>) {
    let planted = SessionId::random(None).unwrap().into_credential();
    testbed.assert_rejected(&planted).await;
    for _ in 0..3 {
        assert_ne!(testbed.login(1).await, planted);
    }
    testbed.assert_rejected(&planted).await;
    assert!(testbed.renew(&planted).await.is_err());
    assert!(testbed.revoke(&planted).await.is_err());
    assert!(testbed.renew(&planted).await.is_err());
}

#[test]
fn a_hundred_thousand_ids_are_all_distinct_and_of_full_length() {
    let ids: HashSet<_> = (0..100_000).map(|_| SessionId::random(None).unwrap().into_credential()).collect();
    assert_eq!(ids.len(), 100_000);
    assert!(ids.iter().all(|id| id.len() == 43));
    // 256 bits show: every one of the first 252 (six a character) is set in about half of them.
    for place in 0..42 {
        let distinct: HashSet<_> = ids.iter().map(|id| id.as_bytes()[place]).collect();
        assert_eq!(distinct.len(), 64, "character {place}");
    }
}
