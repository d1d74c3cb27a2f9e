//! The hashing queue: a bounded queue with a line for each peer, served in turn.
//!
//! A hashing takes tens of milliseconds, and a few run at a time. In a single line a peer with a hundred logins would delay
//! every other by seconds; here a login of another peer waits for at most one of each peer. The queue is bounded in total,
//! not per peer, so that a single peer, such as a load balancer, may fill it. Where it is full, a peer with a shorter line
//! takes the last place of the longest, whose login gets 503; the peer with the longest line is rejected.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::peer::Peer;

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// The right to hash once, until it is dropped.
pub(crate) struct Permit(Option<Arc<Turns>>);

/// The turns of all peers.
pub(crate) struct Turns {
    queue: Mutex<Queue>,
    /// How many may wait.
    capacity: usize,
}

struct Queue {
    /// Free turns; while there are some, no login waits.
    free: usize,
    waiting: usize,
    /// The waiting lines, none of them empty; the first is next.
    lines: VecDeque<Line>,
}

struct Line {
    peer: Peer,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// The result of a request for a turn.
enum Entry {
    Free,
    Waiting(oneshot::Receiver<Permit>),
    Full,
}

impl Turns {
    /// This many turns at a time, for which this many may wait.
    pub(crate) fn new(at_once: usize, capacity: usize) -> Arc<Self> {
        let queue = Queue { free: at_once, waiting: 0, lines: VecDeque::new() };
        Arc::new(Self { queue: Mutex::new(queue), capacity })
    }

    /// Waits for this peer's turn.
    pub(crate) async fn turn(self: &Arc<Self>, peer: Peer) -> Result<Permit, Overloaded> {
        // The lock is not held while waiting.
        let entry = self.queue().enter(peer, self.capacity);
        match entry {
            Entry::Free => Ok(Permit(Some(Arc::clone(self)))),
            Entry::Waiting(turn) => turn.await.map_err(|_| Overloaded),
            Entry::Full => Err(Overloaded),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn enter(&mut self, peer: Peer, capacity: usize) -> Entry {
        if self.free > 0 {
            self.free -= 1;
            return Entry::Free;
        }
        if self.waiting >= capacity {
            self.forget_gone();
        }
        if self.waiting >= capacity && !self.shorten_longest(peer) {
            return Entry::Full;
        }
        let (turn, waiting) = oneshot::channel();
        self.waiting += 1;
        match self.lines.iter_mut().find(|line| line.peer == peer) {
            Some(line) => line.waiting.push_back(turn),
            None => self.lines.push_back(Line { peer, waiting: [turn].into() }),
        }
        Entry::Waiting(waiting)
    }

    /// Removes the disconnected clients.
    fn forget_gone(&mut self) {
        for line in &mut self.lines {
            line.waiting.retain(|turn| !turn.is_closed());
        }
        self.lines.retain(|line| !line.waiting.is_empty());
        self.waiting = self.lines.iter().map(|line| line.waiting.len()).sum();
    }

    /// Turns away the last of the longest line, if the line of this peer would stay shorter; returns whether it did.
    fn shorten_longest(&mut self, peer: Peer) -> bool {
        let own = self.lines.iter().find(|line| line.peer == peer).map_or(0, |line| line.waiting.len());
        let longest = self.lines.iter_mut().max_by_key(|line| line.waiting.len());
        let Some(longest) = longest.filter(|line| line.waiting.len() > own + 1) else { return false };
        longest.waiting.pop_back();
        self.waiting -= 1;
        true
    }

    /// Returns the next in turn; if none waits, a turn becomes free.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        let Some(mut line) = self.lines.pop_front() else {
            self.free += 1;
            return None;
        };
        let next = line.waiting.pop_front();
        self.waiting -= 1;
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        next
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        loop {
            let next = turns.queue().next();
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&turns)))) {
                Ok(()) => return,
                // The client has disconnected. The returned value is not a turn, or its drop would pass on another.
                Err(mut refused) => drop(mem::take(&mut refused.0)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;

    fn peer(number: u8) -> Peer {
        Peer::of([192, 0, 2, number].into())
    }

    /// A wait for a turn, which has begun.
    fn wait(turns: &Arc<Turns>, number: u8) -> BoxFuture<'static, Result<Permit, Overloaded>> {
        let turns = Arc::clone(turns);
        let mut turn = async move { turns.turn(peer(number)).await }.boxed();
        match (&mut turn).now_or_never() {
            Some(ready) => Box::pin(std::future::ready(ready)),
            None => turn,
        }
    }

    fn has_turn(turn: &mut BoxFuture<'static, Result<Permit, Overloaded>>) -> Option<Permit> {
        turn.now_or_never().and_then(Result::ok)
    }

    #[test]
    fn other_peer_waits_for_one_turn_not_for_a_queue() {
        let turns = Turns::new(1, 10);
        let first = has_turn(&mut wait(&turns, 1)).unwrap();
        let mut line: Vec<_> = (0..5).map(|_| wait(&turns, 1)).collect();
        let mut other = wait(&turns, 2);
        drop(first);
        let second = has_turn(&mut line[0]).unwrap();
        assert!(has_turn(&mut other).is_none());
        drop(second);
        assert!(has_turn(&mut line[1]).is_none());
        assert!(has_turn(&mut other).is_some());
        assert!(has_turn(&mut line[1]).is_some());
    }

    #[test]
    fn full_queue_rejects_the_longest_line() {
        let turns = Turns::new(1, 4);
        let working = has_turn(&mut wait(&turns, 1)).unwrap();
        let mut line: Vec<_> = (0..4).map(|_| wait(&turns, 1)).collect();
        assert!(matches!(wait(&turns, 1).now_or_never(), Some(Err(Overloaded))));
        let mut others: Vec<_> = (0..2).map(|_| wait(&turns, 2)).collect();
        assert!(matches!(wait(&turns, 2).now_or_never(), Some(Err(Overloaded))), "both queues have the same length");
        for turned_away in &mut line[2..] {
            assert!(matches!(turned_away.now_or_never(), Some(Err(Overloaded))));
        }
        drop(working);
        for (own, other) in line.iter_mut().zip(&mut others) {
            drop(has_turn(own).unwrap());
            drop(has_turn(other).unwrap());
        }
        assert!(has_turn(&mut wait(&turns, 3)).is_some(), "all turns were returned");
    }

    #[test]
    fn disconnected_clients_lose_their_place_and_turn() {
        let turns = Turns::new(1, 2);
        let working = has_turn(&mut wait(&turns, 1)).unwrap();
        drop([wait(&turns, 1), wait(&turns, 1)]);
        let mut waiting = wait(&turns, 1);
        let gone = wait(&turns, 1);
        drop(gone);
        drop(working);
        drop(has_turn(&mut waiting).unwrap());
        assert!(has_turn(&mut wait(&turns, 1)).is_some());
    }
}
