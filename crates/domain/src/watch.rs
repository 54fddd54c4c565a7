//! Which changes of a repository concern a project that lies in a part of it.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns that one sentence names.
const NAMED: usize = 3;

/// The paths that a project watches, relative to the repository's top.
///
/// Patterns are those of a `.gitignore`: `apps/web/`, `*.md`, `/package.json`, `packages/**/src`. The last
/// one that matches a path or a directory above it decides, and `!` takes paths out again. With `!` patterns
/// only, every other path is watched; without patterns what lies below the root directory, with an empty root
/// directory everything. A pattern that cannot be read matches everything: too many deployments are noticed, a
/// missing one is not.
pub struct Watch<'a> {
    root: &'a str,
    rules: Vec<Rule>,
}

impl<'a> Watch<'a> {
    pub fn new(root: &'a str, patterns: &[String]) -> Self {
        let meant = patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty());
        Self { root, rules: meant.map(Rule::new).collect() }
    }

    /// Whether a change of `path` concerns the project.
    pub fn touches(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        if self.rules.is_empty() {
            return self.root.is_empty()
                || path.strip_prefix(self.root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        }
        let last = self.rules.iter().rev().find(|rule| rule.matches(path));
        last.map_or_else(|| self.rules.iter().all(|rule| rule.takes_out), |rule| !rule.takes_out)
    }
}

/// Says that nothing of what is watched is meant: `nothing under packages/api`.
pub fn nothing_watched(root: &str, patterns: &[String]) -> String {
    match (root, patterns) {
        ("", []) => "nothing".to_owned(),
        (root, []) => format!("nothing under {root}"),
        (_, patterns) => {
            let named = patterns.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            match patterns.len().saturating_sub(NAMED) {
                0 => format!("nothing that matches {named}"),
                more => format!("nothing that matches {named} and {more} more"),
            }
        }
    }
}

/// Says what is wrong with a pattern, and what to write instead.
///
/// # Errors
///
/// When it cannot be read, or can match nothing.
pub fn check(pattern: &str) -> Result<(), String> {
    let glob = pattern.strip_prefix('!').unwrap_or(pattern);
    if glob.trim_matches('/').is_empty() {
        return Err("it names nothing; write a path like `packages/api/**`".to_owned());
    }
    if pattern.starts_with('#') {
        return Err(format!("it reads as a comment; write `\\{pattern}`"));
    }
    if pattern.chars().any(char::is_control) {
        return Err("it has a line break or another control character; write one pattern per path".to_owned());
    }
    if glob.split('/').any(|part| part == "..") {
        return Err("it leads out of the repository; patterns begin at its top".to_owned());
    }
    match Rule::new(pattern).glob {
        Some(glob) if !glob.is_empty() => Ok(()),
        _ => {
            Err("it has an open bracket or brace, or a range backwards; write a path like `packages/api/**`".to_owned())
        }
    }
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
    use super::{Watch, check as checked, nothing_watched};

    fn touches(patterns: &[String], changed: &[&str]) -> bool {
        let watch = Watch::new("", patterns);
        changed.iter().any(|path| watch.touches(path))
    }

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
    fn without_patterns_it_is_the_root_directory() {
        let watch = Watch::new("apps/[web]", &[]);
        for (path, expected) in
            [("apps/[web]/a", true), ("apps/[web]", true), ("apps/w", false), ("apps/[web]x", false)]
        {
            assert_eq!(watch.touches(path), expected, "{path}");
        }
        assert!(Watch::new("apps/web", &["lib/".to_owned()]).touches("lib/a"));
        assert!(!Watch::new("apps/web", &["lib/".to_owned()]).touches("apps/web/a"));
    }

    #[test]
    fn patterns_are_checked_before_they_are_kept() {
        for good in ["packages/api/**", "!*.md", "/package.json", "./a", "\\#a", "a{b,c}", "ä ö", "a..b"] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for bad in ["", "!", "/", "# a", "a[", "![z-a]", "a{b", "../x", "a/../b", "a\nb"] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_was_not_touched_has_a_name() {
        let globs = |count: usize| (0..count).map(|it| format!("p{it}/**")).collect::<Vec<_>>();
        assert_eq!(nothing_watched("", &[]), "nothing");
        assert_eq!(nothing_watched("packages/api", &[]), "nothing under packages/api");
        assert_eq!(nothing_watched("x", &globs(1)), "nothing that matches p0/**");
        assert_eq!(nothing_watched("x", &globs(5)), "nothing that matches p0/**, p1/**, p2/** and 2 more");
    }

    #[test]
    fn odd_paths() {
        check(&["apps"], &["/apps/x", "apps/ä ö/x"], &["appsx", ""]);
    }
}
