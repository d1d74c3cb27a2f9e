//! Formatting of numbers.

pub(crate) use evidence::grouped;
use evidence::statistics::{Estimate, Interval};

/// The text for a missing figure.
pub(crate) const NONE: &str = "–";

/// Formats three significant digits: 2.13, 21.3, 213, 2,130. The minus is U+2212.
pub(crate) fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => return grouped(value),
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{:.decimals$}", value.abs());
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0.0 && !zero { format!("−{text}") } else { text }
}

/// Formats an interval in brackets, such as `[2.01, 2.20]`.
pub(crate) fn bracket(interval: &Interval) -> String {
    format!("[{}, {}]", plain(interval.low), plain(interval.high))
}

/// Formats an estimate with its unit and interval, such as `2.10 µs [2.01, 2.20]`.
pub(crate) fn estimate(found: &Estimate, unit: &str) -> String {
    let value = format!("{} {unit}", plain(found.value));
    match &found.interval {
        Some(interval) => format!("{value} {}", bracket(interval)),
        None => value,
    }
}

/// Formats two decimals; a rounded zero has no sign.
pub(crate) fn two_decimals(value: f64) -> String {
    format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0)
}

/// Formats a share as a deviation: `+2.1 %`, `−0.3 %`.
pub(crate) fn signed_percent(share: f64) -> String {
    let percent = format!("{:.1} %", (share * 100.0).abs());
    match (percent.as_str(), share < 0.0) {
        ("0.0 %", _) => percent,
        (_, true) => format!("−{percent}"),
        (_, false) => format!("+{percent}"),
    }
}

/// Formats a time in a suitable unit: `312 µs`, `1.24 ms`, `1.98 s`.
pub(crate) fn time(us: f64) -> String {
    match us.abs() {
        size if size >= 999_500.0 => format!("{} s", plain(us / 1e6)),
        size if size >= 999.5 => format!("{} ms", plain(us / 1e3)),
        _ => format!("{us:.0} µs"),
    }
}

/// Formats bytes in a suitable unit: `310 B`, `24.1 MiB`.
pub(crate) fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value.abs() {
        size if size >= KIB * KIB * KIB => format!("{} GiB", plain(value / KIB / KIB / KIB)),
        size if size >= KIB * KIB => format!("{} MiB", plain(value / KIB / KIB)),
        size if size >= 10.0 * KIB => format!("{} KiB", plain(value / KIB)),
        _ => format!("{} B", grouped(value)),
    }
}

/// Formats a duration in the largest unit that divides it.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0 => "0 s".to_owned(),
        days if days % 86_400 == 0 => format!("{} d", days / 86_400),
        hours if hours % 3600 == 0 => format!("{} h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{} min", minutes / 60),
        other => format!("{other} s"),
    }
}

/// Formats a count with its noun: "1 round", "3 rounds".
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number as f64)) }
}

/// Joins items to a list: "a, b and c".
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        let found = [0.0, 2.126, 9.996, 21.26, 99.96, 12_345.6, -0.001, -2.5].map(plain);
        assert_eq!(found, ["0.00", "2.13", "10.0", "21.3", "100", "12,346", "0.00", "−2.50"]);
    }

    #[test]
    fn times_and_sizes_have_a_suitable_unit() {
        assert_eq!([312.0, 999.6, 1240.0, 1_980_000.0].map(time), ["312 µs", "1.00 ms", "1.24 ms", "1.98 s"]);
        assert_eq!([310.0, 20_480.0, 25_165_824.0].map(bytes), ["310 B", "20.0 KiB", "24.0 MiB"]);
        assert_eq!([0, 45, 900, 86_400].map(duration), ["0 s", "45 s", "15 min", "1 d"]);
    }

    #[test]
    fn lists_and_counts_read_as_sentences() {
        assert_eq!(listed(&["a", "b", "c"].map(String::from)), "a, b and c");
        assert_eq!((count(1, "round"), count(2, "round")), ("1 round".to_owned(), "2 rounds".to_owned()));
    }
}
