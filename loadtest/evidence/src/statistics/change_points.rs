//! Change points of a series: E-divisive with the energy statistic of Matteson and James (*Journal of the American
//! Statistical Association* 109, 2014), as `MongoDB` uses it for benchmarks (Daly et al., ICPE 2020).
//!
//! It assumes that values between two changes are exchangeable, not that they are normal.

use std::ops::Range;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

/// The fewest values between two changes: the within-group distances of a group need two, and a single outlier is not a
/// new level.
const MIN_SEGMENT: usize = 3;
/// Permutations of each test: the smallest p-value is one of a thousand.
const PERMUTATIONS: u32 = 999;
/// The seed is fixed: the result is a function of the series.
const SEED: u64 = 1;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The position of the first value of the new level.
    pub position: usize,
    /// The share of permuted series with a change at least as clear.
    pub p_value: f64,
}

/// Returns the changes whose p-value is at most `significance`, by position.
///
/// The series is divided where the values before and after differ most, then each part again, until a division is no
/// clearer than those of a series in which the values of each part are permuted.
#[must_use]
pub fn change_points(series: &[f64], significance: f64) -> Vec<ChangePoint> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut found: Vec<ChangePoint> = vec![];
    loop {
        let parts = parts(&found, series.len());
        let Some((position, clarity)) = clearest(series, &parts) else { break };
        let p_value = permutation_p_value(series, &parts, clarity, &mut random);
        if p_value > significance {
            break;
        }
        found.push(ChangePoint { position, p_value });
        found.sort_by_key(|change| change.position);
    }
    found
}

/// Returns the ranges between the changes.
fn parts(changes: &[ChangePoint], length: usize) -> Vec<Range<usize>> {
    let inner = changes.iter().map(|change| change.position);
    let starts = std::iter::once(0).chain(inner.clone());
    starts.zip(inner.chain([length])).map(|(start, end)| start..end).collect()
}

/// Returns the clearest division of any part, and its energy statistic.
fn clearest(series: &[f64], parts: &[Range<usize>]) -> Option<(usize, f64)> {
    let of = |part: &Range<usize>| {
        best_division(&series[part.clone()]).map(|(length, clarity)| (part.start + length, clarity))
    };
    parts.iter().filter_map(of).max_by(|one, other| one.1.total_cmp(&other.1))
}

fn permutation_p_value(series: &[f64], parts: &[Range<usize>], clarity: f64, random: &mut SmallRng) -> f64 {
    let mut permuted = series.to_vec();
    let mut as_clear = 0;
    for _ in 0..PERMUTATIONS {
        for part in parts {
            permuted[part.clone()].shuffle(random);
        }
        as_clear += u32::from(clearest(&permuted, parts).is_some_and(|(_, other)| other >= clarity));
    }
    f64::from(as_clear + 1) / f64::from(PERMUTATIONS + 1)
}

/// Returns the length of the first group in the division into two groups with the largest energy statistic, and the
/// statistic. None if there are too few values.
fn best_division(values: &[f64]) -> Option<(usize, f64)> {
    let mut sums = DistanceSums::of(values);
    let mut best: Option<(usize, f64)> = None;
    for first in 1..values.len() {
        sums.move_to_first(values, first - 1);
        let second = values.len() - first;
        if first.min(second) >= MIN_SEGMENT {
            let energy = sums.energy(first as f64, second as f64);
            if best.is_none_or(|(_, largest)| energy > largest) {
                best = Some((first, energy));
            }
        }
    }
    best
}

/// Sums of distances between two values.
struct DistanceSums {
    within_first: f64,
    between: f64,
    within_second: f64,
}

impl DistanceSums {
    /// Returns the sums while all values are in the second group.
    fn of(values: &[f64]) -> Self {
        let to_later = |(place, value)| distances(value, &values[place + 1..]);
        let within_second = values.iter().copied().enumerate().map(to_later).sum();
        Self { within_first: 0.0, between: 0.0, within_second }
    }

    /// Moves the value at `place`, which is the first of the second group.
    fn move_to_first(&mut self, values: &[f64], place: usize) {
        let to_first = distances(values[place], &values[..place]);
        let to_second = distances(values[place], &values[place + 1..]);
        self.within_first += to_first;
        self.between += to_second - to_first;
        self.within_second -= to_second;
    }

    /// Returns the energy statistic of groups of these sizes: that of Matteson and James with exponent 1.
    fn energy(&self, first: f64, second: f64) -> f64 {
        let pairs = |size: f64| size * (size - 1.0) / 2.0;
        let divergence = 2.0 * self.between / (first * second)
            - self.within_first / pairs(first)
            - self.within_second / pairs(second);
        first * second / (first + second) * divergence
    }
}

fn distances(value: f64, others: &[f64]) -> f64 {
    others.iter().map(|other| (value - other).abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::nile::{DAM, NILE};

    const NONE: [usize; 0] = [];

    fn positions(series: &[f64]) -> Vec<usize> {
        change_points(series, 0.01).iter().map(|change| change.position).collect()
    }

    #[test]
    fn nile_changes_in_1899() {
        assert_eq!(positions(&NILE), [DAM]);
        assert_eq!(positions(&NILE[..DAM]), NONE, "no change before");
        assert_eq!(positions(&NILE[DAM..]), NONE, "no change after");
    }

    #[test]
    fn energy_matches_its_definition() {
        // 0, 0, 1 against 4, 4, 4: between 4 * 3 + 4 * 3 + 3 * 3 = 33, within 2 and 0;
        // 9 / 6 * (2 * 33 / 9 - 2 / 3 - 0) = 10
        let (length, energy) = best_division(&[0.0, 0.0, 1.0, 4.0, 4.0, 4.0]).unwrap();
        assert_eq!(length, 3);
        assert!((energy - 10.0).abs() < 1e-12, "{energy}");
        assert_eq!(best_division(&[0.0, 0.0, 4.0, 4.0, 4.0]), None);
    }

    #[test]
    fn several_changes_are_found_and_an_outlier_is_none() {
        let noise = |place: usize| f64::from((place * 37 % 11) as u32) / 100.0;
        let level = |place: usize| if (20..45).contains(&place) { 1.05 } else { 1.0 };
        let mut series: Vec<f64> = (0..80).map(|place| level(place) + noise(place) / 10.0).collect();
        assert_eq!(positions(&series), [20, 45]);
        series[60] = 3.0;
        assert_eq!(positions(&series), [20, 45]);
        assert_eq!(change_points(&series, 0.01), change_points(&series, 0.01), "it draws the same again");
        assert_eq!(positions(&[]), NONE);
        assert_eq!(positions(&[1.0; 40]), NONE);
    }

    /// A series without a change has one in at most 5 of 100 cases (here of 200, with three deviations of tolerance).
    #[test]
    fn false_changes_are_as_rare_as_requested() {
        let mut random = SmallRng::seed_from_u64(7);
        let mut series: Vec<f64> = (0..40).map(f64::from).collect();
        let alarms = (0..200).filter(|_| {
            series.shuffle(&mut random);
            !change_points(&series, 0.05).is_empty()
        });
        let alarms = alarms.count();
        assert!((1..=20).contains(&alarms), "{alarms} of 200");
    }
}
