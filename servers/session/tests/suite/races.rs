//! What several calls at once come to.

use std::sync::Arc;
use std::time::Instant;

use session::SessionStore;

use crate::over_every_store;
use crate::testbed::Testbed;
use testkit::TIMEOUT;

over_every_store! {
    exactly_one_concurrent_renewal_succeeds with THROTTLED,
    renewal_concurrent_with_logout_all_does_not_survive with THROTTLED,
    no_use_undoes_a_logout with ALWAYS,
}

async fn exactly_one_concurrent_renewal_succeeds<S: SessionStore>(testbed: Testbed<S>) {
    let testbed = Arc::new(testbed);
    for _ in 0..20 {
        let old = testbed.login(1).await;
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (testbed, old) = (Arc::clone(&testbed), old.clone());
                tokio::spawn(async move { testbed.renew(&old).await })
            })
            .collect();
        let mut winners = vec![];
        for attempt in attempts {
            winners.extend(attempt.await.unwrap().ok());
        }
        assert_eq!(winners.len(), 1);
        testbed.assert_rejected(&old).await;
        testbed.assert_accepted(winners[0].credential.as_deref().unwrap()).await;
    }
}

/// Renews until it is rejected, and returns the last id.
async fn renew_until_rejected<S: SessionStore>(testbed: Arc<Testbed<S>>, mut id: String) -> String {
    let deadline = Instant::now() + TIMEOUT;
    while let Ok(issued) = testbed.renew(&id).await {
        assert!(Instant::now() < deadline, "a session survived the logout of all");
        id = issued.credential.unwrap();
        tokio::task::yield_now().await;
    }
    id
}

async fn renewal_concurrent_with_logout_all_does_not_survive<S: SessionStore>(testbed: Testbed<S>) {
    let testbed = Arc::new(testbed);
    for _ in 0..20 {
        let mut chains = vec![];
        for _ in 0..8 {
            let id = testbed.login(1).await;
            chains.push(tokio::spawn(renew_until_rejected(Arc::clone(&testbed), id)));
        }
        tokio::task::yield_now().await;
        testbed.sessions.store().remove_all(1).await.unwrap();
        for chain in chains {
            let last = chain.await.unwrap();
            testbed.assert_rejected(&last).await;
        }
    }
}

async fn no_use_undoes_a_logout<S: SessionStore>(testbed: Testbed<S>) {
    let testbed = Arc::new(testbed);
    for _ in 0..20 {
        let id = testbed.login(1).await;
        let users: Vec<_> = (0..4)
            .map(|_| {
                let (testbed, id) = (Arc::clone(&testbed), id.clone());
                tokio::spawn(async move { while testbed.verify(&id).await.is_ok() {} })
            })
            .collect();
        testbed.revoke(&id).await.unwrap();
        for user in users {
            user.await.unwrap();
        }
        testbed.assert_rejected(&id).await;
    }
}
