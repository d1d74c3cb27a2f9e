//! What a target sent or was sent, as it may be shown on a terminal: without credentials and without control
//! characters.

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION, SET_COOKIE};

/// Characters of a credential that are shown, at most.
const MAX_SHOWN_CREDENTIAL_CHARS: usize = 4;
/// A word at least this long with letters and digits may be a credential, wherever it is.
const MIN_CREDENTIAL_LENGTH: usize = 16;
/// Characters of one value that are shown, at most.
const MAX_SHOWN_CHARS: usize = 400;
/// The mark of something left out.
const ELLIPSIS: char = '…';

/// A header as it may be shown; with `secret`, its value is known to be a credential.
pub(crate) fn header(name: &HeaderName, value: &HeaderValue, secret: bool) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    let shown = if name == COOKIE {
        value.split(';').map(|pair| cookie(pair.trim())).collect::<Vec<_>>().join("; ")
    } else if name == SET_COOKIE {
        let (pair, attributes) = value.split_at(value.find(';').unwrap_or(value.len()));
        format!("{}{}", cookie(pair), text(attributes))
    } else if name == AUTHORIZATION || name == PROXY_AUTHORIZATION {
        match value.split_once(' ') {
            Some((scheme, credentials)) => format!("{} {}", text(scheme), masked(credentials.trim())),
            None => masked(&value),
        }
    } else if secret {
        masked(&value)
    } else {
        text(&value)
    };
    format!("{name}: {shown}")
}

/// Text as it may be shown: cut, words that may be credentials masked, control characters escaped.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive(|each: char| !is_credential_char(each)) {
        let token = word.trim_end_matches(|each: char| !is_credential_char(each));
        if may_be_credential(token) {
            shown.push_str(&masked(token));
            shown.push_str(&escaped(&word[token.len()..]));
        } else {
            shown.push_str(&escaped(word));
        }
    }
    truncate(&shown)
}

/// A secret's first characters, and how many it has.
pub(crate) fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    let first: String = secret.chars().take(MAX_SHOWN_CREDENTIAL_CHARS.min(length / 4)).collect();
    format!("{}{ELLIPSIS} ({length} characters)", escaped(&first))
}

/// Cookies whose names are not masked.
fn cookie(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", escaped(name), masked(value)),
        None => masked(pair),
    }
}

fn may_be_credential(word: &str) -> bool {
    let has = |what: fn(&u8) -> bool| word.as_bytes().iter().any(what);
    word.len() >= MIN_CREDENTIAL_LENGTH && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Whether tokens and session ids have this character: those of base64, in both spellings, of hexadecimal numbers and
/// of JWTs.
fn is_credential_char(each: char) -> bool {
    each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.' | '+' | '=' | '~')
}

fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}{ELLIPSIS}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Without characters that move the cursor, ring, or turn the direction of writing.
fn escaped(text: &str) -> String {
    let changes_direction =
        |each| matches!(each, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for each in text.chars() {
        if each.is_control() || changes_direction(each) {
            shown.extend(each.escape_default());
        } else {
            shown.push(each);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &HeaderName, value: &'static str) -> String {
        header(name, &HeaderValue::from_static(value), false)
    }

    #[test]
    fn credentials_are_masked_and_their_scheme_is_kept() {
        let token = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        assert_eq!(shown(&AUTHORIZATION, token), "authorization: Bearer eyJh… (49 characters)");
        assert_eq!(
            shown(&COOKIE, "AWSALB=abcdefgh; __Host-id=0123456789abcdef"),
            "cookie: AWSALB=ab… (8 characters); __Host-id=0123… (16 characters)"
        );
        assert_eq!(
            shown(&SET_COOKIE, "id=0123456789abcdef; Path=/; HttpOnly"),
            "set-cookie: id=0123… (16 characters); Path=/; HttpOnly"
        );
        let custom = HeaderName::from_static("x-session");
        assert_eq!(header(&custom, &HeaderValue::from_static("secret"), true), "x-session: s… (6 characters)");
        assert_eq!(shown(&custom, "short"), "x-session: short");
    }

    #[test]
    fn possible_credential_is_masked_in_any_text() {
        let body = r#"{"session":"8f14e45fceea167a5a36dedd4bea2543","title":"unauthorized"}"#;
        assert_eq!(text(body), r#"{"session":"8f14… (32 characters)","title":"unauthorized"}"#);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(text("a\u{1b}]0;title\u{7}b\rc\u{202e}d\u{9b}2J"), r"a\u{1b}]0;title\u{7}b\rc\u{202e}d\u{9b}2J");
    }

    #[test]
    fn long_text_is_truncated() {
        let long = text(&"word ".repeat(1_000));
        assert_eq!(long.chars().count(), MAX_SHOWN_CHARS + 1);
        assert!(long.ends_with(ELLIPSIS));
    }
}
