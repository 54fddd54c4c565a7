use std::io::{self, Read};
use std::path::Path;

use domain::plan::{DEPTH, NAMES_MAX, SKIP, TEXTS_MAX, Tree, text_limit};

/// What the planner wants to know of a directory: names level by level, then texts, both bounded.
pub(super) fn read(directory: &Path) -> io::Result<Tree> {
    let mut tree = Tree::default();
    let mut wanted = Vec::new();
    let mut level = vec![String::new()];
    for depth in 1..=DEPTH {
        let mut next = Vec::new();
        for parent in &level {
            let mut entries = match std::fs::read_dir(directory.join(parent)) {
                Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
                // A build may not be allowed to read what it unpacked.
                Err(_) if depth > 1 => continue,
                Err(error) => return Err(error),
            };
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                if tree.names.len() >= NAMES_MAX {
                    break;
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if parent.is_empty() { name.clone() } else { format!("{parent}/{name}") };
                let is_directory = entry.file_type()?.is_dir();
                if is_directory && !name.starts_with('.') && !SKIP.contains(&name.as_str()) {
                    next.push(path.clone());
                } else if let Some(limit) = text_limit(&path).filter(|_| !is_directory) {
                    wanted.push((path.clone(), limit));
                }
                tree.names.insert(path);
            }
        }
        level = next;
    }
    let mut left = TEXTS_MAX;
    for (path, limit) in wanted {
        if let Some(text) = text(&directory.join(&path), limit.min(left))? {
            left -= text.len() as u64;
            tree.texts.insert(path, String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(tree)
}

/// The beginning of a file; None where there is no plain file behind the name.
fn text(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    // A link is followed: this process sees no more than the build does.
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_bounded_and_links_are_no_directories() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("package.json", "{}");
        write("cmd/api/main.go", "package main");
        write("a/b/c/d/five.txt", "");
        write("a/b/c/d/e/six.txt", "");
        write("node_modules/x/package.json", "{}");
        write(".hidden/y", "");
        write("yarn.lock", &"x".repeat(100_000));
        std::os::unix::fs::symlink(".", root.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("/no/such", root.path().join("Gemfile")).unwrap();
        let tree = read(root.path()).unwrap();
        let there =
            ["package.json", "cmd/api", "cmd/api/main.go", "a/b/c/d/five.txt", "node_modules", ".hidden", "loop"];
        for name in there {
            assert!(tree.names.contains(name), "{name}: {:?}", tree.names);
        }
        for name in ["a/b/c/d/e/six.txt", "node_modules/x", ".hidden/y", "loop/package.json"] {
            assert!(!tree.names.contains(name), "{name}");
        }
        assert_eq!(tree.texts["cmd/api/main.go"], "package main");
        assert!(tree.texts["yarn.lock"].len() < 10_000);
        assert!(!tree.texts.contains_key("Gemfile"));

        for number in 0..NAMES_MAX {
            write(&format!("many/{number}"), "");
        }
        let tree = read(root.path()).unwrap();
        assert_eq!(tree.names.len(), NAMES_MAX);
        assert!(tree.names.contains("package.json"));
    }
}
