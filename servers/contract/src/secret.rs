//! What a file with a secret holds.

/// Returns the secret in a file with this content. A line end from an editor or `echo` is not part of a text; random
/// bytes are used completely, because they may end like a line by chance.
#[must_use]
pub fn without_line_end(content: &[u8]) -> &[u8] {
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_text = std::str::from_utf8(line).is_ok_and(|text| !text.contains(char::is_control));
    if is_text { line } else { content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_with_its_line_and_random_bytes_with_the_file() {
        assert_eq!(without_line_end(b"correct horse\r\n"), b"correct horse");
        assert_eq!(without_line_end(b"correct horse\n"), b"correct horse");
        for random in [&b"\xf0\x01correct\n"[..], b"\x00horse\r", b"\xffbattery\r\n"] {
            assert_eq!(without_line_end(random), random);
        }
    }
}
