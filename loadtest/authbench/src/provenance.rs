//! The provenance of a run.

use std::collections::BTreeMap;
use std::path::Path;

use engine::record::{FORMAT, Host, Placement, Record, Run, Status};

/// Returns the record of a run that is about to start. The host must be examined before any thread is pinned.
pub(crate) fn record(
    command: &str,
    folder: &Path,
    profile: Option<String>,
    seed: u64,
    (host, placement): (Host, Placement),
) -> Record {
    Record {
        format: FORMAT,
        run: Run {
            id: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            command: command.to_owned(),
            command_line: command_line(),
            profile,
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("AUTHBENCH_REVISION").map(str::to_owned),
            started_at: experiments::now(),
            finished_at: None,
            status: Status::Incomplete { reason: "running".to_owned() },
        },
        host,
        software: software(),
        placement,
        schemes: Vec::new(),
        omitted: Vec::new(),
        conformance: Vec::new(),
        experiments: Vec::new(),
    }
}

/// Returns the command line without the program's folder and without passwords in URLs.
fn command_line() -> Vec<String> {
    let arguments = std::env::args().skip(1).map(|argument| without_password(&argument));
    std::iter::once("authbench".to_owned()).chain(arguments).collect()
}

fn without_password(argument: &str) -> String {
    match argument.split_once("://").and_then(|(kind, rest)| Some((kind, rest.rsplit_once('@')?.1))) {
        Some((kind, place)) => format!("{kind}://{place}"),
        None => argument.to_owned(),
    }
}

/// Returns the versions of installed programs, of the compiler, and of the libraries.
fn software() -> BTreeMap<String, String> {
    let libraries = env!("AUTHBENCH_LIBRARIES").split(',').filter_map(|library| library.split_once(' '));
    let crates = libraries.map(|(name, version)| (format!("crate {name}"), version.to_owned()));
    let compiler = ("rustc".to_owned(), env!("AUTHBENCH_COMPILER").to_owned());
    lab::host::software().into_iter().chain(crates).chain([compiler]).collect()
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_removed_from_the_command_line() {
        assert_eq!(without_password("redis://user:p@ss@db:6379/1"), "redis://db:6379/1");
        assert_eq!(without_password("--redis-url=redis://:secret@db/0"), "--redis-url=redis://db/0");
        assert_eq!(without_password("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(without_password("--seed"), "--seed");
    }
}
