//! Logs as they lie on disk: numbered from one without a gap.

use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "m")]
    text: String,
}

/// The texts of a log's lines, and what is wrong with their numbers.
pub(crate) fn read(directory: &Path) -> (Vec<String>, Vec<String>) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut segments = entries.map(|entry| entry.path()).collect::<Vec<_>>();
    segments.sort_unstable();
    let (mut texts, mut faults) = (Vec::new(), Vec::new());
    for segment in &segments {
        let bytes = std::fs::read(segment).unwrap_or_default();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            // Cut short by a kill: no line, and the last of its segment.
            if !line.ends_with(b"\n") {
                continue;
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.number == texts.len() as u64 + 1 => texts.push(line.text),
                other => faults.push(format!("{}: line {} is {other:?}", segment.display(), texts.len() + 1)),
            }
        }
    }
    if texts.is_empty() {
        faults.push(format!("{} has no line", directory.display()));
    }
    (texts, faults)
}

/// Whether a log's last line, and no other, is its end; what is wrong otherwise.
pub(crate) fn ends(directory: &Path, is_end: impl Fn(&str) -> bool) -> Vec<String> {
    let (texts, mut faults) = read(directory);
    let ends = texts.iter().filter(|text| is_end(text)).count();
    if ends != 1 || !texts.last().is_some_and(|text| is_end(text)) {
        faults.push(format!("{} has {ends} ends:\n      {}", directory.display(), texts.join("\n      ")));
    }
    faults
}
