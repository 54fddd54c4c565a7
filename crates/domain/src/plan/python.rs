//! Python: packages into .venv by whichever installer, and the server its framework wants.

mod packages;
mod server;

use super::{Found, PlanError, Step, Tree, quote};
use packages::Packages;

/// Programs people start without saying so, in this order.
const ENTRIES: [&str; 6] = ["main.py", "app.py", "server.py", "start.py", "bot.py", "hello.py"];
const MARKERS: [&str; 6] = ["uv.lock", "poetry.lock", "requirements.txt", "pyproject.toml", "Pipfile", "manage.py"];

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let Some(marker) = tree.first_of(&MARKERS).or_else(|| tree.first_of(&ENTRIES)) else { return Ok(None) };
    let packages = Packages::read(tree)?;
    let mut found = Found::new("python", format!("python: {marker} is there"));
    found.env = vec![("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")];
    found.path = vec![".venv/bin"];
    found.install = packages.install(tree);
    if found.install.is_none() {
        found.no_install = Some("nothing to install: no file names packages".into());
    }
    if tree.has("manage.py") && packages.uses("whitenoise") {
        let command = "python3 manage.py collectstatic --noinput";
        found.build =
            Some(Step::new(command, "manage.py is there and whitenoise serves what it collects", &["python3"]));
    }
    found.run = server::django(tree, &packages)
        .or_else(|| server::application(tree, &packages))
        .or_else(|| entry(tree))
        .or_else(|| packages.only_script().map(|name| Step::new(name, "the only script of pyproject.toml", &[])));
    found.no_run =
        "there is no main.py, app.py, server.py or manage.py; add a Procfile with a web process or set a run command"
            .into();
    Ok(Some(found))
}

fn entry(tree: &Tree) -> Option<Step> {
    let file = tree.first_of(&ENTRIES)?;
    Some(Step::new(format!("python3 {}", quote(file)), "the file is there", &["python3"]))
}
