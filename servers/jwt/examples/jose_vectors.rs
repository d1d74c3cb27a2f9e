//! Runs published JOSE vectors through the signature step that serves requests.
//!
//! `jose_vectors FILE` reads a JSON array of `{"id", "jws", "jwks"}`, where `jwks` is a JWK set or a text that holds
//! one, and prints a line for each: `<id> accepted`, or `<id> rejected: <reason>`. It exits with code 0 when all lines
//! are printed, and with 2 when the file cannot be read or contains something else.

use std::process::ExitCode;

use jwt::{KeySet, verify_jws};
use serde_json::Value;

/// A compact serialisation, and the keys that may have signed it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    jws: String,
    jwks: Value,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), None) = (arguments.next(), arguments.next()) else {
        return usage_error("give one FILE with a JSON array of {\"id\", \"jws\", \"jwks\"}");
    };
    let named = |error: &dyn std::fmt::Display| usage_error(&format!("{}: {error}", file.display()));
    let json = match std::fs::read_to_string(&file) {
        Ok(json) => json,
        Err(error) => return named(&error),
    };
    match lines(&json) {
        Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
        Err(error) => return named(&error),
    }
    ExitCode::SUCCESS
}

fn usage_error(why: &str) -> ExitCode {
    eprintln!("jose_vectors: {why}");
    ExitCode::from(2)
}

/// What becomes of each vector in this JSON array.
fn lines(json: &str) -> Result<Vec<String>, serde_json::Error> {
    let vectors: Vec<Vector> = serde_json::from_str(json)?;
    Ok(vectors.iter().map(|vector| format!("{} {}", vector.id, vector.verdict())).collect())
}

impl Vector {
    fn verdict(&self) -> String {
        let json = self.jwks.as_str().map_or_else(|| self.jwks.to_string(), str::to_owned);
        match KeySet::from_json(&json).map(|set| verify_jws(&self.jws, &set)) {
            Ok(Ok(_)) => "accepted".to_owned(),
            Ok(Err(error)) => format!("refused: {error}"),
            Err(error) => format!("refused: {error}"),
        }
    }
}
