//! Go: every program of the module, compiled into bin/.

use super::{Found, PlanError, Step, Tree, quote};

/// What the web program among several tends to be called.
const WEB: [&str; 4] = ["server", "web", "api", "app"];

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let Some(marker) = tree.first_of(&["go.mod", "go.work", "main.go"]) else { return Ok(None) };
    let mut found = Found::new("go", format!("go: {marker} is there"));
    found.no_install = Some("nothing to install: go build fetches what go.mod names".into());
    let module = tree.text("go.mod").and_then(module_name);
    let commands = commands(tree);
    let (build, reason, run) = if marker == "main.go" {
        ("go build -o bin/app main.go".to_owned(), "main.go is there and no go.mod".to_owned(), Some("app".to_owned()))
    } else if is_program_at_top(tree) {
        let name = module.unwrap_or_else(|| "app".into());
        let reason = "the top directory is a program".to_owned();
        (format!("go build -o {} .", quote(&format!("bin/{name}"))), reason, Some(name))
    } else if let [only] = commands.as_slice() {
        let build = format!("go build -o {} {}", quote(&format!("bin/{only}")), quote(&format!("./cmd/{only}")));
        (build, format!("cmd/{only} is the only program"), Some(only.clone()))
    } else if commands.is_empty() {
        found.no_run = "go.mod is there, but no main.go and no programs in cmd/; set a build and a run command".into();
        return Ok(Some(found));
    } else {
        let web = module.iter().map(String::as_str).chain(WEB).find(|name| commands.iter().any(|own| own == name));
        let reason = format!("cmd/ has the programs {}", commands.join(", "));
        found.no_run = format!(
            "{reason}, which are built into bin/; say which one to run: set a run command such as `bin/{}`, or add a \
             Procfile with a web process",
            commands[0]
        );
        ("mkdir -p bin && go build -o bin/ ./cmd/...".to_owned(), reason, web.map(str::to_owned))
    };
    found.build = Some(Step::new(build, reason, &["go"]));
    found.run = run.map(|name| Step::new(quote(&format!("bin/{name}")), "the program that is built", &[]));
    Ok(Some(found))
}

/// The last part of the module's path that is no version.
fn module_name(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
    let path = path.split("//").next().unwrap_or_default().trim().trim_matches('"');
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|digits| digits.parse::<u32>().is_ok());
    path.rsplit('/').find(|part| !is_version(part)).filter(|part| !part.is_empty()).map(str::to_owned)
}

/// Whether the source belongs to a program, and not to a generator that is run by hand.
fn is_program(text: &str) -> bool {
    !text.contains("build ignore") && text.lines().any(|line| line.split_whitespace().take(2).eq(["package", "main"]))
}

fn is_program_at_top(tree: &Tree) -> bool {
    let mut sources = tree.texts.iter().filter(|(name, _)| name.ends_with(".go") && !name.contains('/'));
    sources.any(|(name, text)| !name.ends_with("_test.go") && is_program(text))
}

/// The directories of `cmd/` that have a program.
fn commands(tree: &Tree) -> Vec<String> {
    let is_command = |name: &&str| {
        let directory = format!("cmd/{name}");
        let mut sources = tree.below(&directory).filter(|file| file.ends_with(".go") && !file.ends_with("_test.go"));
        sources.any(|file| tree.text(&format!("{directory}/{file}")).is_some_and(is_program))
    };
    tree.below("cmd").filter(is_command).map(str::to_owned).collect()
}
