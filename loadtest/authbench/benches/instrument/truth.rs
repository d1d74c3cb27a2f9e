//! Known delays: recorded times must match those of the server.

use serde_json::Value;

use crate::target::{DelayServer, load};
use crate::{Size, check_requirement};

/// The allowed error of the recorded median, in microseconds.
const P50_US: f64 = 300.0;
/// The allowed error of the recorded 99th percentile, unless the round is invalid.
const P99_US: f64 = 1_000.0;

struct Case {
    what: &'static str,
    server: &'static [&'static str],
    rate: &'static str,
}

const CASES: [Case; 3] = [
    Case { what: "5 ms", server: &["--delay-us", "5000"], rate: "500" },
    Case { what: "50 ms", server: &["--delay-us", "50000"], rate: "500" },
    // One server, 1 ms each, 70 % busy: requests queue.
    Case { what: "queue", server: &["--service-us", "1000", "--servers", "1"], rate: "700" },
];

pub(crate) fn run(size: Size) -> bool {
    println!("truth: recorded response time against the true one (µs)");
    println!(
        "  {:<6} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9}",
        "", "p50 true", "recorded", "diff", "p99 true", "recorded", "diff"
    );
    let accurate = CASES.iter().filter(|case| is_accurate(case, size)).count();
    check_requirement(
        "medians within 300 µs of the truth, and 99th percentiles within 1 ms or the round invalid",
        accurate == CASES.len(),
    )
}

fn is_accurate(case: &Case, size: Size) -> bool {
    let server = DelayServer::start(case.server);
    let duration = if size == Size::Full { "20s" } else { "1s" };
    let result = load(&server.base_url, &["--rate", case.rate, "--duration", duration, "--population", "10"]);
    let truth = server.truth_us();
    let [p50, p99] = ["p50", "p99"].map(|quantile| (us(&truth, quantile), us(&result["response_us"], quantile)));
    let differences = [p50, p99].map(|(truth, recorded)| recorded - truth);
    println!(
        "  {:<6} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9}{}",
        case.what,
        p50.0,
        p50.1,
        differences[0],
        p99.0,
        p99.1,
        differences[1],
        format_reasons(&result)
    );
    let invalid = result["validity"]["valid"] == false;
    differences[0].abs() <= P50_US && (differences[1].abs() <= P99_US || invalid)
}

fn us(quantiles: &Value, name: &str) -> f64 {
    quantiles[name].as_f64().unwrap_or(f64::NAN)
}

fn format_reasons(result: &Value) -> String {
    let reasons = result["validity"]["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    reasons.flat_map(|reason| ["\n         invalid: ", reason]).collect()
}
