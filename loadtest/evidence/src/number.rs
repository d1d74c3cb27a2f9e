//! Numbers in sentences.

/// Formats a whole number with thousands separators and a minus sign (U+2212): `−12,345`.
#[must_use]
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let lead = digits.len() % 3;
    let mut parts: Vec<&str> = if lead > 0 { vec![&digits[..lead]] } else { Vec::new() };
    parts.extend((lead..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    let sign = if value < 0.0 && digits != "0" { "−" } else { "" };
    format!("{sign}{}", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0, -1000.0, -0.1].map(grouped),
            ["0", "999", "1,000", "1,234,567", "−1,000", "0"]
        );
    }
}
