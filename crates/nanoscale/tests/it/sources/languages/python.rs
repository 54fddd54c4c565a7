use super::{fixture, has_reason};

/// Answers with the place of its interpreter's packages.
const MAIN: &str = r#"
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.path.relpath(sys.prefix).encode())

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

const UV_PROJECT: &str = "[project]\nname = 'app'\nversion = '1.0.0'\nrequires-python = '>=3.9'\ndependencies = []\n";
const UV_LOCK: &str = "version = 1\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\n\
                       source = { virtual = \".\" }\n";

const POETRY_PROJECT: &str = r#"[tool.poetry]
name = "app"
version = "1.0.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = ">=3.9"
"#;
const POETRY_LOCK: &str = r#"package = []

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
content-hash = "db9b4c08b159b17b239e26c67ead7c37b82d9f9eb06550245ae3134c095f98f7"
"#;

#[tokio::test]
async fn uv_and_poetry_by_lock_file() {
    let fixture = fixture().await;
    let uv = [("pyproject.toml", UV_PROJECT), ("uv.lock", UV_LOCK), ("main.py", MAIN)];
    let (plan, answer) = fixture.answer("uv", &uv).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("python", ".venv"));
    assert!(has_reason(&plan, "uv because uv.lock is there"));

    let poetry = [("pyproject.toml", POETRY_PROJECT), ("poetry.lock", POETRY_LOCK), ("main.py", MAIN)];
    let (plan, answer) = fixture.answer("poetry", &poetry).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("python", ".venv"));
    assert!(has_reason(&plan, "Poetry because poetry.lock is there"));
}

#[tokio::test]
async fn flask_by_gunicorn_and_starlette_by_uvicorn() {
    let fixture = fixture().await;
    let flask = [
        ("requirements.txt", "flask\ngunicorn\n"),
        (
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef index():\n    return 'hello from flask'\n",
        ),
    ];
    let (plan, answer) = fixture.answer("flask", &flask).await;
    assert_eq!(answer, "hello from flask");
    assert_eq!(plan.run_command.as_deref(), Some("gunicorn app:app --bind $HOST:$PORT"));

    let starlette = [
        (
            "pyproject.toml",
            "[project]\nname = 'app'\nversion = '1.0.0'\nrequires-python = '>=3.9'\n\
             dependencies = ['starlette', 'uvicorn']\n[tool.uv]\npackage = false\n",
        ),
        (
            "web/main.py",
            "from starlette.applications import Starlette\nfrom starlette.responses import PlainTextResponse\n\
             from starlette.routing import Route\n\nasync def index(request):\n    return PlainTextResponse('hello from starlette')\n\n\
             app = Starlette(routes=[Route('/', index)])\n",
        ),
    ];
    let (plan, answer) = fixture.answer("starlette", &starlette).await;
    assert_eq!(answer, "hello from starlette");
    assert_eq!(plan.run_command.as_deref(), Some("uvicorn web.main:app --host $HOST --port $PORT"));
}
