//! Where a process can listen, and which one listens at an address, so that an externally started target can be
//! observed, too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::{fs, io};

/// Returns an address of loopback that is free now, for programs that take no port 0 and for addresses that others must
/// know first. Another process may take it before.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Returns the port of a [`free_address`].
pub fn free_port() -> io::Result<u16> {
    Ok(free_address()?.port())
}

/// The id of the process that listens behind a URL such as `http://127.0.0.1:8080`; none if it is not on this machine,
/// belongs to another user, or shares the address with other processes.
#[must_use]
pub fn process_listening_at(url: &str) -> Option<u32> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let address = authority.to_socket_addrs().ok()?.find(|address| address.ip().is_loopback())?;
    let socket = format!("socket:[{}]", inode(address)?);
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut owners = pids.filter(|&pid| has_socket_open(pid, &socket));
    let owner = owners.next()?;
    owners.next().is_none().then_some(owner)
}

/// The inode of the socket that listens at the address, or at its port on every address.
fn inode(address: SocketAddr) -> Option<String> {
    let table = if address.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let addresses = [local(address), local(SocketAddr::new(wildcard_address(address.ip()), address.port()))];
    let table = fs::read_to_string(table).ok()?;
    let listening = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let inodes = listening
        .filter(|fields| fields.len() > 9 && fields[3] == "0A" && addresses.iter().any(|address| address == fields[1]));
    inodes.map(|fields| fields[9].to_owned()).next()
}

/// An address as the kernel's table writes it: words of the address in the machine's order, then the port.
fn local(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let word = |word: &[u8]| u32::from_ne_bytes(word.try_into().expect("chunks of four"));
    let words: Vec<_> = octets.chunks(4).map(|chunk| format!("{:08X}", word(chunk))).collect();
    format!("{}:{:04X}", words.concat(), address.port())
}

fn wildcard_address(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() }
}

fn has_socket_open(pid: u32, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).any(|link| link.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_found_by_its_listening_socket() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            let host = if address.starts_with('[') { "[::1]" } else { "127.0.0.1" };
            assert_eq!(
                process_listening_at(&format!("http://{host}:{port}/me")),
                Some(std::process::id()),
                "{address}"
            );
        }
    }

    #[test]
    fn unused_or_remote_address_has_no_process() {
        let free = free_address().unwrap();
        assert_eq!(process_listening_at(&format!("http://{free}")), None, "its listener has been dropped");
        assert_eq!(process_listening_at("http://192.0.2.1:80"), None);
        assert_eq!(process_listening_at("nonsense"), None);
    }
}
