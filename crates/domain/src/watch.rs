//! Which changes of a repository concern a project that lies in a part of it.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Whether one of the `changed` paths (relative to the repository's top) matches `patterns`.
///
/// Patterns are those of a `.gitignore`: `apps/web/`, `*.md`, `/package.json`, `packages/**/src`. The last
/// one that matches a path or a directory above it decides, and `!` takes paths out again. Without patterns,
/// or with `!` patterns only, every other path matches. A pattern that cannot be read matches everything:
/// too many deployments are noticed, a missing one is not.
pub fn touches(patterns: &[String], changed: &[&str]) -> bool {
    let meant = patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty());
    let rules = meant.map(Rule::new).collect::<Vec<_>>();
    let unmatched = rules.iter().all(|rule| rule.takes_out);
    changed.iter().map(|path| path.trim_start_matches('/')).any(|path| {
        let last = rules.iter().rev().find(|rule| rule.matches(path));
        last.map_or(unmatched, |rule| !rule.takes_out)
    })
}

struct Rule {
    takes_out: bool,
    /// None for a pattern that cannot be read.
    glob: Option<Gitignore>,
}

impl Rule {
    fn new(pattern: &str) -> Self {
        let (takes_out, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        let line = pattern.strip_prefix("./").map_or_else(|| pattern.to_owned(), |below| format!("/{below}"));
        let glob = builder.add_line(None, &line).and_then(|builder| builder.build()).ok();
        Self { takes_out: takes_out && glob.is_some(), glob }
    }

    fn matches(&self, path: &str) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.matched_path_or_any_parents(path, false).is_ignore())
    }
}

#[cfg(test)]
mod tests {
    use super::touches;

    /// Each of the paths alone: those behind `yes` match, those behind `no` do not.
    fn check(patterns: &[&str], yes: &[&str], no: &[&str]) {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        for path in yes {
            assert!(touches(&patterns, &[path]), "{patterns:?} should match {path}");
        }
        for path in no {
            assert!(!touches(&patterns, &[path]), "{patterns:?} should not match {path}");
        }
    }

    #[test]
    fn directories_and_files() {
        check(&["apps/web"], &["apps/web/src/a.ts", "apps/web"], &["apps/webx/a.ts", "apps/api/a.ts", "x/apps/web/a"]);
        check(&["apps/web/"], &["apps/web/a.ts"], &["apps/api/a.ts"]);
        check(&["apps/web/**"], &["apps/web/a.ts", "apps/web/b/c.ts"], &["apps/web.ts"]);
        check(&["/package.json"], &["package.json"], &["apps/web/package.json"]);
        check(&["./package.json"], &["package.json"], &["apps/web/package.json"]);
        check(&["package.json"], &["package.json", "apps/web/package.json"], &["package-lock.json"]);
    }

    #[test]
    fn wildcards() {
        check(&["*.rs"], &["a.rs", "crates/x/src/b.rs"], &["a.rst"]);
        check(&["packages/*/src"], &["packages/ui/src/a.ts"], &["packages/ui/test/a.ts", "packages/a/b/src/x"]);
        check(&["packages/**/src"], &["packages/ui/src/a.ts", "packages/a/b/src/x"], &["packages/ui/README.md"]);
        check(&["docs/[a-c]?.md"], &["docs/a1.md"], &["docs/d1.md", "docs/a.md"]);
    }

    #[test]
    fn the_last_match_decides() {
        check(&["apps/web/**", "!*.md"], &["apps/web/a.ts"], &["apps/web/README.md", "README.md"]);
        check(&["apps/web/", "!apps/web/docs/"], &["apps/web/a.ts"], &["apps/web/docs/a/b.md"]);
        check(&["!*.md", "apps/**"], &["apps/README.md", "apps/a"], &["README.md", "lib/a"]);
        check(&["*", "!docs/", "docs/api/"], &["a", "docs/api/x"], &["docs/x"]);
    }

    #[test]
    fn only_exceptions_mean_everything_else() {
        check(&["!docs/**"], &["src/a.rs", "README.md"], &["docs/a.md"]);
        check(&["!*.md", "!docs/"], &["src/a.rs"], &["README.md", "docs/x.png"]);
    }

    #[test]
    fn without_patterns_every_change_counts() {
        check(&[], &["a", "b/c"], &[]);
        check(&["", "  "], &["a", ".github/x"], &[]);
        assert!(!touches(&[], &[]), "nothing changed");
    }

    #[test]
    fn one_of_many_is_enough() {
        let patterns = ["apps/web".to_owned()];
        assert!(touches(&patterns, &["README.md", "apps/web/a", "apps/api/b"]));
        assert!(!touches(&patterns, &["README.md", "apps/api/b"]));
    }

    #[test]
    fn what_cannot_be_read_matches() {
        check(&["!*.md", "a["], &["b", "b.md"], &[]);
        check(&["a[", "!*.md"], &["b"], &["b.md"]);
        check(&["![a"], &["b"], &[]);
    }

    #[test]
    fn odd_paths() {
        check(&["apps"], &["/apps/x", "apps/ä ö/x"], &["appsx", ""]);
    }
}
