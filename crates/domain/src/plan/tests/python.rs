use super::*;

#[test]
fn what_is_run() {
    check(&[("requirements.txt", "flask"), ("main.py", "")], &format!("python | {PIP} | - | python3 main.py | -"));
    for file in ["app.py", "server.py", "start.py", "bot.py", "hello.py"] {
        check(&[(file, "")], &format!("python | - | - | python3 {file} | -"));
    }
    assert!(fails(&[("requirements.txt", "")]).contains("main.py"));
}

#[test]
fn installers() {
    const POETRY: &str = "poetry install --only main --no-root --no-interaction --no-ansi";
    let pip_here = PIP.replace("-r requirements.txt", ".");
    let project = "[project]\nname = 'x'";
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("uv.lock", ""), ("pyproject.toml", project)], "uv sync --locked --no-dev"),
        (&[("uv.lock", ""), ("requirements.txt", "")], "uv sync --locked --no-dev"),
        (&[("poetry.lock", ""), ("pyproject.toml", "[tool.poetry]")], POETRY),
        (&[("poetry.lock", ""), ("pyproject.toml", project)], POETRY),
        (&[("pyproject.toml", "[tool.poetry]\nname = 'x'")], POETRY),
        (&[("requirements.txt", ""), ("pyproject.toml", "[tool.poetry]")], PIP),
        (&[("pyproject.toml", "[project]\nname = 'x'\n[tool.uv]\ndev-dependencies = []")], "uv sync --no-dev"),
        (&[("pyproject.toml", project)], &pip_here),
        (&[("pyproject.toml", "[tool.ruff]")], "-"),
        (&[("Pipfile", ""), ("Pipfile.lock", "")], "pipenv sync"),
        (&[("Pipfile", "[packages]\nflask = '*'")], "pipenv install"),
        (&[("setup.py", ""), ("pyproject.toml", "")], &pip_here),
    ];
    for (files, install) in cases {
        let files = [files, &[("main.py", "")]].concat();
        check(&files, &format!("python | {install} | - | python3 main.py | -"));
    }
    assert_eq!(planned(&[("uv.lock", ""), ("main.py", "")]).tools, ["python3", "uv"]);
}

fn run(files: &[(&str, &str)], expected: &str) {
    assert_eq!(planned(files).run_command.as_deref(), Some(expected), "{files:?}");
}

#[test]
fn fastapi() {
    let app = ("main.py", "from fastapi import FastAPI\n\napp = FastAPI()\n");
    let uvicorn = "uvicorn main:app --host $HOST --port $PORT";
    run(&[app, ("requirements.txt", "fastapi==0.1\nuvicorn[standard] >= 0.3")], uvicorn);
    run(&[app, ("requirements.txt", "FastAPI[standard]")], uvicorn);
    run(&[app, ("pyproject.toml", "[project]\ndependencies = ['fastapi', 'uvicorn>0']")], uvicorn);
    run(&[app, ("pyproject.toml", "[tool.poetry.dependencies]\nfastapi = {version='1', extras=['all']}")], uvicorn);
    run(&[app, ("Pipfile", "[packages]\nuvicorn = '*'")], uvicorn);
    run(&[app, ("requirements.txt", "fastapi\nhypercorn")], "hypercorn main:app --bind $HOST:$PORT");
    // Nothing among the packages serves it.
    run(&[app, ("requirements.txt", "fastapi")], "python3 main.py");
    run(
        &[("app/main.py", "api: FastAPI = fastapi.FastAPI(title='x')"), ("requirements.txt", "fastapi\nuvicorn")],
        "uvicorn app.main:api --host $HOST --port $PORT",
    );
    run(
        &[("shop/__init__.py", "app = Starlette()"), ("requirements.txt", "# uvicorn\nuvicorn")],
        "uvicorn shop:app --host $HOST --port $PORT",
    );
}

#[test]
fn flask() {
    let app = ("app.py", "app = Flask(__name__)\nif __name__ == '__main__':\n    app.run()\n");
    run(&[app, ("requirements.txt", "flask\ngunicorn")], "gunicorn app:app --bind $HOST:$PORT");
    run(&[app, ("requirements.txt", "Flask")], "flask --app app:app run --host $HOST --port $PORT");
    let listens = ("app.py", "app = Flask(__name__)\napp.run(port=int(os.environ['PORT']))");
    run(&[listens, ("requirements.txt", "flask")], "python3 app.py");
    let factory = ("shop/__init__.py", "def create_app():\n    app = Flask(__name__)\n    return app\n");
    run(&[factory, ("requirements.txt", "flask\ngunicorn")], "gunicorn 'shop:create_app()' --bind $HOST:$PORT");
    let wsgi = ("wsgi.py", "application = flask.Flask('x')");
    run(&[app, wsgi, ("requirements.txt", "flask\ngunicorn")], "gunicorn wsgi:application --bind $HOST:$PORT");
}

#[test]
fn django() {
    let site = [("manage.py", ""), ("shop/wsgi.py", ""), ("shop/asgi.py", "")];
    let with = |packages: &'static str| [site.as_slice(), &[("requirements.txt", packages)]].concat();
    run(&with("django"), "python3 manage.py runserver --noreload $HOST:$PORT");
    run(&with("Django\ngunicorn"), "gunicorn shop.wsgi:application --bind $HOST:$PORT");
    run(&with("Django\nuvicorn"), "uvicorn shop.asgi:application --host $HOST --port $PORT");
    run(&with("Django\ndaphne"), "daphne --bind $HOST --port $PORT shop.asgi:application");
    let build = planned(&with("django\nwhitenoise")).build_command;
    assert_eq!(build.as_deref(), Some("python3 manage.py collectstatic --noinput"));
    // manage.py is Django's; another main.py beside it is something else.
    run(
        &[with("django").as_slice(), &[("main.py", "")]].concat(),
        "python3 manage.py runserver --noreload $HOST:$PORT",
    );
}

#[test]
fn the_only_script_of_a_package() {
    let project = "[build-system]\nrequires = []\n[project]\nname = 'x'\n[project.scripts]\nserve-it = 'x:main'";
    run(&[("pyproject.toml", project), ("uv.lock", "")], "serve-it");
}
