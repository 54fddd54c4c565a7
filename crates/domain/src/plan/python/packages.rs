use std::collections::BTreeSet;

use toml::Table;

use super::super::{PlanError, Step, Tree};

/// What a Python tree depends on.
#[derive(Default)]
pub(super) struct Packages {
    /// Normalised: lower case, `-` for `_` and `.`.
    names: BTreeSet<String>,
    project: Option<Table>,
}

impl Packages {
    pub(super) fn read(tree: &Tree) -> Result<Self, PlanError> {
        let mut packages = Self::default();
        for line in tree.text("requirements.txt").into_iter().flat_map(str::lines) {
            packages.add(line);
        }
        if let Some(pipfile) = table(tree, "Pipfile")? {
            packages.add_keys(pipfile.get("packages"));
        }
        if let Some(project) = table(tree, "pyproject.toml")? {
            let dependencies = project.get("project").and_then(|project| project.get("dependencies"));
            for dependency in dependencies.and_then(toml::Value::as_array).into_iter().flatten() {
                packages.add(dependency.as_str().unwrap_or_default());
            }
            packages.add_keys(tool(&project, "poetry").and_then(|poetry| poetry.get("dependencies")));
            packages.project = Some(project);
        }
        Ok(packages)
    }

    pub(super) fn uses(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// One line of a requirements file: `Flask[async]>=3 ; python_version > "3"`.
    fn add(&mut self, line: &str) {
        let line = line.split('#').next().unwrap_or_default().trim();
        let name = line.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).next().unwrap_or_default();
        if name.is_empty() || line.starts_with('-') {
            return;
        }
        let extras = line[name.len()..].trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        self.add_name(name, extras.map(|(extras, _)| extras).unwrap_or_default());
    }

    /// A table of packages, as Poetry and Pipenv have it.
    fn add_keys(&mut self, packages: Option<&toml::Value>) {
        for (name, value) in packages.and_then(toml::Value::as_table).into_iter().flatten() {
            let extras = value.get("extras").and_then(toml::Value::as_array).into_iter().flatten();
            let extras = extras.filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",");
            self.add_name(name, &extras);
        }
    }

    fn add_name(&mut self, name: &str, extras: &str) {
        let name = name.to_lowercase().replace(['_', '.'], "-");
        // FastAPI brings a server only if asked to.
        if name == "fastapi" && extras.split(',').any(|extra| ["standard", "all"].contains(&extra.trim())) {
            self.names.insert("uvicorn".into());
        }
        self.names.insert(name);
    }

    fn has(&self, section: &str) -> bool {
        self.project.as_ref().is_some_and(|project| project.contains_key(section))
    }

    /// The command that the project itself defines, if it is installed and defines one.
    pub(super) fn only_script(&self) -> Option<String> {
        let project = self.project.as_ref().filter(|project| project.contains_key("build-system"))?;
        let scripts = project.get("project")?.get("scripts")?.as_table()?;
        let mut names = scripts.keys();
        names.next().filter(|_| names.next().is_none()).cloned()
    }

    /// Lock files first, as they say which tool is in use; then the lists that people write.
    pub(super) fn install(&self, tree: &Tree) -> Option<Step> {
        let poetry = self.project.as_ref().is_some_and(|project| tool(project, "poetry").is_some());
        // The interpreter and its packages in .venv, where the process finds them.
        if tree.has("uv.lock") {
            let reason = "uv because uv.lock is there";
            return Some(Step::new("uv sync --locked --no-dev", reason, &["python3", "uv"]));
        }
        if tree.has("poetry.lock") {
            return Some(by_poetry("Poetry because poetry.lock is there"));
        }
        if tree.has("Pipfile.lock") {
            return Some(Step::new("pipenv sync", "Pipenv because Pipfile.lock is there", &["python3", "pipenv"]));
        }
        if tree.has("requirements.txt") {
            return Some(by_pip("-r requirements.txt", "pip because requirements.txt is there"));
        }
        if tree.has("Pipfile") {
            let reason = "Pipenv because Pipfile is there";
            return Some(Step::new("pipenv install", reason, &["python3", "pipenv"]));
        }
        if poetry {
            return Some(by_poetry("Poetry because pyproject.toml has [tool.poetry]"));
        }
        if self.project.as_ref().is_some_and(|project| tool(project, "uv").is_some()) {
            let reason = "uv because pyproject.toml has [tool.uv]";
            return Some(Step::new("uv sync --no-dev", reason, &["python3", "uv"]));
        }
        if self.has("project") || self.has("build-system") || tree.has("setup.py") {
            return Some(by_pip(".", "pip because pyproject.toml describes a package and there is no lock file"));
        }
        None
    }
}

fn by_pip(source: &str, reason: &str) -> Step {
    let command =
        format!("python3 -m venv .venv && .venv/bin/python -m pip install --disable-pip-version-check {source}");
    Step::new(command, reason, &["python3"])
}

fn by_poetry(reason: &str) -> Step {
    // Without the project itself, which need not be a package; it is found in the working directory.
    let command = "poetry install --only main --no-root --no-interaction --no-ansi";
    Step::new(command, reason, &["python3", "poetry"])
}

fn tool<'a>(project: &'a Table, name: &str) -> Option<&'a toml::Value> {
    project.get("tool")?.get(name)
}

fn table(tree: &Tree, file: &'static str) -> Result<Option<Table>, PlanError> {
    let Some(text) = tree.text(file) else { return Ok(None) };
    let unreadable = |error: toml::de::Error| PlanError::Unreadable { file, reason: error.message().to_owned() };
    text.parse::<Table>().map(Some).map_err(unreadable)
}
