//! Servers in a chain, the last first, each with the address of the next one.

use std::path::Path;

use testkit::server::Server;

pub(crate) fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// `count` servers of this binary with these flags; the first passes on to the second, and so on.
pub(crate) fn start_chain(binary: &Path, flags: &[&str], count: usize) -> Vec<Server> {
    let mut servers: Vec<Server> = vec![];
    for _ in 0..count {
        let next = servers.last().map(url);
        let next: Vec<&str> = next.iter().flat_map(|next| ["--next-hop", next.as_str()]).collect();
        servers.push(Server::start(binary, &[flags, &next].concat()));
    }
    servers.reverse();
    servers
}
