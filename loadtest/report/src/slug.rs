//! Names that are safe as file names and anchors.

use engine::record::Level;

/// Longer names do not fit into every file system once an ending is added.
const LONGEST: usize = 100;

/// Lower-case kebab of any text: letters and digits stay, all else becomes a dash.
pub(crate) fn slug(text: &str) -> String {
    let kept = text
        .chars()
        .take(LONGEST)
        .map(|each| if each.is_ascii_alphanumeric() { each.to_ascii_lowercase() } else { ' ' });
    kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join("-")
}

/// A level as the end of a file name; empty where there is but one.
pub(crate) fn level_slug(level: &Level) -> String {
    match level {
        Level::Saturated | Level::AsPlanned => String::new(),
        Level::OfCapacity { fraction } => format!("-{:.0}-percent", fraction * 100.0),
        Level::FarStore { rtt_us, rate_rps } => format!("-{rtt_us}-us{}", rate_slug(*rate_rps)),
        Level::Hops { hops, rate_rps, link_rtt_us: 0 } => format!("-{hops}-hops{}", rate_slug(*rate_rps)),
        Level::Hops { hops, rate_rps, link_rtt_us } => {
            format!("-{hops}-hops-{link_rtt_us}-us{}", rate_slug(*rate_rps))
        }
        Level::Population { live, rate_rps } => format!("-{live}-live{}", rate_slug(*rate_rps)),
        Level::EqualRate { rate_rps } => format!("-{rate_rps:.0}-rps"),
        Level::BesideLogins { rate_rps, clients } => format!("-{rate_rps:.0}-rps-beside-{clients}"),
        Level::Refused { garbage } => format!("-{}", slug(evidence::garbage_name(*garbage))),
    }
}

fn rate_slug(rate_rps: Option<f64>) -> String {
    rate_rps.map_or("-saturated".to_owned(), |rate_rps| format!("-{rate_rps:.0}-rps"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("JWT <HS256>"), "jwt-hs256");
        assert_eq!(level_slug(&Level::OfCapacity { fraction: 0.5 }), "-50-percent");
    }
}
