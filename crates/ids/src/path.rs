//! Where a project's runtime files lie.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::name::text_type;

/// First parts of absolute paths that lead over the system, or over what NanoScale itself puts there.
const SYSTEM: [&str; 15] = [
    "app",
    "bin",
    "boot",
    "cache",
    "dev",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "nanoscale",
    "proc",
    "run",
    "sbin",
    "sys",
    "usr",
];
/// What is the system's below `/etc`.
const SYSTEM_ETC: [&str; 29] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "gai.conf",
    "group",
    "gshadow",
    "hostname",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "localtime",
    "lsb-release",
    "mime.types",
    "mtab",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "shadow",
    "ssl",
    "sudoers",
    "sudoers.d",
    "timezone",
];

/// The path of a file that a project's processes find: `~/…` in the home directory, `/…` absolute, else relative to the
/// project's files. Backslashes are read as slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimePath(String);
text_type!(RuntimePath);

impl FromStr for RuntimePath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.replace('\\', "/");
        let unfit = |c: char| c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
        if text.contains(unfit) {
            return Err(Invalid::new("a file's path has no control character and none of : * ? \" < > | in it"));
        }
        let below_home = text.strip_prefix("~/");
        let absolute = text.strip_prefix('/');
        let parts = below_home.or(absolute).unwrap_or(&text).split('/').collect::<Vec<_>>();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(Invalid::new(
                "a file's path is like `config/app.json`, `~/.npmrc` or `/etc/app.conf`: no part of it is empty, `.` or `..`",
            ));
        }
        if below_home.is_none() && absolute.is_none() && parts[0].starts_with('~') {
            return Err(Invalid::new("the home directory is written `~/`, and nobody else's can be named"));
        }
        if absolute.is_some() && is_system(&parts) {
            return Err(Invalid::new(format!(
                "`{text}` belongs to the system; choose another place, or a path without the leading `/` for one among \
                 the project's own files"
            )));
        }
        Ok(Self(text))
    }
}

impl RuntimePath {
    /// Whether one of both would have to be a directory for the other one.
    pub fn collides(&self, other: &str) -> bool {
        let inside = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        inside(&self.0, other) || inside(other, &self.0)
    }
}

fn is_system(parts: &[&str]) -> bool {
    match parts {
        ["etc"] | ["tmp"] => true,
        ["etc", name, ..] => SYSTEM_ETC.contains(name),
        [first, ..] => SYSTEM.contains(first),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_files() {
        for good in ["~/.npmrc", "/etc/x", "rel/y", ".env", "a b/c", "/opt/app/conf.d/x", "~/.config/app/ü.toml"] {
            assert_eq!(good.parse::<RuntimePath>().unwrap().as_str(), good);
        }
        assert_eq!("dir\\f".parse::<RuntimePath>().unwrap().as_str(), "dir/f");
        for bad in [
            "",
            "a/../b",
            "..",
            "./a",
            "a/.",
            "a//b",
            "a/",
            "/",
            "~",
            "~/",
            "~root/x",
            "x:y",
            "a*",
            "a?",
            "a\"",
            "<",
            ">",
            "|",
            "a\0b",
            "a\nb",
            "..\\x",
            "//etc/x",
            "/usr/bin/node",
            "/etc/passwd",
            "/etc/ssl/x",
            "/proc/self/x",
            "/dev/null",
            "/nanoscale",
            "/app/x",
            "/lib64/x",
            "/etc",
            "/tmp",
        ] {
            assert!(bad.parse::<RuntimePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_is_no_directory() {
        let path = "a/b".parse::<RuntimePath>().unwrap();
        assert!(path.collides("a") && path.collides("a/b/c"));
        assert!(!path.collides("a/b") && !path.collides("a/bc") && !path.collides("b"));
    }
}
