//! Proxies of the environment: the clients do not use them.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{SKIP_CONFORMANCE, TestDir, command, exclusive, json, load, server, start, stderr};

/// Every spelling that some client supports.
const NAMES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "Http_Proxy", "PROXY"];

/// Starts a proxy that responds with 502, and returns its address and its number of connections.
fn proxy() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::<AtomicU32>::default();
    let counter = connections.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
        }
    });
    (url, connections)
}

fn with_proxy_variables(mut command: Command, proxy: &str) -> Command {
    command.envs(NAMES.map(|name| (name, proxy))).env_remove("no_proxy").env_remove("NO_PROXY");
    command
}

#[test]
fn proxy_of_the_environment_is_not_used() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", &dir, None);
    let (proxy, connections) = proxy();
    for more in [["--rate", "100"], ["--users", "2"]] {
        let dir = TestDir::new();
        let more = [&more[..], &["--duration", "300ms", "--population", "5"]].concat();
        let load = with_proxy_variables(load(&dir, &server.base_url(), &more), &proxy);
        let output = start(load).wait_with_output().unwrap();
        assert_eq!(json(&output)["errors"], 0, "{}", stderr(&output));
    }
    let compared = dir.run();
    let compare = ["compare", "--schemes", "jwt-hs256", "--experiments", "wire", SKIP_CONFORMANCE, "--out"];
    let others: [&[&str]; 2] = [
        &[&compare[..], &[compared.to_str().unwrap()]].concat(),
        &["conform", "--target", &server.base_url(), "--mutations", "10"],
    ];
    for arguments in others {
        let output = start(with_proxy_variables(command(arguments), &proxy)).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0, "connections to the proxy");
}
