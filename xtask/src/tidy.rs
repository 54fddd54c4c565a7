//! The repository's own rules, those that no other tool checks.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::{Command, root};

/// A file longer than this is two files.
const LINES_MAX: usize = 800;

/// Who may import whom, of our own crates: `server`, `node` and `mesh_agent` never meet, `edge`, `sandbox` and `screen` know nobody.
const IMPORTS: [(&str, &[&str]); 14] = [
    ("checkpoint", &[]),
    ("ids", &[]),
    ("api", &["ids"]),
    ("wire", &["ids"]),
    ("link", &[]),
    ("signatures", &["link"]),
    ("domain", &["ids"]),
    ("store", &["ids", "domain"]),
    ("edge", &[]),
    ("sandbox", &[]),
    ("screen", &[]),
    ("node", &["checkpoint", "ids", "wire", "link", "domain", "edge", "sandbox", "screen"]),
    ("mesh_agent", &["ids", "wire", "link", "signatures", "domain"]),
    ("server", &["checkpoint", "ids", "api", "wire", "link", "signatures", "domain", "store"]),
];

pub(crate) fn check() -> Result<()> {
    let mut broken = Vec::new();
    for name in Command::new("git").args(["ls-files"]).output()?.lines() {
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension == "rs" || extension == "ts" || extension == "tsx") {
            check_source(name, &mut broken)?;
        }
    }
    for (package, allowed) in IMPORTS {
        check_imports(package, allowed, &mut broken)?;
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("the repository's rules are broken:\n  {}", broken.join("\n  "));
}

fn check_source(name: &str, broken: &mut Vec<String>) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(root().join(name)) else { return Ok(()) };
    let lines = text.lines().count();
    if lines > LINES_MAX && !name.ends_with(".gen.ts") {
        broken.push(format!("{name} has {lines} lines, more than {LINES_MAX}"));
    }
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if ["utils", "util", "common", "helpers", "mod"].contains(&stem.as_str()) {
        broken.push(format!("{name}: a file is named for what it holds"));
    }
    let ignored = concat!("#[", "ignore");
    if text.contains(ignored) {
        broken.push(format!("{name}: no test is ignored"));
    }
    if name.starts_with("crates/") && !name.starts_with("crates/store/") && text.contains(concat!("sqlx", "::")) {
        broken.push(format!("{name}: only the store names sqlx"));
    }
    Ok(())
}

fn check_imports(package: &str, allowed: &[&str], broken: &mut Vec<String>) -> Result<()> {
    let directory = format!("crates/{}", package.replace('_', "-"));
    let manifest = std::fs::read_to_string(root().join(&directory).join("Cargo.toml"))?;
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    for (other, _) in IMPORTS {
        let imported = dependencies
            .lines()
            .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
        if imported && !allowed.contains(&other) {
            broken.push(format!("{directory} imports {other}, which docs/ARCHITECTURE.md does not allow"));
        }
    }
    Ok(())
}
