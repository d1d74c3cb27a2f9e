//! No other string passes for a token that was issued.

use chassis::auth::Authenticator;
use jwt::{Algorithm, AnyTokens};
use proptest::prelude::*;

use crate::forge;

const NOW: u64 = 1_800_000_000;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn servers() -> Vec<(Algorithm, AnyTokens, String)> {
    let build = |algorithm| {
        runtime().block_on(async {
            let server = forge::authenticator(algorithm).await;
            let token = forge::issued(&server, NOW).await;
            (algorithm, server, token)
        })
    };
    Algorithm::ALL.map(build).into()
}

/// Replaces every character of the token by every character of the alphabet: above all the last of each segment, whose
/// unused bits a lax decoder ignores.
#[tokio::test]
async fn token_with_a_changed_character_is_rejected() {
    let server = forge::authenticator(Algorithm::Hs256).await;
    let token = forge::issued(&server, NOW).await;
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        for other in ALPHABET.iter().copied().filter(|other| *other != token.as_bytes()[position]) {
            bytes[position] = other;
            let mutant = str::from_utf8(&bytes).unwrap();
            assert!(server.verify(Some(mutant), NOW).await.is_err(), "{:?} at {position}", char::from(other));
        }
    }
}

/// The same at the ends of the segments of every algorithm, whose signatures have other lengths.
#[tokio::test]
async fn token_with_a_changed_last_character_is_rejected() {
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let token = forge::issued(&server, NOW).await;
        let ends = token.match_indices('.').map(|(dot, _)| dot - 1).chain([token.len() - 1]);
        for position in ends {
            let mut bytes = token.clone().into_bytes();
            for other in ALPHABET.iter().copied().filter(|other| *other != token.as_bytes()[position]) {
                bytes[position] = other;
                let mutant = str::from_utf8(&bytes).unwrap();
                assert!(server.verify(Some(mutant), NOW).await.is_err(), "{algorithm}: {other} at {position}");
            }
        }
    }
}

#[test]
fn edited_tokens_are_rejected() {
    let servers = servers();
    let runtime = runtime();
    let edits = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<char>(), 0..4_u8);
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((which, place, new, kind) in edits)| {
        let (algorithm, server, token) = &servers[which.index(servers.len())];
        let mut characters: Vec<char> = token.chars().collect();
        let place = place.index(characters.len());
        match kind {
            0 => characters[place] = new,
            1 => characters.insert(place, new),
            2 => drop(characters.remove(place)),
            _ => characters.truncate(place),
        }
        let mutant: String = characters.into_iter().collect();
        prop_assume!(mutant != *token);
        prop_assert!(runtime.block_on(server.verify(Some(&mutant), NOW)).is_err(), "{algorithm}: {mutant}");
        prop_assert!(runtime.block_on(server.verify(Some(token), NOW)).is_ok());
    });
}
