//! The order of visits: redrawn for every block, so that no scheme always follows the same other one.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

/// Returns the items in the order of this block.
#[must_use]
pub(crate) fn shuffled<T: Clone>(items: &[T], seed: u64, block: u32) -> Vec<T> {
    let mut random = SmallRng::seed_from_u64(seed.rotate_left(32) ^ u64::from(block));
    let mut order = items.to_vec();
    order.shuffle(&mut random);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_all_items_in_its_own_order() {
        let items: Vec<u32> = (0..8).collect();
        let orders: Vec<Vec<u32>> = (0..20).map(|block| shuffled(&items, 1, block)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, items);
        }
        let different: std::collections::BTreeSet<_> = orders.iter().collect();
        assert!(different.len() >= 19, "{}", different.len());
        assert_eq!(orders[3], shuffled(&items, 1, 3));
        assert_ne!(orders, (0..20).map(|block| shuffled(&items, 2, block)).collect::<Vec<_>>());
    }
}
