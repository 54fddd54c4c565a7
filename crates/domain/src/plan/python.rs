use super::{Plan, Tree};

const ENTRY: [&str; 3] = ["main.py", "app.py", "server.py"];

pub(super) fn detect(tree: &Tree) -> Option<Plan> {
    let marker = tree.first_of(&[
        "requirements.txt",
        "pyproject.toml",
        "Pipfile",
        "main.py",
        "app.py",
        "server.py",
        "manage.py",
    ])?;
    let mut plan = Plan {
        kind: "python",
        tools: vec!["python3"],
        env: vec![("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")],
        path: vec![".venv/bin"],
        ..Plan::default()
    };
    plan.because(format!("python: {marker} is there"));
    let source = match marker {
        "requirements.txt" => Some("-r requirements.txt"),
        "pyproject.toml" => Some("."),
        _ => None,
    };
    match source {
        Some(source) => {
            plan.because(format!("install with pip into .venv: {marker} names the packages"));
            plan.install_command = Some(format!(
                "python3 -m venv .venv && .venv/bin/python -m pip install --disable-pip-version-check {source}"
            ));
        }
        None => plan.because("nothing to install: there is no requirements.txt or pyproject.toml"),
    }
    if let Some(file) = tree.first_of(&ENTRY) {
        plan.because(format!("run `python3 {file}`: the file is there"));
        plan.run_command = Some(format!("python3 {file}"));
    } else if tree.has("manage.py") {
        plan.because("run Django's server: manage.py is there; a Procfile with gunicorn suits production better");
        plan.run_command = Some("python3 manage.py runserver --noreload 127.0.0.1:$PORT".into());
    }
    Some(plan)
}
