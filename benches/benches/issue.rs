//! What one new credential costs: `issue/<scheme>`.

use std::time::Duration;

use benches::{Fixture, Operation, every_scheme};
use chassis::auth::Authenticator;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

struct Issue<'c>(BenchmarkGroup<'c, WallTime>);

impl Operation for Issue<'_> {
    fn measure<A: Authenticator>(&mut self, fixture: &Fixture<A>) {
        self.0.throughput(Throughput::Elements(1)).bench_function(fixture.scheme.id(), |bencher| {
            bencher.to_async(fixture.runtime).iter_custom(|count| fixture.time_issuing(count));
        });
    }
}

fn issue(criterion: &mut Criterion) {
    every_scheme(&mut Issue(criterion.benchmark_group("issue")));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = issue
}
criterion_main!(benches);
