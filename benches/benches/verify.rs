//! What one check of a credential costs: `verify/<scheme>`, and with a store also when many are under way at once.

use std::time::Duration;

use benches::{Fixture, Operation, every_scheme};
use chassis::auth::Authenticator;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// As many requests as the closed loops of the load test have under way.
const CONCURRENCY: usize = 32;

struct Verify<'c>(BenchmarkGroup<'c, WallTime>);

impl Operation for Verify<'_> {
    fn measure<A: Authenticator>(&mut self, fixture: &Fixture<A>) {
        let scheme = fixture.scheme;
        self.0.throughput(Throughput::Elements(1)).bench_function(scheme.id(), |bencher| {
            bencher.to_async(fixture.runtime).iter_custom(|count| fixture.time_verifying(count));
        });
        // One check at a time waits for the network; a server has many, and a multiplexed connection sends them
        // together.
        if scheme.store().is_external() {
            let id = BenchmarkId::new(scheme.id(), format!("{CONCURRENCY}-concurrent"));
            self.0.throughput(Throughput::Elements(CONCURRENCY as u64)).bench_function(id, |bencher| {
                bencher
                    .to_async(fixture.runtime)
                    .iter_custom(|count| fixture.time_verifying_concurrently(count, CONCURRENCY));
            });
        }
    }
}

fn verify(criterion: &mut Criterion) {
    every_scheme(&mut Verify(criterion.benchmark_group("verify")));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = verify
}
criterion_main!(benches);
