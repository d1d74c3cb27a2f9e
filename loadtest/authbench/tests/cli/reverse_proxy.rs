//! Components between a load and its server in production: a gateway, a balancer, a redirect.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Returns a response such as `302 Found`.
    pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { line: format!("HTTP/1.1 {status}"), headers, body: body.as_bytes().to_vec() }
    }

    /// Returns the path and query of a request.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of this cookie of a request.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header("cookie")?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let mut message = Self { line: line.trim_end().to_owned(), ..Self::default() };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|&read| read > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
        message.body = vec![0; length];
        stream.read_exact(&mut message.body).ok()?;
        Some(message)
    }

    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        stream.write_all(&bytes)
    }
}

/// Handles a request. The second argument forwards it to the server and returns the response.
pub(crate) trait Handler:
    Fn(Message, &mut dyn FnMut(&Message) -> Message) -> Message + Send + Sync + 'static
{
}

impl<T: Fn(Message, &mut dyn FnMut(&Message) -> Message) -> Message + Send + Sync + 'static> Handler for T {}

/// Starts a reverse proxy in front of this server, which keeps connections open, and returns its address. It stops with
/// the test program.
pub(crate) fn reverse_proxy(backend: SocketAddr, handler: impl Handler) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let handler = Arc::clone(&handler);
            std::thread::spawn(move || serve(client, backend, handler.as_ref()));
        }
    });
    address
}

fn serve(client: TcpStream, backend: SocketAddr, handler: &impl Handler) -> Option<()> {
    let mut response_stream = client.try_clone().ok()?;
    response_stream.set_nodelay(true).ok()?;
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(backend).ok()?);
    server.get_ref().set_nodelay(true).ok()?;
    while let Some(request) = Message::read(&mut client) {
        let mut forward = |request: &Message| {
            request.write(server.get_mut()).unwrap();
            Message::read(&mut server).unwrap()
        };
        handler(request, &mut forward).write(&mut response_stream).ok()?;
    }
    Some(())
}
