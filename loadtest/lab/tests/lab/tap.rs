//! Every byte on the wire is counted, and none is changed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use lab::tap::{Tap, TapError};

use crate::delay_server::{DelayServer, send_request};

const ME: &[u8] = b"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc\r\n\r\n";
const LOGIN: &[u8] = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

#[test]
fn exchanges_equal_the_transferred_bytes() {
    let server = DelayServer::start(&["--delay-us", "0"]);
    let direct = send_request(server.address, ME, 1);
    let tap = Tap::start(server.address).unwrap();
    let first = send_request(tap.addr(), &[ME, LOGIN].concat(), 2);
    let second = send_request(tap.addr(), ME, 1);
    assert_eq!(first[0], direct[0], "the tap changes nothing");

    let exchanges = tap.finish().unwrap();
    let requests: Vec<_> =
        exchanges.iter().map(|exchange| [&exchange.request.head[..], &exchange.request.body].concat()).collect();
    assert_eq!(requests, [ME, LOGIN, ME]);
    assert_eq!(exchanges[1].request.body, b"{}");
    assert_eq!(
        exchanges.iter().map(|exchange| &exchange.response).collect::<Vec<_>>(),
        [&first[0], &first[1], &second[0]]
    );
    assert_eq!(exchanges[0].response.size_bytes(), direct[0].head.len() + direct[0].body.len());
}

#[test]
fn request_without_a_response_is_an_error() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let tap = Tap::start(target.local_addr().unwrap()).unwrap();
    let mut client = TcpStream::connect(tap.addr()).unwrap();
    client.write_all(ME).unwrap();
    let (mut served, _) = target.accept().unwrap();
    served.read_exact(&mut vec![0; ME.len()]).unwrap();
    drop(served);
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0, "the tap forwards the end of the stream");
    assert!(matches!(tap.finish(), Err(TapError::Unanswered { requests: 1, responses: 0 })));
}

#[test]
fn unused_tap_stops_and_frees_its_port() {
    let server = DelayServer::start(&["--delay-us", "0"]);
    let tap = Tap::start(server.address).unwrap();
    let address = tap.addr();
    drop(tap);
    TcpListener::bind(address).unwrap();
    assert!(Tap::start(server.address).unwrap().finish().unwrap().is_empty());
}
