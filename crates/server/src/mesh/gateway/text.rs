//! How much text there is in a prompt as it came, in JSON.

/// Letters and digits without a break: no language's words, but the bytes of a picture or a recording.
const MEDIUM_MIN: usize = 512;
/// What tells of a picture or a recording, in one dialect or another; some tell twice.
const MEDIA: [&[u8]; 5] = [b"\"image_url\"", b"\"input_image\"", b"\"image\"", b"\"input_audio\"", b"\"media_type\""];

/// Bytes of the text: what is escaped counts as what it stands for, whitespace in a row once, and pictures not at all.
pub(super) fn bytes(prompt: &[u8]) -> u64 {
    let (mut bytes, mut at, mut after_space) = (0, 0, false);
    while let Some(&byte) = prompt.get(at) {
        let run = prompt[at..].iter().take_while(|byte| is_of_a_medium(**byte)).count();
        if run > 0 {
            bytes += if run < MEDIUM_MIN { run } else { 0 };
            (at, after_space) = (at + run, false);
            continue;
        }
        let (length, stands_for, is_space) = match (byte, prompt.get(at + 1)) {
            (b'\\', Some(b'u')) => (6, 2, false),
            (b'\\', Some(b'n' | b't' | b'r')) => (2, 1, true),
            (b'\\', _) => (2, 1, false),
            (byte, _) => (1, 1, byte.is_ascii_whitespace()),
        };
        bytes += if is_space && after_space { 0 } else { stands_for };
        (at, after_space) = (at + length, is_space);
    }
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn is_of_a_medium(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// How many pictures and recordings there are, or a few more.
pub(super) fn media(prompt: &[u8]) -> u64 {
    let mut counts = [0; MEDIA.len()];
    for (at, _) in prompt.iter().enumerate().filter(|(_, byte)| **byte == b'"') {
        for (count, mark) in counts.iter_mut().zip(MEDIA) {
            *count += u64::from(prompt[at..].starts_with(mark));
        }
    }
    counts.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_as_it_is_meant() {
        for (prompt, count) in [
            ("", 0),
            ("two words", 9),
            ("a      b", 3),
            (r"a\n\n    b", 3),
            (r"\u0430\u0431", 4),
            ("\u{430}", 2),
            (r#"\"x\""#, 3),
            ("\\", 1),
        ] {
            assert_eq!(bytes(prompt.as_bytes()), count, "{prompt}");
        }
        assert_eq!(bytes(format!("x {}", "QUJD".repeat(1000)).as_bytes()), 2);
    }

    #[test]
    fn pictures_are_counted_in_every_dialect() {
        for prompt in [
            r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"QUJD"}}"#,
        ] {
            assert!((1..=2).contains(&media(prompt.as_bytes())), "{prompt}");
        }
        assert_eq!(media(br#""an \"image_url\" in a text""#), 0);
    }
}
