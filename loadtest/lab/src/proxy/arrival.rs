//! Arrival times of bytes according to the kernel: a sleeping thread learns of them some ten
//! microseconds later.

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::time::ClockId;

use engine::clock::{nanoseconds, now_ns};

/// The kernel stamps by a clock that may be set; an account further back than this is none.
const MAX_AGE_NS: u64 = 50_000_000;

/// Has the kernel note when bytes come. Where it does not, their arrival is when they are read.
pub(super) fn enable_timestamps(stream: &TcpStream) {
    let _ = setsockopt(stream, sockopt::ReceiveTimestampns, &true);
}

/// Reads the available bytes, and returns when the last of them arrived, in nanoseconds on the monotonic clock.
pub(super) fn read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let timestamp = message.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| if let ControlMessageOwned::ScmTimestampns(at) = message { Some(at) } else { None })
    });
    Ok((message.bytes, arrived_ns(timestamp)))
}

/// From a time of day to one on the monotonic clock.
fn arrived_ns(timestamp: Option<TimeSpec>) -> u64 {
    let now = now_ns();
    let time_of_day = ClockId::CLOCK_REALTIME.now().map(nanoseconds);
    let age_ns = timestamp.zip(time_of_day.ok()).and_then(|(at, today)| today.checked_sub(nanoseconds(at)));
    now - age_ns.filter(|age_ns| *age_ns < MAX_AGE_NS).unwrap_or(0)
}
