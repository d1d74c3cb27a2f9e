//! Error messages for the user.

/// Returns an error and its causes in one line, each once: most errors include their cause in their message.
pub(crate) fn of(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| {
        if message.is_empty() {
            cause
        } else if line(&message).contains(&line(&cause)) {
            message
        } else {
            format!("{message}: {cause}")
        }
    })
}

/// Returns the text with line breaks replaced by spaces.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn cause_in_the_message_is_not_repeated() {
        let refused = std::io::Error::from_raw_os_error(111);
        let stated = anyhow::Error::new(refused).context("cannot connect: Connection refused (os error 111)");
        assert_eq!(of(&stated), "cannot connect: Connection refused (os error 111)");
        let unstated = Err::<(), _>(anyhow!("no space left")).context("cannot write the record").unwrap_err();
        assert_eq!(of(&unstated), "cannot write the record: no space left");
    }
}
