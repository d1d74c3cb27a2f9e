//! Timing precision of this machine: sleeps and the delay proxy.

use std::io;
use std::time::Duration;

use engine::experiment::Need;
use engine::validity::{OWN_LATE_SHARE, OWN_LATE_US};
use lab::proxy::{MAX_ERROR_US, ProxyAccuracy, measure_accuracy};
use lab::timer::Sleeps;

use super::finding::Assessment;

/// A percentile needs a hundred samples above it.
const SLEEPS: u32 = 10_000;
const SLEEP_TIME: Duration = Duration::from_micros(200);
/// Round-trip times to a store in the same building, in the next building, and in the next town, in microseconds.
const ROUND_TRIPS_US: [u64; 3] = [200, 1_000, 5_000];
/// The pace at which an experiment sends.
const MESSAGES_PER_S: u32 = 5_000;
const TRIAL: Duration = Duration::from_millis(300);

/// Sleeps as the generator does between two requests.
pub(super) fn measure_sleeps(fifo: bool) -> Sleeps {
    lab::timer::measure_sleeps(SLEEPS, SLEEP_TIME, fifo)
}

pub(super) fn timer(sleeps: &Sleeps) -> Assessment {
    let observation = format!(
        "a sleep ends {:.0} µs late at the median, {:.0} µs at the 99th percentile ({})",
        sleeps.late_us(0.5),
        sleeps.late_us(0.99),
        sleeps.class
    );
    assess_timer(observation, sleeps.share_later_than(OWN_LATE_US))
}

fn assess_timer(observation: String, late_share: f64) -> Assessment {
    let late = format!("{:.1} % end more than {OWN_LATE_US} µs late", late_share * 100.0);
    let effect = format!("{late}; a round is invalid if more than {:.1} % of its requests are", OWN_LATE_SHARE * 100.0);
    if late_share <= OWN_LATE_SHARE {
        return Assessment::good(observation, effect);
    }
    Assessment::limited(
        observation,
        effect,
        "see `other-load` and `priority`, and disable deep CPU idle states (`sudo cpupower idle-set -D 10`)",
    )
    .of(Need::Paced)
}

pub(super) fn trials(proxy_cpus: &[u32]) -> io::Result<Vec<ProxyAccuracy>> {
    let trial = |us| measure_accuracy(Duration::from_micros(us), MESSAGES_PER_S, TRIAL, proxy_cpus);
    ROUND_TRIPS_US.into_iter().map(trial).collect()
}

pub(super) fn delay_proxy(trials: io::Result<Vec<ProxyAccuracy>>) -> Assessment {
    let trials = match trials {
        Ok(trials) => trials,
        Err(error) => {
            return Assessment::missing(
                format!("cannot be tested: {error}"),
                "network delay between server and store cannot be simulated",
                "check that this process may open ports on the loopback interface",
            )
            .of(Need::Proxied);
        }
    };
    let each =
        trials.iter().map(|trial| format!("{:+.0} µs at a set delay of {:.0} µs", trial.error_us(), trial.set_us));
    let observation = format!("median error: {}", each.collect::<Vec<_>>().join(", "));
    if trials.iter().all(|trial| trial.error_us().abs() <= MAX_ERROR_US) {
        return Assessment::good(
            observation,
            format!("a store's round-trip time can be set to within {MAX_ERROR_US:.0} µs"),
        );
    }
    Assessment::limited(
        observation,
        format!("the simulated delay is off by more than {MAX_ERROR_US:.0} µs; use the delay that the proxy reports, not the set one"),
        "see `other-load`, `priority` and `processors`",
    )
    .of(Need::Proxied)
}

#[cfg(test)]
mod tests {
    use lab::proxy::Percentiles;

    use super::super::finding::State;
    use super::*;

    fn trial(added_us: f64) -> ProxyAccuracy {
        let direct = Percentiles { p50: 100.0, p99: 200.0 };
        ProxyAccuracy {
            set_us: 1_000.0,
            direct,
            through: Percentiles { p50: 100.0 + added_us, p99: 9_000.0 },
            cpu_us: 1.0,
        }
    }

    #[test]
    fn proxy_error_is_limited_in_both_directions() {
        let state = |added_us: &[f64]| delay_proxy(Ok(added_us.iter().copied().map(trial).collect())).state;
        assert_eq!(state(&[1_000.0, 1_049.0, 951.0]), State::Good);
        assert_eq!(state(&[1_000.0, 1_051.0]), State::Limited);
        assert_eq!(state(&[949.0]), State::Limited);
        assert_eq!(delay_proxy(Err(io::ErrorKind::PermissionDenied.into())).state, State::Missing);
        assert!(delay_proxy(Ok(vec![trial(1_012.0)])).observation.contains("+12 µs at a set delay of 1000 µs"));
    }

    #[test]
    fn late_sleeps_have_the_same_limit_as_rounds() {
        assert_eq!(assess_timer(String::new(), OWN_LATE_SHARE).state, State::Good);
        let late = assess_timer(String::new(), 0.02);
        assert!(late.state == State::Limited && late.effect.starts_with("2.0 % end more than 500 µs late"), "{late:?}");
    }
}
