//! The response of Redis to INFO.

use std::collections::BTreeMap;

/// `name:value` lines; headings and blank lines are left out.
pub(super) fn parse(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// From fields such as `cmdstat_get`: `calls=12,usec=34,...`.
pub(super) fn command_counts(fields: &BTreeMap<String, String>) -> BTreeMap<String, u64> {
    let count = |(name, value): (&String, &String)| {
        let command = name.strip_prefix("cmdstat_")?;
        let calls = value.split(',').find_map(|pair| pair.strip_prefix("calls="))?;
        (command != "info").then_some((command.to_owned(), calls.parse().ok()?))
    };
    fields.iter().filter_map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_by_name() {
        let text = "# Commandstats\r\ncmdstat_info:calls=9,usec=1\r\ncmdstat_getex:calls=12,usec=34\r\n\
                    cmdstat_client|setinfo:calls=2,usec=3\r\nother:calls=5\r\n";
        let counts = command_counts(&parse(text));
        assert_eq!(counts, BTreeMap::from([("getex".to_owned(), 12), ("client|setinfo".to_owned(), 2)]));
    }
}
