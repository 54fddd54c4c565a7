use super::*;

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree {
        names: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
        texts: files
            .iter()
            .filter(|(name, _)| READ.contains(name))
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

/// `kind | install | build | run | output`, with `-` for what is absent.
fn check(files: &[(&str, &str)], expected: &str) {
    check_with(files, &Settings::default(), expected);
}

fn check_with(files: &[(&str, &str)], settings: &Settings, expected: &str) {
    let plan = plan(&tree(files), settings, "the repository").unwrap();
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let got = format!(
        "{} | {} | {} | {} | {}",
        plan.kind,
        or_dash(&plan.install_command),
        or_dash(&plan.build_command),
        or_dash(&plan.run_command),
        or_dash(&plan.output_directory)
    );
    assert_eq!(got, expected);
    assert!(!plan.reasons.is_empty());
}

#[test]
fn node() {
    check(&[("package.json", r#"{"scripts":{"start":"node server.js"}}"#)], "node | - | - | node server.js | -");
    check(
        &[("package.json", r#"{"scripts":{"start":"next start","build":"next build"}}"#), ("package-lock.json", "")],
        "node | npm ci --include=dev --no-audit --no-fund | npm run build | next start | -",
    );
    check(
        &[("package.json", r#"{"dependencies":{"a":"1"},"main":"x.js"}"#), ("x.js", "")],
        "node | npm install --include=dev --no-audit --no-fund | - | node x.js | -",
    );
    check(&[("package.json", "{}"), ("index.js", "")], "node | - | - | node index.js | -");
    check(&[("package.json", r#"{"scripts":{"start":"a","prestart":"b"}}"#)], "node | - | - | npm start | -");
}

#[test]
fn a_built_front_end_is_served() {
    check(
        &[("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"8"}}"#)],
        "spa | npm install --include=dev --no-audit --no-fund | npm run build | - | dist",
    );
}

#[test]
fn python() {
    check(
        &[("requirements.txt", "flask"), ("main.py", "")],
        "python | python3 -m venv .venv && .venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt | - | python3 main.py | -",
    );
    check(&[("app.py", "")], "python | - | - | python3 app.py | -");
}

#[test]
fn static_sites() {
    check(&[("index.html", "")], "static | - | - | - | -");
    check(&[("public", "")], "static | - | - | - | public");
}

#[test]
fn a_procfile_overrides_the_language_and_settings_override_both() {
    let files = [("package.json", r#"{"scripts":{"start":"a"}}"#), ("Procfile", "worker: w\nweb: node web.js\n")];
    check(&files, "node | - | - | node web.js | -");
    let settings = Settings { run_command: Some("node mine.js".into()), ..Settings::default() };
    check_with(&files, &settings, "node | - | - | node mine.js | -");
    check_with(&[("x", "")], &settings, "custom | - | - | node mine.js | -");
    // Only the choice that holds is explained.
    let reasons = plan(&tree(&files), &settings, "").unwrap().reasons;
    let run = reasons.iter().filter(|reason| reason.starts_with("run ")).collect::<Vec<_>>();
    assert_eq!(run, ["run `node mine.js`: set for the project"]);
}

#[test]
fn failures_say_what_to_do() {
    let fails = |files: &[(&str, &str)]| plan(&tree(files), &Settings::default(), "apps/web").unwrap_err().to_string();
    assert!(fails(&[("README.md", "")]).contains("apps/web"));
    assert!(fails(&[("package.json", "{")]).contains("package.json cannot be read"));
    assert!(fails(&[("package.json", "{}")]).contains("start script"));
}
