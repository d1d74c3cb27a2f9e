//! How the client reports servers that are not auth servers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use lab::http::{Client, HttpError};
use lab::listener::free_address;

use crate::delay_server::DelayServer;

/// A server that sends every request this response and closes; it stops with the test program.
fn responding_server(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    base
}

#[test]
fn closed_port_is_unreachable() {
    let address = free_address().unwrap();
    let error = Client::new(&format!("http://{address}")).scheme().unwrap_err();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn unresponsive_server_is_unreachable() {
    let server = DelayServer::start(&["--delay-us", "600000000"]);
    let client = Client::new(&format!("http://{}", server.address));
    let error = client.get("/me", &BTreeMap::new(), Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error}");
}

#[test]
fn other_servers_are_distinguished_from_auth_servers() {
    for (response, why) in [
        ("-ERR unknown command 'GET'\r\n", "does not speak HTTP"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "status 404"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "not return a scheme descriptor"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "status 302",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "not return a scheme descriptor",
        ),
    ] {
        let error = Client::new(&responding_server(response)).scheme().unwrap_err();
        assert!(matches!(error, HttpError::NotAnAuthServer { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn wrong_number_of_credentials_is_rejected() {
    let base =
        responding_server("HTTP/1.1 200 OK\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"credentials\":[]}");
    let error = Client::new(&base).mint(3, 0).unwrap_err();
    assert!(matches!(error, HttpError::MintedWrongly { found: 0, expected: 3, .. }), "{error}");
}

#[test]
fn server_without_mint_returns_a_status_error() {
    let base = responding_server("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone");
    let error = Client::new(&base).mint(1, 0).unwrap_err();
    assert!(matches!(&error, HttpError::Status { status: 404, body, .. } if body == "gone"), "{error}");
}
