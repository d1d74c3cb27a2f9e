//! How throughput grows with the number of nodes: two laws.
//!
//! The bottleneck law says that nodes add up until the resource that they share is saturated. Both
//! of its parameters have a physical meaning, so it comes first. The Universal Scalability Law
//! (Gunther, *Guerrilla Capacity Planning*, chapter 4) is descriptive: it has a parameter for
//! contention (sigma) and one for coherency (kappa).

/// Nodes add up until the store is saturated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck {
    /// Requests per second of one saturated node.
    pub node_rps: f64,
    /// Requests per second of the saturated store; none without a store.
    pub store_rps: Option<f64>,
}

impl Bottleneck {
    /// Returns requests per second for this number of nodes.
    #[must_use]
    pub fn rps(&self, nodes: u32) -> f64 {
        let sum = f64::from(nodes) * self.node_rps;
        self.store_rps.map_or(sum, |store| sum.min(store))
    }

    /// Returns the number of nodes that saturate the store.
    #[must_use]
    pub fn saturation_nodes(&self) -> Option<f64> {
        self.store_rps.map(|store| store / self.node_rps)
    }
}

/// X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usl {
    /// Requests per second of one node.
    pub lambda: f64,
    /// Contention: the share of the work that only one node can do at a time, 0 to 1.
    pub sigma: f64,
    /// Coherency: the cost of agreement between each pair of nodes, at least 0.
    pub kappa: f64,
}

impl Usl {
    /// Returns requests per second for this number of nodes.
    #[must_use]
    pub fn rps(&self, nodes: f64) -> f64 {
        self.lambda * nodes / (1.0 + self.sigma * (nodes - 1.0) + self.kappa * nodes * (nodes - 1.0))
    }

    /// Fits the curve through points (nodes, requests per second) by least squares of relative
    /// errors of N / X.
    ///
    /// This is linear in a = 1 / lambda, b = sigma / lambda and c = kappa / lambda, inside a > 0, 0
    /// <= b <= a and c >= 0. None for fewer than three numbers of nodes. The minimum over a convex
    /// set lies inside it or on its boundary: each of the six cases is a small unconstrained
    /// problem, and the best solution inside the bounds is the result.
    #[must_use]
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let mut counts: Vec<f64> = points.iter().map(|(nodes, _)| *nodes).collect();
        counts.sort_by(f64::total_cmp);
        counts.dedup();
        if counts.len() < 3 {
            return None;
        }
        // Every row is divided by N / X, so that the residual is the relative error.
        let rows: Vec<[f64; 3]> = points
            .iter()
            .map(|&(nodes, rps)| [1.0, nodes - 1.0, nodes * (nodes - 1.0)].map(|term| term * rps / nodes))
            .collect();
        let fits = CONSTRAINT_CASES.iter().filter_map(|case| fit_case(case, &rows)).filter(|[a, b, c]| {
            let slack = 1e-12 * a.abs();
            *a > 0.0 && *b >= -slack && *b <= a + slack && *c >= -slack
        });
        let [a, b, c] = fits.min_by(|one, other| squared_error(&rows, one).total_cmp(&squared_error(&rows, other)))?;
        Some(Self { lambda: 1.0 / a, sigma: (b / a).clamp(0.0, 1.0), kappa: (c / a).max(0.0) })
    }
}

/// How a, b and c depend on the free parameters: each row gives the share of a, b and c of one
/// parameter.
const CONSTRAINT_CASES: [&[[f64; 3]]; 6] = [
    &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    &[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
    &[[1.0, 0.0, 0.0]],
    &[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    &[[1.0, 1.0, 0.0]],
];

/// Returns the least-squares solution of `rows * [a, b, c] = 1` in this case.
fn fit_case(case: &[[f64; 3]], rows: &[[f64; 3]]) -> Option<[f64; 3]> {
    let columns: Vec<Vec<f64>> = case.iter().map(|free| rows.iter().map(|row| dot(row, free)).collect()).collect();
    let of = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
    let matrix: Vec<Vec<f64>> = columns
        .iter()
        .map(|one| columns.iter().map(|other| of(one, other)).chain([one.iter().sum()]).collect())
        .collect();
    let solved = solve(matrix)?;
    let mut found = [0.0; 3];
    for (value, free) in solved.iter().zip(case) {
        for (to, part) in found.iter_mut().zip(free) {
            *to += value * part;
        }
    }
    Some(found)
}

fn squared_error(rows: &[[f64; 3]], found: &[f64; 3]) -> f64 {
    rows.iter().map(|row| (dot(row, found) - 1.0).powi(2)).sum()
}

fn dot(one: &[f64; 3], other: &[f64; 3]) -> f64 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

/// Solves by Gaussian elimination with the largest pivot; each row ends with its right side.
///
/// None without a unique solution.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = rows.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|&one, &other| rows[one][column].abs().total_cmp(&rows[other][column].abs()))?;
        rows.swap(column, pivot);
        let head = rows[column].clone();
        if head[column].abs() < 1e-12 * head.iter().map(|value| value.abs()).fold(0.0, f64::max) || head[column] == 0.0
        {
            return None;
        }
        for (_, row) in rows.iter_mut().enumerate().filter(|(number, _)| *number != column) {
            let factor = row[column] / head[column];
            row.iter_mut().zip(&head).for_each(|(value, above)| *value -= factor * above);
        }
    }
    Some((0..size).map(|number| rows[number][size] / rows[number][number]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(law: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        [1.0, 2.0, 3.0, 4.0, 6.0, 8.0].map(|nodes| (nodes, law(nodes))).to_vec()
    }

    #[test]
    fn nodes_add_up_until_the_store_is_saturated() {
        let law = Bottleneck { node_rps: 6_000.0, store_rps: Some(27_000.0) };
        let rps = [1, 4, 5, 8].map(|nodes| law.rps(nodes).round() as u64);
        assert_eq!(rps, [6_000, 24_000, 27_000, 27_000]);
        assert_eq!(law.saturation_nodes(), Some(4.5));
        let free = Bottleneck { store_rps: None, ..law };
        assert_eq!((free.rps(8), free.saturation_nodes()), (48_000.0, None));
    }

    #[test]
    fn curve_is_recovered_from_its_points() {
        for known in [
            Usl { lambda: 6_000.0, sigma: 0.05, kappa: 0.01 },
            Usl { lambda: 900.0, sigma: 0.0, kappa: 0.02 },
            Usl { lambda: 900.0, sigma: 0.3, kappa: 0.0 },
            Usl { lambda: 11_000.0, sigma: 0.0, kappa: 0.0 },
            Usl { lambda: 11_000.0, sigma: 1.0, kappa: 0.0 },
        ] {
            let found = Usl::fit(&points(|nodes| known.rps(nodes))).unwrap();
            assert!((found.lambda / known.lambda - 1.0).abs() < 1e-6, "{found:?} for {known:?}");
            assert!((found.sigma - known.sigma).abs() < 1e-6, "{found:?} for {known:?}");
            assert!((found.kappa - known.kappa).abs() < 1e-6, "{found:?} for {known:?}");
        }
    }

    #[test]
    fn points_outside_the_bounds_give_the_nearest_curve_inside() {
        // Superlinear data: sigma is not set below zero.
        let found = Usl::fit(&points(|nodes| 1_000.0 * nodes.powf(1.1))).unwrap();
        assert_eq!((found.sigma, found.kappa), (0.0, 0.0));
        assert!((1_000.0..1_260.0).contains(&found.lambda), "{found:?}");
    }

    #[test]
    fn fit_matches_the_book() {
        // The ray tracer of *Guerrilla Capacity Planning*, section 5.5: sigma 0.0498, kappa 0.0000114.
        let speeds = [20.0, 78.0, 130.0, 170.0, 190.0, 200.0, 210.0, 230.0, 260.0, 280.0, 310.0];
        let processors = [1.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0, 48.0, 64.0];
        let found = Usl::fit(&processors.into_iter().zip(speeds).collect::<Vec<_>>()).unwrap();
        assert!((0.04..0.06).contains(&found.sigma), "{found:?}");
        assert!(found.kappa < 0.0001, "{found:?}");
    }

    #[test]
    fn two_numbers_of_nodes_give_no_curve() {
        assert_eq!(Usl::fit(&[(1.0, 10.0), (2.0, 19.0), (2.0, 20.0)]), None);
        assert_eq!(Usl::fit(&[]), None);
    }
}
