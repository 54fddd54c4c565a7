use crate::{StoreError, StoreResult};

/// Most bytes of a commit's subject, of its author and of a reason: more is not written to be read.
pub(crate) const LINE_MAX: usize = 1024;
pub(crate) const REASON_MAX: usize = 4096;
/// Most bytes of the last lines together. They are kept from the end.
const LAST_LINES_MAX: usize = 64 * 1024;

/// PostgreSQL's text has no NUL; what a process wrote may. Cut to `max` bytes.
pub(crate) fn plain(text: &str, max: usize) -> String {
    let mut plain = text.replace('\0', "\u{fffd}");
    if plain.len() > max {
        let end = plain.floor_char_boundary(max - "…".len());
        plain.truncate(end);
        plain.push('…');
    }
    plain
}

/// The last of these lines that fit, one of them cut if it alone is too long.
pub(crate) fn last_lines(lines: &[String]) -> String {
    let mut kept = Vec::new();
    let mut room = LAST_LINES_MAX;
    for line in lines.iter().rev() {
        let line = plain(line, LAST_LINES_MAX);
        let Some(rest) = room.checked_sub(line.len() + 1) else {
            if kept.is_empty() {
                kept.push(line);
            }
            break;
        };
        room = rest;
        kept.push(line);
    }
    kept.reverse();
    kept.join("\n")
}

/// Reads a stored structure back.
pub(crate) fn json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> StoreResult<T> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what, value: text.to_owned() })
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
