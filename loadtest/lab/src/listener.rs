//! Where a process can listen, and which one listens at an address, so that an externally started target can be
//! observed, too.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

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
    let inode = inode(address)?;
    let mut owners = all_processes().ok()?.filter_map(Result::ok).filter(|process| has_socket_open(process, inode));
    let owner = owners.next()?;
    owners.next().is_none().then(|| owner.pid().cast_unsigned())
}

/// The inode of the socket that listens at the address, or at its port on every address.
fn inode(address: SocketAddr) -> Option<u64> {
    let sockets = if address.is_ipv4() { tcp() } else { tcp6() };
    let is_here = |at: SocketAddr| at.port() == address.port() && (at.ip() == address.ip() || at.ip().is_unspecified());
    let mut sockets = sockets.ok()?.into_iter();
    sockets.find(|socket| socket.state == TcpState::Listen && is_here(socket.local_address)).map(|socket| socket.inode)
}

fn has_socket_open(process: &Process, inode: u64) -> bool {
    let Ok(mut open) = process.fd() else { return false };
    open.any(|each| each.is_ok_and(|each| matches!(each.target, FDTarget::Socket(socket) if socket == inode)))
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
