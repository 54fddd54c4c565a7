//! Logs as they lie on disk: numbered from one without a gap.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "m")]
    text: String,
}

const PLAIN: &str = ".ndjson";
/// A full segment is packed.
const PACKED: &str = ".ndjson.zst";

/// The segments of a log by the number of their first line. One that lies there in both forms is one: the plain
/// one goes when the packed one is whole.
fn segments(directory: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut segments = BTreeMap::new();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What is being packed is none yet.
        if let Some(first) = name.strip_suffix(PACKED).or_else(|| name.strip_suffix(PLAIN)) {
            segments.insert(first.to_owned(), path);
        }
    }
    segments
}

fn bytes(segment: &Path) -> Vec<u8> {
    match std::fs::File::open(segment) {
        Ok(file) if segment.extension() == Some("zst".as_ref()) => zstd::decode_all(file).unwrap_or_default(),
        Ok(_) => std::fs::read(segment).unwrap_or_default(),
        // It was packed since it was listed.
        Err(_) => {
            std::fs::File::open(segment.with_extension("ndjson.zst")).and_then(zstd::decode_all).unwrap_or_default()
        }
    }
}

/// The texts of a log's lines, and what is wrong with their numbers.
pub(crate) fn read(directory: &Path) -> (Vec<String>, Vec<String>) {
    let (mut texts, mut faults) = (Vec::new(), Vec::new());
    for segment in segments(directory).values() {
        let bytes = bytes(segment);
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
