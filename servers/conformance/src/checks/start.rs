//! Row 2: with a weak key the server does not start and reports why.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure, fail, not_applicable, reason};
use crate::subject::{StartOutcome, Starter};

/// A key of 1024 bits, made for this check: no library here makes one so weak.
const RSA_1024: &[u8] = include_bytes!("start/rsa-1024.pem");

pub(super) const CHECKS: &[Check] = &[Check {
    id: "weak-key-rejected",
    row: 2,
    title: "With a secret under 32 bytes or an RSA key under 2048 bits the server does not start and reports why.",
    source: "RFC 8725 section 3.5; RFC 7518 sections 3.2 and 3.3",
    run: weak_key,
}];

/// A temporary file that only this user can read, removed with this value. Suites run concurrently in one
/// process: with a shared name one would remove the other's key.
fn key_file(content: &[u8]) -> CheckResult<NamedTempFile> {
    let write = || {
        let mut file = NamedTempFile::with_prefix("authbench-conformance-")?;
        file.write_all(content)?;
        Ok(file)
    };
    write().or_else(|error: io::Error| {
        let folder = std::env::temp_dir();
        not_applicable(format!(
            "cannot write a key file in {}: {error}; set TMPDIR to another directory",
            folder.display()
        ))
    })
}

fn weak_key(context: &CheckContext<'_>) -> CheckResult {
    let Some(starter) = context.subject.starter.as_deref() else { return not_applicable(reason::NO_STARTER) };
    let login = context.login()?;
    let token = crate::token::Token::open(&login.credential);
    let alg = token.as_ref().and_then(|token| token.header["alg"].as_str()).unwrap_or_default();
    match alg.get(..2) {
        Some("HS") => short_secrets(starter, "--secret-file"),
        Some("RS" | "PS") => must_not_start(starter, "--key-file", RSA_1024, "2048"),
        Some(_) => not_applicable("keys of this algorithm have a fixed strength"),
        None if context.facts.sealed() == Some(true) => short_secrets(starter, "--sealing-key-file"),
        None => not_applicable("the server has no key"),
    }
}

fn short_secrets(starter: &dyn Starter, flag: &str) -> CheckResult {
    must_not_start(starter, flag, &[7; 31], "32")?;
    must_not_start(starter, flag, b"secret", "32")?;
    let good = key_file(&[7; 32])?;
    match start(starter, flag, good.path())? {
        StartOutcome::Started => Ok(()),
        StartOutcome::Failed { stderr, .. } => fail(format!("a key of 32 bytes is rejected, too: {stderr}")),
    }
}

/// `min_size` is the minimum key size, which the error must state.
fn must_not_start(starter: &dyn Starter, flag: &str, key: &[u8], min_size: &str) -> CheckResult {
    let file = key_file(key)?;
    match start(starter, flag, file.path())? {
        StartOutcome::Started => fail(format!("the server starts with {flag} and a key of less than {min_size}")),
        StartOutcome::Failed { code, stderr } => {
            ensure(code != 0, || "the server exits with code 0".to_owned())?;
            // The file name is random and does not count.
            let message = stderr.replace(&*file.path().to_string_lossy(), "FILE");
            let is_clear = message.contains(flag) && message.contains(min_size);
            ensure(is_clear, || {
                format!("the error does not name both {flag} and the minimum size {min_size}: {message:?}")
            })
        }
    }
}

fn start(starter: &dyn Starter, flag: &str, file: &Path) -> CheckResult<StartOutcome> {
    let path = file.display().to_string();
    starter
        .start(&[flag, &path])
        .or_else(|error| not_applicable(format!("cannot start a server for this check: {error}")))
}
