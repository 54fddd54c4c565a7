//! What a `.dockerignore` keeps out of a build.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Its patterns, each from the top of the tree.
pub struct Dockerignore(Gitignore);

impl Dockerignore {
    /// Lines that are no pattern say nothing.
    pub fn new(text: &str) -> Self {
        let mut builder = GitignoreBuilder::new("/");
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (not, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern.trim()));
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            // `**/name` is anywhere already; anything else is at the top.
            let _ = builder.add_line(None, &format!("{not}/{pattern}"));
        }
        Self(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// Whether the path, relative to the top, stays out.
    pub fn leaves_out(&self, path: &str, is_directory: bool) -> bool {
        self.0.matched_path_or_any_parents(path, is_directory).is_ignore()
    }

    /// Whether something below a directory that stays out may be wanted all the same.
    pub fn takes_back(&self) -> bool {
        self.0.num_whitelists() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_from_the_top() {
        let ignore = Dockerignore::new("# nothing\nnode_modules\n/dist/\n**/*.log\n.git\ndocs\n!docs/keep.md\n");
        for (path, out) in [
            ("node_modules", true),
            ("node_modules/a/b.js", true),
            ("packages/a/node_modules", false),
            ("dist/x", true),
            ("a/b/c.log", true),
            ("docs/x.md", true),
            ("docs/keep.md", false),
            ("server.js", false),
        ] {
            assert_eq!(ignore.leaves_out(path, false), out, "{path}");
        }
        assert!(ignore.takes_back());
    }
}
