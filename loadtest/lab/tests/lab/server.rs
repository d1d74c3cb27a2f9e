//! A server is the requested one, or there is a clear error.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use contract::Scheme;
use lab::observe::memory;
use lab::server::{Server, ServerError, ServerSpec};
use tempfile::TempDir;

use crate::processes::{exit_status_after_sigterm, is_running};

/// A program in the place of a server: a shell script.
fn script(folder: &TempDir, body: &str) -> PathBuf {
    let path = folder.path().join("anonymous-server");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn spec(folder: &TempDir) -> ServerSpec {
    ServerSpec { users: 100, ..ServerSpec::new(Scheme::CONTROL, folder.path().join("logs/server.log")) }
}

#[test]
fn server_becomes_ready_and_stops_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ServerSpec { roles: 3, workers: Some(1), node: "left".to_owned(), ..spec(&folder) };
    let server = Server::start_program(&lab::server::locate("anonymous-server").unwrap(), &spec).unwrap();
    assert_eq!((server.descriptor().scheme.as_str(), server.descriptor().node.as_str()), ("anonymous", "left"));
    assert_eq!(server.client().mint(3, 0).unwrap().len(), 3);
    let pid = server.process().pid();
    assert!(memory(pid).unwrap().pss_bytes.unwrap() > 0);
    server.process().check().unwrap();
    assert!(exit_status_after_sigterm(server.process()).success(), "SIGTERM shuts it down gracefully");
    drop(server);
    assert!(!is_running(pid));
}

#[test]
fn server_with_other_settings_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, &format!("exec {} --delay-us 0", env!("CARGO_BIN_EXE_delay-server")));
    let error = Server::start_program(&program, &spec(&folder)).unwrap_err();
    assert!(matches!(&error, ServerError::Mismatch { mismatch, .. } if mismatch.what == "scheme"), "{error}");
    assert!(error.to_string().contains("\"delay-reference\""), "{error}");
}

#[test]
fn error_quotes_the_log_of_a_server_that_exits_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "echo 'error: the key is too short' >&2; exit 2");
    let error = Server::start_program(&program, &spec(&folder)).unwrap_err();
    assert!(matches!(error, ServerError::Exited(_)), "{error}");
    assert!(error.to_string().contains("the key is too short"), "{error}");
}

#[test]
fn ready_line_of_another_process_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let lie = r#"echo '{"listening":"127.0.0.1:1","scheme":"anonymous","pid":1}'"#;
    let program = script(&folder, &format!("{lie}; exec {} --delay-us 0", env!("CARGO_BIN_EXE_delay-server")));
    let error = Server::start_program(&program, &spec(&folder)).unwrap_err();
    // It is rejected for the report at its own address, despite the false ready line.
    assert!(matches!(error, ServerError::Mismatch { .. }), "{error}");
}

#[test]
fn scheme_and_settings_are_passed_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, r#"echo "$@ $AUTHBENCH_REDIS_URL"; exit 5"#);
    let scheme = "session-redis".parse().unwrap();
    let spec = ServerSpec {
        scheme,
        store_url: Some(("AUTHBENCH_REDIS_URL", "redis://127.0.0.1:7/0".to_owned())),
        key_prefix: "p:".to_owned(),
        workers: Some(2),
        ..spec(&folder)
    };
    let error = Server::start_program(&program, &spec).unwrap_err().to_string();
    let expected = "--bench --listen 127.0.0.1:0 --scheme session-redis --carrier bearer --key-prefix p: --users 100 \
                    --roles 1 --touch throttled --node node-1 --workers 2 redis://127.0.0.1:7/0";
    assert!(error.contains(expected), "{error}");
}
