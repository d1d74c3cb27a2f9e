//! A proxy between the suite and a correct server that changes the traffic, for faults that the chassis makes impossible.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SERVER_TIMEOUT: Duration = Duration::from_secs(20);
/// The time limit for a request to become complete, so that no check waits for one that never does.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = String::from_utf8_lossy(lines.next()?).into_owned();
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Some((name, line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]).to_vec()))
        };
        Some(Self { line, headers: lines.filter_map(header).collect(), body: bytes[end + 4..].to_vec() })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            if name != "content-length" {
                bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
            }
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn is(&self, request_line: &str) -> bool {
        self.line.starts_with(request_line)
    }

    pub(crate) fn without(&mut self, name: &str) {
        self.headers.retain(|(own, _)| own != name);
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// Changes the text of every header of this name.
    pub(crate) fn edit(&mut self, name: &str, edit: impl Fn(&str) -> String) {
        for (own, value) in &mut self.headers {
            if let (true, Ok(text)) = (own == name, str::from_utf8(value)) {
                *value = edit(text).into_bytes();
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// State that a fault keeps between requests.
pub(crate) type Memory = HashMap<String, String>;

/// A fault that changes the traffic.
pub(crate) trait TrafficFault: Send + Sync {
    /// Returns the number of connections served at a time.
    fn connections(&self) -> usize {
        usize::MAX
    }

    /// Returns the time limit for a request to become complete; none: no limit.
    fn request_timeout(&self) -> Option<Duration> {
        Some(REQUEST_TIMEOUT)
    }

    /// Changes a request, or responds to it directly.
    fn request(&self, _request: &mut Message, _memory: &mut Memory) -> Option<Message> {
        None
    }

    /// Changes the response to this request, which is as it was forwarded.
    fn response(&self, _request: &Message, _answer: &mut Message, _memory: &mut Memory) {}
}

/// A running proxy, until this value is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn start(upstream: SocketAddr, fault: Arc<dyn TrafficFault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop_flag, memory) = (Arc::clone(&stopped), Arc::new(Mutex::new(Memory::new())));
        let served = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                while served.load(Ordering::SeqCst) >= fault.connections() && !stop_flag.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if stop_flag.load(Ordering::Relaxed) {
                    return;
                }
                served.fetch_add(1, Ordering::SeqCst);
                let (fault, memory, served) = (Arc::clone(&fault), Arc::clone(&memory), Arc::clone(&served));
                std::thread::spawn(move || {
                    forward(stream, upstream, fault.as_ref(), &memory);
                    served.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, stopped }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    fault: &dyn TrafficFault,
    memory: &Mutex<Memory>,
) -> Option<()> {
    let deadline = fault.request_timeout().map(|timeout| Instant::now() + timeout);
    let mut request = read_request(&mut client, deadline)?;
    // One request per connection, whatever the client requested.
    request.without("connection");
    request.add("connection", "close");
    let direct_response = fault.request(&mut request, &mut memory.lock().unwrap());
    let response = if let Some(response) = direct_response {
        response
    } else {
        let mut response = send_to_server(upstream, &request)?;
        fault.response(&request, &mut response, &mut memory.lock().unwrap());
        response
    };
    client.write_all(&response.bytes()).ok()
}

fn send_to_server(upstream: SocketAddr, request: &Message) -> Option<Message> {
    let mut server = TcpStream::connect(upstream).ok()?;
    server.set_read_timeout(Some(SERVER_TIMEOUT)).ok()?;
    let _ = server.write_all(&request.bytes());
    let mut bytes = vec![];
    let _ = server.read_to_end(&mut bytes);
    Message::parse(&bytes)
}

fn read_request(client: &mut TcpStream, deadline: Option<Instant>) -> Option<Message> {
    let (mut bytes, mut chunk) = (vec![], vec![0; 64 * 1024]);
    loop {
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            let request = Message::parse(&bytes)?;
            let length = request.text("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if request.body.len() >= length {
                return Some(request);
            }
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        client.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1)))).ok()?;
        match client.read(&mut chunk) {
            // A read with a timeout is interrupted when the process is stopped and continued (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend(&chunk[..count]),
        }
    }
}
