//! Which paths differ between two commits. Nothing is checked out, and no file's contents are fetched from hosts
//! that can leave them out.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use domain::watch::Watch;
use ids::CommitSha;
use serde::{Deserialize, Serialize};
use wire::Comparison;

use super::fetch::{Failed, Git, failed};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CompareRequest {
    pub(crate) url: String,
    /// Branch or tag; the default branch when absent.
    pub(crate) reference: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) allow_private: bool,
    /// The earlier commit.
    pub(crate) from: String,
    pub(crate) watch_paths: Vec<String>,
    pub(crate) root_directory: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compared(pub(crate) Comparison);

/// More paths, or longer ones together, are not looked through.
const PATHS_MAX: usize = 100_000;
const BYTES_MAX: u64 = 64 << 20;
/// Characters of a path that are told.
const SHOWN_MAX: usize = 200;

pub(super) fn run(request: &CompareRequest) -> Compared {
    Compared(compare(request).unwrap_or_else(|Failed { reason, .. }| Comparison::Unknown { reason }))
}

fn compare(request: &CompareRequest) -> Result<Comparison, Failed> {
    let from = request.from.parse::<CommitSha>().map_err(|error| failed("INVALID_COMMIT", error.to_string()))?;
    let git = Git::init(&request.url, request.allow_private)?;
    let wanted = git.wanted(request.commit.as_deref(), request.reference.as_deref())?;
    let without_contents = ["--filter=blob:none"];
    git.fetch(&wanted, &without_contents)?;
    // A tag that is an object of its own leads to its commit.
    let to = git.run(&["rev-parse", "--verify", "FETCH_HEAD^{commit}"])?.trim().to_owned();
    if to == from.as_str() {
        return Ok(Comparison::Same);
    }
    git.fetch(from.as_str(), &without_contents)?;
    let watch = Watch::new(&request.root_directory, &request.watch_paths);
    Ok(match first_touched(&git, from.as_str(), &to, &watch)? {
        Some(path) => Comparison::Touched { to, path },
        None => Comparison::Untouched { to },
    })
}

/// The first path that differs and is watched.
fn first_touched(git: &Git, from: &str, to: &str, watch: &Watch<'_>) -> Result<Option<String>, Failed> {
    // Both names of what was renamed. Its plumbing reads no configuration, and so neither filters nor drivers.
    let arguments =
        ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", from, to, "--"];
    let broken = |error: std::io::Error| failed("FETCH_FAILED", format!("the commits cannot be compared: {error}"));
    let mut command = git.command(&arguments);
    // Its complaints would wait for a reader.
    let mut child = command.env("GIT_NO_LAZY_FETCH", "1").stderr(Stdio::inherit()).spawn().map_err(broken)?;
    let seen = match child.stdout.take() {
        Some(output) => look_through(output, watch).map_err(broken)?,
        None => Seen::NotAll,
    };
    if seen != Seen::Untouched {
        let _ = child.kill();
    }
    let ended = child.wait().map_err(broken)?;
    match seen {
        Seen::Touched(path) => Ok(Some(path)),
        Seen::Untouched if ended.success() => Ok(None),
        Seen::Untouched | Seen::NotAll => {
            Err(failed("FETCH_FAILED", "the commits cannot be compared, or differ in too many paths"))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Touched(String),
    Untouched,
    /// There is more than is looked through.
    NotAll,
}

/// Looks for a watched one in a list of paths, each with a NUL behind it.
fn look_through(list: impl Read, watch: &Watch<'_>) -> std::io::Result<Seen> {
    let mut paths = BufReader::new(list.take(BYTES_MAX));
    let mut path = Vec::new();
    for _ in 0..=PATHS_MAX {
        path.clear();
        paths.read_until(0, &mut path)?;
        match path.pop() {
            None if paths.get_ref().limit() > 0 => return Ok(Seen::Untouched),
            Some(0) => {}
            _ => break,
        }
        let name = String::from_utf8_lossy(&path);
        if watch.touches(&name) {
            return Ok(Seen::Touched(shown(&name)));
        }
    }
    Ok(Seen::NotAll)
}

/// A path as a line of a log.
fn shown(path: &str) -> String {
    path.chars().take(SHOWN_MAX).map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(list: &[u8]) -> Seen {
        look_through(list, &Watch::new("apps/web", &[])).unwrap()
    }

    #[test]
    fn the_first_watched_path_is_told() {
        assert_eq!(seen(b""), Seen::Untouched);
        assert_eq!(seen(b"README.md\0apps/api/a\0"), Seen::Untouched);
        assert_eq!(seen(b"a\0apps/web/x\ny\0apps/web/z\0"), Seen::Touched("apps/web/x\u{fffd}y".into()));
        assert_eq!(seen(b"apps/web/\xff\0"), Seen::Touched("apps/web/\u{fffd}".into()));
    }

    #[test]
    fn a_list_that_is_cut_or_too_long_is_not_taken_for_untouched() {
        assert_eq!(seen(b"a\0apps/w"), Seen::NotAll);
        assert_eq!(seen(&b"a\0".repeat(PATHS_MAX)), Seen::Untouched);
        assert_eq!(seen(&b"a\0".repeat(PATHS_MAX + 1)), Seen::NotAll);
        let long = [vec![b'a'; usize::try_from(BYTES_MAX).unwrap()], b"\0apps/web/x\0".to_vec()].concat();
        assert_eq!(seen(&long), Seen::NotAll);
    }
}
