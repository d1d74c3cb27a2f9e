//! The block design: everything is visited once per block, in an order that is redrawn for each block.
//!
//! Visits of one block are neighbours in time. Statistics use differences inside a block, so that a machine whose speed
//! drifts does not favour a scheme; because the order is redrawn, no scheme always follows the same other one.

use std::ops::Range;

use engine::record::Load;

use crate::order::shuffled;
use crate::run_context::RunContext;
use crate::visit::Visit;

/// One visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn<T> {
    /// The block.
    pub(crate) block: u32,
    /// The position inside the block.
    pub(crate) position: u32,
    /// What is visited.
    pub(crate) item: T,
}

impl<T> Turn<T> {
    /// Returns whether servers that restart every `every` blocks restart before this visit. The first block begins with
    /// new servers.
    pub(crate) const fn restarts_servers(&self, every: u32) -> bool {
        self.position == 0 && self.block > 0 && self.block.is_multiple_of(every)
    }

    /// Returns the visit of this load at this place.
    pub(crate) const fn visit(&self, load: Load) -> Visit {
        Visit { block: self.block, position: self.position, load }
    }
}

/// Reports the start of an experiment in which every visit is a step, and returns its visits in order.
pub(crate) fn begin<T: Clone>(context: &mut RunContext<'_>, title: &str, items: &[T], blocks: u32) -> Vec<Turn<T>> {
    let turns = turns(items, 0..blocks, context.config.seed);
    context.progress.begin(title, turns.len() as u64);
    turns
}

/// Returns the visits of these blocks in order.
pub(crate) fn turns<T: Clone>(items: &[T], blocks: Range<u32>, seed: u64) -> Vec<Turn<T>> {
    let turn = |block| move |(position, item)| Turn { block, position, item };
    blocks.flat_map(|block| (0..).zip(shuffled(items, seed, block)).map(turn(block))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_visits_every_item_once_in_its_own_order() {
        let turns = turns(&["a", "b", "c", "d"], 2..6, 1);
        assert_eq!(turns.len(), 4 * 4);
        for (block, visits) in (2..).zip(turns.chunks(4)) {
            let places: Vec<(u32, u32)> = visits.iter().map(|turn| (turn.block, turn.position)).collect();
            assert_eq!(places, [(block, 0), (block, 1), (block, 2), (block, 3)]);
            let items: Vec<&str> = visits.iter().map(|turn| turn.item).collect();
            assert_eq!(items, shuffled(&["a", "b", "c", "d"], 1, block));
        }
    }

    #[test]
    fn servers_restart_between_groups_of_blocks() {
        let turns = turns(&[(), ()], 0..7, 1);
        let restarts = turns.iter().filter(|turn| turn.restarts_servers(3));
        assert_eq!(restarts.map(|turn| (turn.block, turn.position)).collect::<Vec<_>>(), [(3, 0), (6, 0)]);
    }
}
