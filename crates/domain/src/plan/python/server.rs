use super::super::{Step, Tree, quote};
use super::packages::Packages;

/// The app object of a web framework.
struct App {
    /// The module that has it, as Python names it.
    module: String,
    file: String,
    /// `app`, or `create_app()`.
    object: String,
    class: &'static str,
}

const ASYNC: [&str; 4] = ["FastAPI", "Starlette", "Litestar", "Quart"];
const CLASSES: [&str; 5] = ["FastAPI", "Starlette", "Litestar", "Quart", "Flask"];

/// Django by the server that is among its packages, else by its own.
pub(super) fn django(tree: &Tree, packages: &Packages) -> Option<Step> {
    if !tree.has("manage.py") {
        return None;
    }
    let project = |file: &str| {
        let mut names = tree.names.iter().filter_map(|name| name.strip_suffix(file)?.strip_suffix('/'));
        names.find(|name| !name.contains('/')).map(str::to_owned)
    };
    if let Some(project) = project("wsgi.py").filter(|_| packages.uses("gunicorn")) {
        let command = format!("gunicorn {}.wsgi:application --bind $HOST:$PORT", quote(&project));
        return Some(Step::new(
            command,
            "Django because manage.py is there; gunicorn is among the packages",
            &["python3"],
        ));
    }
    if let Some(project) = project("asgi.py") {
        let project = quote(&project);
        for (server, command) in [
            ("uvicorn", format!("uvicorn {project}.asgi:application --host $HOST --port $PORT")),
            ("daphne", format!("daphne --bind $HOST --port $PORT {project}.asgi:application")),
        ] {
            if packages.uses(server) {
                let reason = format!("Django because manage.py is there; {server} is among the packages");
                return Some(Step::new(command, reason, &["python3"]));
            }
        }
    }
    let reason = "Django's own server because manage.py is there; add gunicorn to the packages for production";
    Some(Step::new("python3 manage.py runserver --noreload $HOST:$PORT", reason, &["python3"]))
}

/// An app object that a server among the packages can serve.
pub(super) fn application(tree: &Tree, packages: &Packages) -> Option<Step> {
    let app = find(tree)?;
    let App { module, file, object, class } = &app;
    let target = quote(&format!("{module}:{object}"));
    let step = |command: String, server: &str| {
        let reason = format!("{file} makes a {class} app and {server} is among the packages");
        Some(Step::new(command, reason, &["python3"]))
    };
    if ASYNC.contains(class) {
        if packages.uses("uvicorn") {
            return step(format!("uvicorn {target} --host $HOST --port $PORT"), "uvicorn");
        }
        if packages.uses("hypercorn") {
            return step(format!("hypercorn {target} --bind $HOST:$PORT"), "hypercorn");
        }
        return None;
    }
    if packages.uses("gunicorn") {
        return step(format!("gunicorn {target} --bind $HOST:$PORT"), "gunicorn");
    }
    // A program that reads PORT starts its server itself.
    let starts_itself = tree.text(file).is_some_and(|text| text.contains("PORT") && text.contains(".run("));
    if packages.uses("flask") && !starts_itself {
        let command = format!("flask --app {target} run --host $HOST --port $PORT");
        let reason = format!(
            "{file} makes a Flask app; add gunicorn to the packages for production, this is Flask's own server"
        );
        return Some(Step::new(command, reason, &["python3"]));
    }
    None
}

/// The first app object; programs at the top come before those of packages.
fn find(tree: &Tree) -> Option<App> {
    let mut files = tree.texts.keys().filter(|name| name.ends_with(".py")).collect::<Vec<_>>();
    files.sort_by_key(|name| (name.contains('/'), rank(name), name.as_str()));
    files.into_iter().find_map(|file| {
        let module = file.strip_suffix(".py")?.replace('/', ".");
        let module = module.strip_suffix(".__init__").unwrap_or(&module).to_owned();
        let (object, class) = app_object(tree.text(file)?)?;
        Some(App { module, file: file.clone(), object, class })
    })
}

/// `wsgi.py` and `asgi.py` are there to be served; then come the usual names.
fn rank(file: &str) -> usize {
    let names = ["wsgi.py", "asgi.py", "main.py", "app.py", "server.py"];
    let name = file.rsplit('/').next().unwrap_or(file);
    names.iter().position(|usual| *usual == name).unwrap_or(names.len())
}

/// A line `app = Flask(…)` of a module, or a `create_app` that makes one.
fn app_object(text: &str) -> Option<(String, &'static str)> {
    let makes = |value: &str| {
        let call = value.trim().split('(').next().unwrap_or_default();
        let class = call.rsplit('.').next().unwrap_or_default();
        CLASSES.into_iter().find(|known| *known == class && value.contains('('))
    };
    let object = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next().unwrap_or_default().trim_end();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        makes(value).filter(|_| plain).map(|class| (name.to_owned(), class))
    });
    object.or_else(|| {
        let factory = text.lines().any(|line| line.starts_with("def create_app("));
        let made = text.lines().filter_map(|line| line.split_once('=')).find_map(|(_, value)| makes(value));
        made.filter(|class| factory && *class == "Flask").map(|class| ("create_app()".to_owned(), class))
    })
}
