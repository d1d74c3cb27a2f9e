//! What an operation on a credential costs, by scheme: `<operation>/<scheme>`.

use std::time::Duration;

use benches::{Fixture, Operation, every_scheme};
use chassis::auth::Authenticator;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// As many requests as the closed loops of the load test have under way.
const CONCURRENCY: usize = 32;

struct All<'c>(&'c mut Criterion);

impl Operation for All<'_> {
    fn measure<A: Authenticator>(&mut self, fixture: &Fixture<A>) {
        let id = fixture.scheme.id();
        let row = || BenchmarkId::from_parameter(id);
        self.time("issue", row(), fixture, |count| fixture.time_issuing(count));
        self.time("verify", row(), fixture, |count| fixture.time_verifying(count));
        // One check at a time waits for the network; a server has many, and a multiplexed connection sends them
        // together.
        if fixture.scheme.store().is_external() {
            let concurrent = BenchmarkId::new(id, format!("{CONCURRENCY}-concurrent"));
            self.time("verify", concurrent, fixture, |count| async move {
                // Per check, as in the other rows.
                fixture.time_verifying_concurrently(count, CONCURRENCY).await / CONCURRENCY as u32
            });
        }
        self.time("renew", row(), fixture, |count| fixture.time_renewing(count));
        self.time("revoke", row(), fixture, |count| fixture.time_revoking(count));
        if !fixture.scheme.is_control() {
            self.time("reject", row(), fixture, |count| fixture.time_rejecting(count));
        }
    }
}

impl All<'_> {
    /// Measures a row: `spent` returns the time that this many operations take.
    fn time<A: Authenticator, F: Future<Output = Duration>>(
        &mut self,
        operation: &str,
        row: BenchmarkId,
        fixture: &Fixture<A>,
        spent: impl Fn(u64) -> F,
    ) {
        let mut group = self.0.benchmark_group(operation);
        group.throughput(Throughput::Elements(1)).bench_function(row, |bencher| {
            bencher.to_async(fixture.runtime).iter_custom(&spent);
        });
    }
}

fn operations(criterion: &mut Criterion) {
    every_scheme(&mut All(criterion));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = operations
}
criterion_main!(benches);
