//! A git host: the real `git http-backend` behind a small HTTP server.

mod cgi;
mod hold;
mod repo;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;

pub use hold::Hold;
pub use repo::Repo;

use crate::background::{self, Task};
use crate::scratch::Scratch;
use hold::Gate;

/// Serves repositories over smart HTTP on the loopback interface until it is dropped.
#[derive(Debug)]
pub struct GitServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: Task,
    _scratch: Scratch,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    repos: Mutex<BTreeMap<String, Settings>>,
    requests: Mutex<Vec<String>>,
}

/// How one repository is served.
#[derive(Debug, Clone, Default)]
struct Settings {
    /// User and password that everybody needs; anybody may read when absent.
    credentials: Option<(String, String)>,
    /// Speaks the first protocol only, in which a host may refuse what is no branch's or tag's newest commit.
    tips_only: bool,
    gate: Gate,
}

// === impl GitServer ===

impl GitServer {
    pub async fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen on the loopback interface");
        listener.set_nonblocking(true).expect("make the listener non-blocking");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let scratch = Scratch::new("git", None);
        let directory = scratch.path().to_owned();
        let shared = Arc::new(Shared { directory, repos: Mutex::default(), requests: Mutex::default() });
        let router = axum::Router::new().fallback(serve).with_state(shared.clone());
        let serving = background::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("take the listener over");
            axum::serve(listener, router).await.expect("serve git");
        });
        Self { addr, shared, _serving: serving, _scratch: scratch }
    }

    /// `host:port`, as the setting `git.allow_hosts` takes it.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// An empty repository whose default branch will be `main`.
    pub fn repo(&self, name: &str) -> Repo {
        Repo::create(self.shared.clone(), format!("http://{}/{name}.git", self.addr), name)
    }

    /// A repository with one commit: the files of `directory`.
    pub fn repo_from(&self, name: &str, directory: &Path) -> Repo {
        let repo = self.repo(name);
        repo.copy(directory);
        repo.commit("First commit");
        repo
    }

    /// A repository with one commit: the files of an app in `examples/`.
    pub fn repo_from_example(&self, name: &str, example: &str) -> Repo {
        self.repo_from(name, &crate::example(example))
    }

    /// What was asked for so far, like `GET /hello.git/info/refs?service=git-upload-pack`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// === impl Shared ===

impl Shared {
    /// Where the bare repositories lie, named like their address.
    fn root(&self) -> PathBuf {
        self.directory.join("served")
    }

    fn repos(&self) -> MutexGuard<'_, BTreeMap<String, Settings>> {
        self.repos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Settings)) {
        change(self.repos().entry(name.to_owned()).or_default());
    }
}

/// A command that sees no configuration but what it is given.
fn git(home: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let uri = request.uri().clone();
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {uri}", request.method()));
    let name = uri.path().trim_start_matches('/').split_once(".git").map(|(name, _)| name.to_owned());
    let settings = name.and_then(|name| shared.repos().get(&name).cloned());
    let Some(settings) = settings else {
        return (StatusCode::NOT_FOUND, "there is no such repository\n").into_response();
    };
    let user = match (&settings.credentials, basic_auth(request.headers())) {
        (None, sent) => sent.map(|(user, _)| user),
        (Some(wanted), Some(sent)) if *wanted == sent => Some(sent.0),
        (Some(_), _) => {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="git""#)];
            return (StatusCode::UNAUTHORIZED, challenge, "sign in\n").into_response();
        }
    };
    let (mut parts, body) = request.into_parts();
    if settings.tips_only {
        parts.headers.remove("git-protocol");
    }
    let body = match settings.gate.pass(uri.path(), body).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match cgi::run(git(&shared.directory), &shared.root(), user.as_deref(), &parts, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn basic_auth(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), password.to_owned()))
}
