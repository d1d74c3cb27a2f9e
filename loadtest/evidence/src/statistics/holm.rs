//! Holm's correction: many tests, one error rate.

/// Returns the p-values adjusted by Holm's step-down procedure (Holm, *Scandinavian Journal of Statistics* 6, 1979, pages
/// 65 to 70), in the same order.
///
/// To reject every hypothesis whose adjusted p-value is at most `rate` falsely rejects one or more with at most this
/// probability, however the tests depend on each other.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = largest.max(p_values[place] * left).min(1.0);
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn result_matches_r() {
        // p.adjust(c(0.04, 0.01, 0.03, 0.02, 0.05), "holm")
        let found = holm(&[0.04, 0.01, 0.03, 0.02, 0.05]);
        for (found, wanted) in found.iter().zip([0.09, 0.05, 0.09, 0.08, 0.09]) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
        assert_eq!(holm(&[0.4, 0.6]), [0.8, 0.8]);
        assert_eq!(holm(&[0.01]), [0.01]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn adjustment_lies_between_none_and_bonferroni(p_values in prop::collection::vec(0.0..=1.0_f64, 1..30)) {
            let adjusted = holm(&p_values);
            for (adjusted, raw) in adjusted.iter().zip(&p_values) {
                prop_assert!(adjusted >= raw);
                prop_assert!(*adjusted <= (raw * p_values.len() as f64).min(1.0));
            }
        }

        #[test]
        fn order_of_the_tests_does_not_matter(p_values in prop::collection::vec(0.0..=1.0_f64, 1..30)) {
            let mut adjusted = holm(&p_values);
            let reversed: Vec<f64> = p_values.iter().rev().copied().collect();
            adjusted.reverse();
            prop_assert_eq!(holm(&reversed), adjusted);
        }
    }
}
