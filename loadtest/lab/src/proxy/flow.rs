//! What is on its way in one direction, and when each piece of it is due.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::Link;

/// The maximum buffered; the sender blocks beyond it, as on a full network.
const MAX_BUFFERED_BYTES: usize = 4 << 20;

/// Pieces on their way, the first to arrive first.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pieces: VecDeque<Piece>,
    buffered_bytes: usize,
    /// When the last piece of all is due; a later one is never due before it.
    last_due_ns: u64,
    /// When the line has transmitted everything queued on it.
    line_free_ns: u64,
    /// The end of the stream was received.
    pub(super) ended: bool,
    /// The end of the stream was passed on.
    closed: bool,
}

#[derive(Debug)]
struct Piece {
    arrived_ns: u64,
    due_ns: u64,
    /// Empty at the end of the stream.
    bytes: Vec<u8>,
    forwarded: usize,
}

/// How much of the due data was forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarded {
    /// All of it.
    All,
    /// The receiver accepts no more for now.
    Blocked,
    /// All of it, and the stream is at its end.
    End,
}

impl Flow {
    /// Queues bytes that arrived at this moment; no bytes are the end of the stream.
    pub(super) fn receive(&mut self, bytes: &[u8], arrived_ns: u64, link: &Link, random: &mut SmallRng) {
        let jitter_ns = match nanoseconds(link.jitter) {
            0 => 0,
            most => random.random_range(0..=most),
        };
        let line_ns = link.bytes_per_s.map_or(0, |rate| bytes.len() as u64 * 1_000_000_000 / rate.max(1));
        self.line_free_ns = self.line_free_ns.max(arrived_ns) + line_ns;
        self.last_due_ns = self.last_due_ns.max(self.line_free_ns + nanoseconds(link.delay) + jitter_ns);
        self.buffered_bytes += bytes.len();
        self.ended |= bytes.is_empty();
        self.pieces.push_back(Piece { arrived_ns, due_ns: self.last_due_ns, bytes: bytes.to_vec(), forwarded: 0 });
    }

    /// When the next piece is due.
    pub(super) fn due_ns(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.due_ns)
    }

    /// Whether more may come in.
    pub(super) const fn has_room(&self) -> bool {
        self.buffered_bytes < MAX_BUFFERED_BYTES
    }

    /// Forwards what is due, and records how long each whole piece has taken.
    pub(super) fn forward(
        &mut self,
        now: impl Fn() -> u64,
        to: &mut impl Write,
        delays: &mut Histogram<u64>,
    ) -> io::Result<Forwarded> {
        while let Some(piece) = self.pieces.front_mut().filter(|piece| piece.due_ns <= now()) {
            if piece.bytes.is_empty() {
                self.pieces.pop_front();
                self.closed = true;
                break;
            }
            match to.write(&piece.bytes[piece.forwarded..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => piece.forwarded += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Forwarded::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if piece.forwarded == piece.bytes.len() {
                delays.saturating_record(now().saturating_sub(piece.arrived_ns));
                self.buffered_bytes -= piece.bytes.len();
                self.pieces.pop_front();
            }
        }
        Ok(if self.closed { Forwarded::End } else { Forwarded::All })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::super::histogram;
    use super::*;

    const MS: u64 = 1_000_000;

    fn link(delay_ms: u64, jitter_ms: u64, bytes_per_s: Option<u64>) -> Link {
        Link { delay: Duration::from_millis(delay_ms), jitter: Duration::from_millis(jitter_ms), bytes_per_s }
    }

    #[test]
    fn data_does_not_pass_early() {
        let (mut flow, mut random, mut to) = (Flow::default(), SmallRng::seed_from_u64(1), Vec::new());
        flow.receive(b"one", MS, &link(5, 0, None), &mut random);
        flow.receive(b"two", 2 * MS, &link(5, 0, None), &mut random);
        assert_eq!(flow.due_ns(), Some(6 * MS));
        let mut delays = histogram();
        assert_eq!(flow.forward(|| 6 * MS - 1, &mut to, &mut delays).unwrap(), Forwarded::All);
        assert!(to.is_empty());
        flow.forward(|| 6 * MS, &mut to, &mut delays).unwrap();
        assert_eq!(to, b"one");
        assert_eq!((delays.len(), flow.due_ns()), (1, Some(7 * MS)));
        assert!(delays.equivalent(delays.max(), 5 * MS), "{}", delays.max());
    }

    #[test]
    fn jitter_delays_and_never_reorders() {
        let (mut flow, mut random) = (Flow::default(), SmallRng::seed_from_u64(1));
        let mut dues = Vec::new();
        for came in 0..1_000 {
            flow.receive(b"x", came * MS, &link(5, 3, None), &mut random);
            dues.push(flow.last_due_ns);
        }
        assert!(dues.is_sorted());
        let waits = dues.iter().zip(0..).map(|(due, came)| due - came * MS);
        let (least, most) = (waits.clone().min().unwrap(), waits.max().unwrap());
        assert!((5 * MS..6 * MS).contains(&least) && (7 * MS..=8 * MS).contains(&most), "{least} to {most}");
    }

    #[test]
    fn slow_link_transmits_pieces_in_sequence() {
        let (mut flow, mut random) = (Flow::default(), SmallRng::seed_from_u64(1));
        let slow_link = link(0, 0, Some(1_000_000));
        flow.receive(&[0; 2_000], 0, &slow_link, &mut random);
        assert_eq!(flow.last_due_ns, 2 * MS);
        flow.receive(&[0; 1_000], 0, &slow_link, &mut random);
        assert_eq!(flow.last_due_ns, 3 * MS, "it waits for the first one");
        flow.receive(&[0; 1_000], 10 * MS, &slow_link, &mut random);
        assert_eq!(flow.last_due_ns, 11 * MS, "the line was idle");
    }

    #[test]
    fn blocked_receiver_gets_the_rest_later() {
        struct SlowWriter(Vec<u8>, usize);
        impl Write for SlowWriter {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let count = bytes.len().min(self.1);
                self.1 -= count;
                self.0.extend(&bytes[..count]);
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut flow, mut random, mut delays) = (Flow::default(), SmallRng::seed_from_u64(1), histogram());
        flow.receive(b"abcdef", 0, &Link::default(), &mut random);
        flow.receive(b"", 0, &Link::default(), &mut random);
        let mut to = SlowWriter(Vec::new(), 4);
        assert_eq!(flow.forward(|| 1, &mut to, &mut delays).unwrap(), Forwarded::Blocked);
        to.1 = 10;
        assert_eq!(flow.forward(|| 1, &mut to, &mut delays).unwrap(), Forwarded::End);
        assert_eq!(to.0, b"abcdef");
        assert!(flow.ended);
    }

    #[test]
    fn sender_blocks_when_the_buffer_is_full() {
        let (mut flow, mut random) = (Flow::default(), SmallRng::seed_from_u64(1));
        flow.receive(&vec![0; MAX_BUFFERED_BYTES], 0, &Link::default(), &mut random);
        assert!(!flow.has_room());
        flow.forward(|| 0, &mut io::sink(), &mut histogram()).unwrap();
        assert!(flow.has_room());
    }
}
