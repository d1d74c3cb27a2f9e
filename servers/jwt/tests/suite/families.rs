//! Families of refresh tokens against a model of what each may do.

use chassis::auth::Authenticator;
use jwt::JwtOptions;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::testbed::{NOW, Node, Testbed};

const GRACE_S: u64 = 10;
const MAX_SIBLINGS: usize = 8;
/// Seconds of a login, as the testbed has them.
const ABSOLUTE_S: u64 = 1000;

#[derive(Clone, Debug)]
enum Step {
    Login(u32),
    /// Any token issued so far; newer ones are more likely.
    Present(Index),
    Pass(u64),
    Logout(Index),
    LogoutAll(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..2_u32).prop_map(Step::Login),
        12 => any::<Index>().prop_map(Step::Present),
        3 => prop_oneof![1..4_u64, Just(GRACE_S), Just(GRACE_S + 1), Just(ABSOLUTE_S)].prop_map(Step::Pass),
        1 => any::<Index>().prop_map(Step::Logout),
        1 => (0..2_u32).prop_map(Step::LogoutAll),
    ]
}

/// The live families; tokens are numbers, in the order in which they were issued.
#[derive(Default)]
struct Model {
    families: Vec<Family>,
}

struct Family {
    user: u32,
    tokens: Vec<usize>,
    current: Vec<usize>,
    previous: Vec<usize>,
    rotated_at: u64,
    ends_at: u64,
}

impl Model {
    fn login(&mut self, user: u32, token: usize, now: u64) {
        let one = vec![token];
        let (tokens, current) = (one.clone(), one);
        self.families.push(Family {
            user,
            tokens,
            current,
            previous: vec![],
            rotated_at: now,
            ends_at: now + ABSOLUTE_S,
        });
    }

    /// Whether `token` is renewed, as `next`.
    fn present(&mut self, token: usize, next: usize, now: u64) -> bool {
        let Some(place) = self.families.iter().position(|family| family.tokens.contains(&token)) else { return false };
        let family = &mut self.families[place];
        let in_grace = now <= family.rotated_at + GRACE_S && family.current.len() < MAX_SIBLINGS;
        if now >= family.ends_at {
            self.families.remove(place);
            return false;
        }
        if family.current.contains(&token) {
            family.previous = std::mem::replace(&mut family.current, vec![next]);
            family.rotated_at = now;
        } else if family.previous.contains(&token) && in_grace {
            family.current.push(next);
        } else {
            self.families.remove(place);
            return false;
        }
        family.tokens.push(next);
        true
    }

    fn logout(&mut self, token: usize) {
        self.families.retain(|family| !family.tokens.contains(&token));
    }

    fn logout_all(&mut self, user: u32) {
        self.families.retain(|family| family.user != user);
    }
}

/// A refresh token and the access token that came with it.
type TokenPair = (String, String);

async fn assert_agrees(node: &Node, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut model, mut now) = (Model::default(), NOW);
    let mut pairs: Vec<TokenPair> = vec![];
    for user in [0, 1] {
        node.revoke_user(user).await.unwrap();
    }
    for step in steps {
        match step {
            Step::Login(user) => {
                let issued = node.issue(user, now).await;
                model.login(user, pairs.len(), now);
                pairs.push((issued.refresh_token.unwrap(), issued.credential.unwrap()));
            }
            Step::Present(index) if !pairs.is_empty() => {
                let token = index.index(pairs.len());
                let renewed = node.tokens.renew(Some(&pairs[token].0), now).await;
                let expected = model.present(token, pairs.len(), now);
                prop_assert_eq!(renewed.is_ok(), expected, "token {} of {}", token, pairs.len());
                pairs.extend(renewed.ok().map(|(_, new)| (new.refresh_token.unwrap(), new.credential.unwrap())));
            }
            Step::Pass(seconds) => now += seconds,
            Step::Logout(index) if !pairs.is_empty() => {
                let token = index.index(pairs.len());
                if node.tokens.revoke(Some(&pairs[token].1), now).await.is_ok() {
                    model.logout(token);
                }
            }
            Step::LogoutAll(user) => {
                node.revoke_user(user).await.unwrap();
                model.logout_all(user);
            }
            Step::Present(_) | Step::Logout(_) => {}
        }
    }
    Ok(())
}

#[test]
fn families_match_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let testbed = Testbed::of("-refresh");
    let testbed =
        Testbed { options: JwtOptions { refresh_grace_s: Some(GRACE_S), ..testbed.options.clone() }, ..testbed };
    let node = runtime.block_on(testbed.node());
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in proptest::collection::vec(step(), 0..60))| {
        runtime.block_on(assert_agrees(&node, steps))?;
    });
}
