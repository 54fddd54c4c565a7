use super::*;

mod compiled;
mod node;
mod procfile;
mod python;
mod scripted;

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (name, text) in files {
        let parents = name.match_indices('/').map(|(end, _)| &name[..end]);
        tree.names.extend(parents.chain([*name]).map(str::to_owned));
        if text_limit(name).is_some() {
            tree.texts.insert((*name).to_owned(), (*text).to_owned());
        }
    }
    tree
}

fn planned(files: &[(&str, &str)]) -> Plan {
    plan(&tree(files), &Settings::default(), "the repository").unwrap()
}

fn fails(files: &[(&str, &str)]) -> String {
    plan(&tree(files), &Settings::default(), "apps/web").unwrap_err().to_string()
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
    for command in [&plan.install_command, &plan.build_command, &plan.run_command].into_iter().flatten() {
        assert!(crate::command::argv(command).is_some(), "{command}");
    }
    for tool in &plan.tools {
        assert!(!remedy(tool).starts_with("install it"), "{tool} has no remedy of its own");
    }
}

#[test]
fn static_sites() {
    check(&[("index.html", "")], "static | - | - | - | -");
    check(&[("public/index.html", "")], "static | - | - | - | public");
    assert!(planned(&[("index.html", "")]).serves_files());
}

#[test]
fn settings_override_everything() {
    let files = [("package.json", r#"{"scripts":{"start":"a"}}"#), ("Procfile", "worker: w\nweb: node web.js\n")];
    check(&files, "node | - | - | node web.js | -");
    let settings = Settings { run_command: Some("node mine.js".into()), ..Settings::default() };
    check_with(&files, &settings, "node | - | - | node mine.js | -");
    check_with(&[("x", "")], &settings, "custom | - | - | node mine.js | -");
    check_with(&[("package.json", "{")], &settings, "custom | - | - | node mine.js | -");
    // Only the choice that holds is explained.
    let reasons = plan(&tree(&files), &settings, "").unwrap().reasons;
    let run = reasons.iter().filter(|reason| reason.starts_with("run ")).collect::<Vec<_>>();
    assert_eq!(run, ["run `node mine.js`: set for the project"]);
}

#[test]
fn commands_of_the_owner_need_only_what_the_owner_knows() {
    let files =
        [("package.json", r#"{"scripts":{"start":"node x.js"},"dependencies":{"a":"1"}}"#), ("pnpm-lock.yaml", "")];
    assert_eq!(planned(&files).tools, ["node", "pnpm"]);
    let settings = Settings {
        install_command: Some("./install".into()),
        run_command: Some("./run".into()),
        ..Settings::default()
    };
    assert!(plan(&tree(&files), &settings, "").unwrap().tools.is_empty());
}

#[test]
fn a_run_command_runs_what_would_have_been_served() {
    let run = Settings { run_command: Some("node server.js".into()), ..Settings::default() };
    let front_end = [("package.json", r#"{"scripts":{"build":"vite build"}}"#)];
    check_with(&front_end, &run, "node | - | npm run build | node server.js | -");
    check_with(&[("index.html", "")], &run, "custom | - | - | node server.js | -");
    let in_directory = Settings { output_directory: Some("dist".into()), ..run };
    check_with(&front_end, &in_directory, "node | - | npm run build | node server.js | dist");
}

#[test]
fn an_output_directory_is_served_where_nothing_runs() {
    let settings =
        Settings { build_command: Some("hugo".into()), output_directory: Some("public".into()), ..Settings::default() };
    check_with(&[("hugo.toml", "")], &settings, "static | - | hugo | - | public");
    check_with(&[("requirements.txt", "")], &settings, &format!("static | {PIP} | hugo | - | public"));
}

const PIP: &str =
    "python3 -m venv .venv && .venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt";

#[test]
fn the_first_language_wins_and_says_so() {
    let package = ("package.json", r#"{"scripts":{"start":"node x"}}"#);
    for (file, kind) in [
        ("index.php", "php"),
        ("go.mod", "go"),
        ("pom.xml", "java"),
        ("Gemfile", "ruby"),
        ("requirements.txt", "python"),
        ("deno.json", "deno"),
        ("index.html", "node"),
    ] {
        let settings = Settings { run_command: Some("x".into()), ..Settings::default() };
        let text = if file == "deno.json" { "{}" } else { "" };
        let plan = plan(&tree(&[package, (file, text)]), &settings, "").unwrap();
        assert_eq!(plan.kind, kind, "{file}");
        let told = plan.reasons.iter().any(|reason| reason.starts_with("package.json is not used"));
        assert_eq!(told, !["node", "deno"].contains(&kind), "{file}: {:?}", plan.reasons);
    }
}

#[test]
fn failures_say_what_to_do() {
    assert!(fails(&[("README.md", "")]).contains("apps/web"));
    assert!(fails(&[("package.json", "{")]).contains("package.json cannot be read"));
    assert!(fails(&[("package.json", "{}")]).contains("start script"));
    assert!(fails(&[("Cargo.toml", "[")]).contains("Cargo.toml cannot be read"));
    assert!(fails(&[("deno.json", "{")]).contains("deno.json cannot be read"));
    assert!(fails(&[("composer.json", "{")]).contains("composer.json cannot be read"));
    assert!(fails(&[("pyproject.toml", "= 3")]).contains("pyproject.toml cannot be read"));
    assert!(fails(&[("Procfile", "release: x")]).contains("found nothing"));
}

#[test]
fn what_is_read_is_bounded() {
    for path in
        ["package.json", "crates/a/Cargo.toml", "main.py", "src/main.py", "main.go", "cmd/x/main.go", "vite.config.ts"]
    {
        assert!(text_limit(path).is_some_and(|limit| limit < TEXTS_MAX), "{path}");
    }
    for path in ["a/package.json", "a/b/main.py", "README.md", "package-lock.json", "a/main.go", "x.py"] {
        assert_eq!(text_limit(path), None, "{path}");
    }
}
