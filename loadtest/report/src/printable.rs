//! Text from a target, made safe for a terminal, an editor or a browser (CWE-150).
//!
//! A record contains text from targets: kinds of errors, names of schemes and nodes. An escape
//! sequence in it could control the reader's terminal, and a bidirectional override could display a
//! different text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns the text with unsafe characters written out, such as `\u001b`.
///
/// Unsafe are control characters except line feed and tab, and characters that change the text
/// direction. Text without any is returned unchanged, and JSON stays equivalent JSON.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |out, each| {
        let _ = write!(out, "\\u{:04x}", u32::from(each));
    })
}

/// Does the same inside a JSON string for display: the parsed string shows the written-out text.
pub(crate) fn printable_in_json(json: &str) -> Cow<'_, str> {
    escape(json, |out, each| {
        let _ = write!(out, "\\\\u{:04x}", u32::from(each));
    })
}

/// Does the same and puts the text on one line.
pub(crate) fn on_one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\r', '\t'], " ")).into_owned()
}

fn escape(text: &str, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for each in text.chars() {
        if is_unsafe(each) { write(&mut out, each) } else { out.push(each) }
    }
    Cow::Owned(out)
}

/// Returns whether this is a C0, DEL or C1 control, a direction control (UAX #9, section 2), or a
/// line separator.
fn is_unsafe(each: char) -> bool {
    let control = each.is_control() && !matches!(each, '\n' | '\t');
    let directs =
        matches!(each, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || directs || matches!(each, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        let clear = "status \u{1b}[2J\u{1b}]0;title\u{7}\r\u{9b}31m \u{202e}gnp.exe\u{2066} \u{7f}";
        let expected = "status \\u001b[2J\\u001b]0;title\\u0007\\u000d\\u009b31m \\u202egnp.exe\\u2066 \\u007f";
        assert_eq!(printable(clear), expected);
        assert_eq!(on_one_line("a\nb\rc\u{1b}"), "a b c\\u001b");
    }

    #[test]
    fn other_text_is_unchanged() {
        let text = "`jwt-hs256` 12.8 µs [12.1, 13.0] \u{2013} \u{2212}3 %\n\tdaß \u{1F600}";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn json_stays_equivalent() {
        let value = serde_json::json!({ "reason": "\u{9b}2J\u{1b}[m\u{202e}" });
        let printed = printable(&value.to_string()).into_owned();
        assert!(!printed.contains(is_unsafe), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
        let shown: serde_json::Value =
            serde_json::from_str(&printable_in_json(&serde_json::json!("\u{202e}").to_string())).unwrap();
        assert_eq!(shown, "\\u202e");
    }
}
