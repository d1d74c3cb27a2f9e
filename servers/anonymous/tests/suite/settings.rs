//! The settings of the server, and the errors for invalid ones.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use testkit::server::{Server, startup_error};

/// One line, which names the server and the fault; code 2 means that the settings are wrong.
#[track_caller]
fn assert_start_fails(arguments: &[&str], code: i32, parts: &[&str]) {
    let (exit_code, message) = startup_error(crate::BINARY, arguments);
    assert_eq!(exit_code, code, "{arguments:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("anonymous-server: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

fn config_file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn described(server: &Server) -> (String, String) {
    let descriptor = server.get("/bench/scheme", &[]).json();
    (descriptor["node"].as_str().unwrap().to_owned(), descriptor["carrier"].as_str().unwrap().to_owned())
}

#[test]
fn flags_override_environment_and_environment_overrides_file() {
    let (_folder, path) =
        config_file("[server]\nnode = \"file\"\ncarrier = \"cookie\"\nusers = 5\nlisten = \"127.0.0.1:0\"\n");
    let path = path.to_str().unwrap();
    let from_file = Server::start_with(crate::BINARY, &["--config", path], &[]);
    assert_eq!(described(&from_file), ("file".to_owned(), "cookie".to_owned()));
    let variables = [("AUTHBENCH_NODE", "environment"), ("AUTHBENCH_CONFIG", path)];
    let from_environment = Server::start_with(crate::BINARY, &[], &variables);
    assert_eq!(described(&from_environment), ("environment".to_owned(), "cookie".to_owned()));
    let from_flags = Server::start_with(crate::BINARY, &["--node", "flag", "--carrier", "bearer"], &variables);
    assert_eq!(described(&from_flags), ("flag".to_owned(), "bearer".to_owned()));
}

#[test]
fn an_empty_variable_is_not_set() {
    let (_folder, path) = config_file("[server]\nnode = \"file\"\nlisten = \"127.0.0.1:0\"\n");
    let config = ("AUTHBENCH_CONFIG", path.to_str().unwrap());
    let empty = ["AUTHBENCH_WORKERS", "AUTHBENCH_NODE", "AUTHBENCH_SCHEME", "AUTHBENCH_USERS", "AUTHBENCH_LOG"];
    let variables: Vec<_> = empty.map(|name| (name, "")).into_iter().chain([config]).collect();
    let server = Server::start_with(crate::BINARY, &[], &variables);
    assert_eq!(described(&server), ("file".to_owned(), "bearer".to_owned()));
    Server::start_with(crate::BINARY, &["--listen", "127.0.0.1:0"], &[("AUTHBENCH_CONFIG", "")]);
}

#[test]
fn invalid_variable_is_named_in_the_error() {
    let says = |variables: &[(&str, &str)], arguments: &[&str]| {
        let output = Command::new(crate::BINARY).args(arguments).envs(variables.iter().copied()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        message
    };
    for (name, value) in [("AUTHBENCH_WORKERS", "many"), ("AUTHBENCH_WORKERS", "0"), ("AUTHBENCH_LOG", "loud")] {
        let message = says(&[(name, value)], &[]);
        assert!(message.starts_with(&format!("anonymous-server: {name}: ")) && message.contains(value), "{message}");
    }
    let message = says(&[("AUTHBENCH_WORKERS", "2")], &["--workers", "0"]);
    assert!(message.starts_with("anonymous-server: --workers 0"), "the flag is wrong, not the variable: {message}");
}

#[test]
fn server_prints_its_address_in_one_line() {
    let server = Server::start(crate::BINARY, &[]);
    assert_eq!(server.ready["scheme"], "anonymous");
    assert_eq!(server.ready["pid"], server.pid());
    assert_eq!(server.ready.as_object().unwrap().len(), 3);
}

#[test]
fn invalid_flags_are_rejected() {
    assert_start_fails(&["--speed", "9"], 2, &["'--speed'", "--help"]);
    assert_start_fails(&["--carrier", "pigeon"], 2, &["--carrier", "\"pigeon\" is unknown", "cookie, bearer"]);
    assert_start_fails(&["--scheme", "jwt-hs256"], 2, &["--scheme jwt-hs256", "supported: anonymous"]);
    assert_start_fails(&["--users", "0"], 2, &["--users 0: must be at least 1"]);
    assert_start_fails(&["--workers", "0"], 2, &["--workers 0: must be at least 1"]);
    assert_start_fails(&["--workers", "999999999"], 2, &["--workers 999999999: must be at most 1024"]);
    assert_start_fails(
        &["--password-kib", "64"],
        2,
        &["--password-kib 64: must be between 19456 and", "require --bench"],
    );
    assert_start_fails(&["--bench", "--password-kib", "7"], 2, &["--password-kib 7: must be between 8 and"]);
    assert_start_fails(&["--log", "loud"], 2, &["--log loud", "off, error, warn, info, debug"]);
    assert_start_fails(&["--absolute-ttl-s", "0"], 2, &["--absolute-ttl-s 0", "between 1 and"]);
    assert_start_fails(&["--listen", "nowhere"], 2, &["--listen", "nowhere"]);
}

#[test]
fn invalid_file_is_rejected_with_name_and_line() {
    let (_folder, path) = config_file("[server]\nusers = 5\ncarier = \"cookie\"\n");
    let name = path.to_str().unwrap();
    assert_start_fails(&["--config", name], 2, &[name, "line 3", "`carier`", "carrier"]);
    let (_folder, path) = config_file("[auth]\nkey-file = \"of another server\"\n");
    assert_start_fails(&["--config", path.to_str().unwrap()], 2, &["line 2", "`key-file`"]);
    let (_folder, path) = config_file("[sever]\n");
    assert_start_fails(&["--config", path.to_str().unwrap()], 2, &["line 1", "`sever`"]);
    let (_folder, path) = config_file("[server]\nusers = \"many\"\n");
    assert_start_fails(&["--config", path.to_str().unwrap()], 2, &["line 2", "'many'", "--users"]);
    let (_folder, path) = config_file("[server]\nnode = [\"one\", \"two\"]\n");
    assert_start_fails(&["--config", path.to_str().unwrap()], 2, &["line 2", "`node` must be a string"]);
    assert_start_fails(&["--config", "/nowhere/server.toml"], 2, &["/nowhere/server.toml", "No such file"]);
}

#[test]
fn port_in_use_exits_with_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_start_fails(&["--listen", &address], 1, &[&address, "in use", "--listen"]);
}
