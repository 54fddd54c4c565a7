//! PHP: packages by Composer, and PHP's own server on the document root.

use serde_json::Value;

use super::{Found, PlanError, Step, Tree, node};

/// Asked before each request when the document root is the whole tree: files such as .env are nobody's business.
const GUARD: &str = r#"<?php return preg_match("~/[.](?!well-known/)~", urldecode(strtok($_SERVER["REQUEST_URI"], "?"))) ? http_response_code(404) : false;"#;

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let Some(marker) = tree.first_of(&["composer.json", "index.php", "public/index.php"]) else { return Ok(None) };
    let mut found = Found::new("php", format!("php: {marker} is there"));
    let composer: Value = match tree.text("composer.json") {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| PlanError::Unreadable { file: "composer.json", reason: error.to_string() })?,
        None => Value::Null,
    };
    let requires = composer["require"].as_object().into_iter().flatten();
    // `php` and `ext-json` are no packages, but other keys of composer.json want a class loader.
    let has_packages = requires.map(|(name, _)| name).any(|name| name.contains('/')) || !composer["autoload"].is_null();
    if has_packages {
        let reason = match tree.has("composer.lock") {
            true => "composer.lock pins the versions",
            false => "composer.json names packages",
        };
        let command = "composer install --no-dev --no-interaction --no-progress --prefer-dist --optimize-autoloader";
        found.install = Some(Step::new(command, reason, &["php", "composer"]));
    } else {
        found.no_install = Some("nothing to install: no composer.json names packages".into());
    }
    // The built-in server answers one request at a time without.
    found.env = vec![("PHP_CLI_SERVER_WORKERS", "4")];
    node::with_assets(&mut found, tree);
    found.run = run(tree);
    found.no_run = "there is no index.php at the top or in public/; set a run command".into();
    Ok(Some(found))
}

fn run(tree: &Tree) -> Option<Step> {
    let root =
        ["public", "web", ""].into_iter().find(|directory| tree.below(directory).any(|name| name == "index.php"))?;
    let server = "PHP's own server; for much traffic set a run command with FrankenPHP or another one";
    if tree.has("artisan") && root == "public" {
        // Releases are read-only: compiled views and logs go where they can be written.
        let command =
            "VIEW_COMPILED_PATH=$TMPDIR/views LOG_CHANNEL=${LOG_CHANNEL:-stderr} php -S $HOST:$PORT -t public";
        return Some(Step::new(command, format!("Laravel because artisan is there; {server}"), &["php"]));
    }
    if root.is_empty() {
        let command = format!("echo '{GUARD}' > $TMPDIR/guard.php && exec php -S $HOST:$PORT -t . $TMPDIR/guard.php");
        return Some(Step::new(
            command,
            format!("index.php is there, files that begin with a dot are kept back; {server}"),
            &["php"],
        ));
    }
    Some(Step::new(format!("php -S $HOST:$PORT -t {root}"), format!("{root}/index.php is there; {server}"), &["php"]))
}
