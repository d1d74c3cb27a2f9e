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
pub(crate) struct Permit(Option<Arc<FairQueue>>);

/// The turns of all peers.
pub(crate) struct FairQueue {
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

impl FairQueue {
    /// This many turns at a time, for which this many may wait.
    pub(crate) fn new(concurrency: usize, capacity: usize) -> Arc<Self> {
        let queue = Queue { free: concurrency, waiting: 0, lines: VecDeque::new() };
        Arc::new(Self { queue: Mutex::new(queue), capacity })
    }

    /// Waits for this peer's turn.
    pub(crate) async fn acquire(self: &Arc<Self>, peer: Peer) -> Result<Permit, Overloaded> {
        // The lock is not held while waiting.
        let entry = self.lock().enter(peer, self.capacity);
        match entry {
            Entry::Free => Ok(Permit(Some(Arc::clone(self)))),
            Entry::Waiting(permit) => permit.await.map_err(|_| Overloaded),
            Entry::Full => Err(Overloaded),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
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
            self.remove_disconnected();
        }
        if self.waiting >= capacity && !self.evict_from_longest(peer) {
            return Entry::Full;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting += 1;
        match self.lines.iter_mut().find(|line| line.peer == peer) {
            Some(line) => line.waiting.push_back(sender),
            None => self.lines.push_back(Line { peer, waiting: [sender].into() }),
        }
        Entry::Waiting(receiver)
    }

    /// Removes the disconnected clients.
    fn remove_disconnected(&mut self) {
        for line in &mut self.lines {
            line.waiting.retain(|sender| !sender.is_closed());
        }
        self.lines.retain(|line| !line.waiting.is_empty());
        self.waiting = self.lines.iter().map(|line| line.waiting.len()).sum();
    }

    /// Turns away the last of the longest line, if the line of this peer would stay shorter; returns whether it did.
    fn evict_from_longest(&mut self, peer: Peer) -> bool {
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
        let Some(queue) = self.0.take() else { return };
        loop {
            let next = queue.lock().next();
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&queue)))) {
                Ok(()) => return,
                // The client has disconnected. The returned value is not a turn, or its drop would pass on another.
                Err(mut rejected) => drop(mem::take(&mut rejected.0)),
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
    fn enqueue(queue: &Arc<FairQueue>, number: u8) -> BoxFuture<'static, Result<Permit, Overloaded>> {
        let queue = Arc::clone(queue);
        let mut permit = async move { queue.acquire(peer(number)).await }.boxed();
        match (&mut permit).now_or_never() {
            Some(ready) => Box::pin(std::future::ready(ready)),
            None => permit,
        }
    }

    fn granted(permit: &mut BoxFuture<'static, Result<Permit, Overloaded>>) -> Option<Permit> {
        permit.now_or_never().and_then(Result::ok)
    }

    #[test]
    fn other_peer_waits_for_one_hashing_not_for_the_whole_line() {
        let queue = FairQueue::new(1, 10);
        let first = granted(&mut enqueue(&queue, 1)).unwrap();
        let mut line: Vec<_> = (0..5).map(|_| enqueue(&queue, 1)).collect();
        let mut other = enqueue(&queue, 2);
        drop(first);
        let second = granted(&mut line[0]).unwrap();
        assert!(granted(&mut other).is_none());
        drop(second);
        assert!(granted(&mut line[1]).is_none());
        assert!(granted(&mut other).is_some());
        assert!(granted(&mut line[1]).is_some());
    }

    #[test]
    fn full_queue_rejects_the_longest_line() {
        let queue = FairQueue::new(1, 4);
        let working = granted(&mut enqueue(&queue, 1)).unwrap();
        let mut line: Vec<_> = (0..4).map(|_| enqueue(&queue, 1)).collect();
        assert!(matches!(enqueue(&queue, 1).now_or_never(), Some(Err(Overloaded))));
        let mut others: Vec<_> = (0..2).map(|_| enqueue(&queue, 2)).collect();
        assert!(matches!(enqueue(&queue, 2).now_or_never(), Some(Err(Overloaded))), "both queues have the same length");
        for rejected in &mut line[2..] {
            assert!(matches!(rejected.now_or_never(), Some(Err(Overloaded))));
        }
        drop(working);
        for (own, other) in line.iter_mut().zip(&mut others) {
            drop(granted(own).unwrap());
            drop(granted(other).unwrap());
        }
        assert!(granted(&mut enqueue(&queue, 3)).is_some(), "all turns were returned");
    }

    #[test]
    fn disconnected_clients_lose_their_place_in_the_queue() {
        let queue = FairQueue::new(1, 2);
        let working = granted(&mut enqueue(&queue, 1)).unwrap();
        drop([enqueue(&queue, 1), enqueue(&queue, 1)]);
        let mut waiting = enqueue(&queue, 1);
        let gone = enqueue(&queue, 1);
        drop(gone);
        drop(working);
        drop(granted(&mut waiting).unwrap());
        assert!(granted(&mut enqueue(&queue, 1)).is_some());
    }
}
