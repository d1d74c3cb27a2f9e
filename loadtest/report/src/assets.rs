//! The assets that the reports contain.

/// Apache `ECharts`, unmodified; see `assets/echarts/README.md`.
pub(crate) const ECHARTS: &str = include_str!("../assets/echarts/echarts.min.js");
/// Converts the data of a chart to `ECharts` options; in the browser it also mounts the charts.
pub(crate) const CHARTS: &str = include_str!("../assets/charts.js");
/// The style of `report.html`.
pub(crate) const STYLE: &str = include_str!("../assets/report.css");

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn charting_library_has_the_reviewed_checksum() {
        let bytes: Vec<String> = Sha256::digest(ECHARTS).iter().map(|byte| format!("{byte:02x}")).collect();
        let found = bytes.concat();
        assert_eq!(found, "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0");
        let note = include_str!("../assets/echarts/README.md");
        assert!(note.contains(&found) && note.contains("6.1.0"));
    }

    #[test]
    fn scripts_do_not_contain_an_end_tag() {
        for script in [ECHARTS, CHARTS] {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
    }
}
