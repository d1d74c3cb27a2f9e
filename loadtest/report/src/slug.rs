//! Names that are safe as file names and anchors.

/// Longer names do not fit into every file system with an extension added.
const MAX_LENGTH: usize = 100;

/// Converts text to lower-case kebab case: letters and digits stay, everything else becomes a dash.
pub(crate) fn slug(text: &str) -> String {
    let kept = text
        .chars()
        .take(MAX_LENGTH)
        .map(|each| if each.is_ascii_alphanumeric() { each.to_ascii_lowercase() } else { ' ' });
    kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_has_no_path_separators() {
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("JWT <HS256>"), "jwt-hs256");
    }
}
