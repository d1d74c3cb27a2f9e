//! What several calls at once come to.

use std::sync::Arc;

use session::SessionStore;

use crate::bed::Bed;
use crate::over_every_store;

over_every_store! {
    exactly_one_concurrent_renewal_succeeds with THROTTLED,
    renewal_concurrent_with_logout_all_does_not_survive with THROTTLED,
    no_use_undoes_a_logout with ALWAYS,
}

async fn exactly_one_concurrent_renewal_succeeds<S: SessionStore>(bed: Bed<S>) {
    let bed = Arc::new(bed);
    for _ in 0..20 {
        let old = bed.login(1).await;
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (bed, old) = (Arc::clone(&bed), old.clone());
                tokio::spawn(async move { bed.renew(&old).await })
            })
            .collect();
        let mut winners = vec![];
        for attempt in attempts {
            winners.extend(attempt.await.unwrap().ok());
        }
        assert_eq!(winners.len(), 1);
        bed.assert_over(&old).await;
        bed.assert_good(winners[0].credential.as_deref().unwrap()).await;
    }
}

/// Renews until it is rejected, and returns the last id.
async fn renew_until_refused<S: SessionStore>(bed: Arc<Bed<S>>, mut id: String) -> String {
    for _ in 0..100_000 {
        match bed.renew(&id).await {
            Ok(issued) => id = issued.credential.unwrap(),
            Err(_) => return id,
        }
    }
    panic!("a session survived the logout of all");
}

async fn renewal_concurrent_with_logout_all_does_not_survive<S: SessionStore>(bed: Bed<S>) {
    let bed = Arc::new(bed);
    for _ in 0..20 {
        let mut chains = vec![];
        for _ in 0..8 {
            let id = bed.login(1).await;
            chains.push(tokio::spawn(renew_until_refused(Arc::clone(&bed), id)));
        }
        tokio::task::yield_now().await;
        bed.sessions.store().remove_all(1).await.unwrap();
        for chain in chains {
            let last = chain.await.unwrap();
            bed.assert_over(&last).await;
        }
    }
}

async fn no_use_undoes_a_logout<S: SessionStore>(bed: Bed<S>) {
    let bed = Arc::new(bed);
    for _ in 0..20 {
        let id = bed.login(1).await;
        let users: Vec<_> = (0..4)
            .map(|_| {
                let (bed, id) = (Arc::clone(&bed), id.clone());
                tokio::spawn(async move { while bed.verify(&id).await.is_ok() {} })
            })
            .collect();
        bed.revoke(&id).await.unwrap();
        for user in users {
            user.await.unwrap();
        }
        bed.assert_over(&id).await;
    }
}
