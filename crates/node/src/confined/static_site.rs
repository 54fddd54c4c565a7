use std::ffi::OsStr;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower_http::services::{ServeDir, ServeFile};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StaticRequest {
    /// A path that names no file gets index.html, for the page to route by itself.
    pub(crate) single_page: bool,
}

/// What a directory is answered with.
const INDEX: &str = "index.html";

/// Serves the working directory at `PORT` of the loopback interface.
pub(super) fn run(request: &StaticRequest) -> io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<u16>().ok()).unwrap_or_default();
    let app = app(Path::new(".").canonicalize()?, request.single_page);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        println!("serving files on port {port}");
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        axum::serve(listener, app)
            .with_graceful_shutdown(async move {
                terminate.recv().await;
            })
            .await
    })
}

/// Answers with the files below `root`, which has no link in it.
fn app(root: PathBuf, single_page: bool) -> Router {
    let files = ServeDir::new(&root);
    let fallback = |name: &str| stays_inside(&root, name).then(|| ServeFile::new(root.join(name)));
    let files = match (single_page, fallback(INDEX), fallback("404.html")) {
        (true, Some(page), _) => Router::new().fallback_service(files.fallback(page)),
        (false, _, Some(page)) => Router::new().fallback_service(files.not_found_service(page)),
        _ => Router::new().fallback_service(files),
    };
    files.layer(middleware::from_fn_with_state(Arc::from(root), hide))
}

/// `.git`, `.env` and their like are in many a directory that somebody uploads; and a link that a build made
/// may lead anywhere in the sandbox. Nobody writes to a release any more, so what is looked at is what is opened.
async fn hide(State(root): State<Arc<Path>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let served = may_be_served(&path)
        && tokio::task::spawn_blocking(move || stays_inside(&root, &path)).await.is_ok_and(|inside| inside);
    if !served {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

/// Whether what a path names, if it names anything, is below `root`, through whatever links. Of a directory, its
/// index too.
fn stays_inside(root: &Path, path: &str) -> bool {
    let names = path.split('/').map(|part| percent_encoding::percent_decode_str(part).collect::<Vec<u8>>());
    let named = names.fold(root.to_owned(), |path, name| path.join(OsStr::from_bytes(&name)));
    let inside = |path: &Path| match path.canonicalize() {
        Ok(found) => found.starts_with(root),
        // Of no interest to anybody.
        Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    };
    inside(&named) && inside(&named.join(INDEX))
}

/// Whether a path names nothing hidden. Each part is decoded first, as whoever opens the file does it:
/// what is hidden stays so however it is written. A slash or a NUL that was encoded is in no file's name.
fn may_be_served(path: &str) -> bool {
    path.split('/').all(|part| {
        let name = percent_encoding::percent_decode_str(part).collect::<Vec<u8>>();
        let hidden = name.starts_with(b".") && name != b".well-known";
        !hidden && !name.contains(&b'/') && !name.contains(&0)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{app, may_be_served};

    async fn get(root: &std::path::Path, single_page: bool, path: &str) -> (u16, String) {
        let request = axum::extract::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response =
            tower::ServiceExt::oneshot(app(root.canonicalize().unwrap(), single_page), request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn no_link_leads_out() {
        let directory = tempfile::tempdir().unwrap();
        let (site, outside) = (directory.path().join("site"), directory.path().join("outside"));
        for directory in [&site.join("sub"), &site.join("a b"), &outside] {
            std::fs::create_dir_all(directory).unwrap();
            std::fs::write(directory.join("index.html"), "a page").unwrap();
        }
        std::fs::write(outside.join("secret"), "secret").unwrap();
        symlink("../outside/secret", site.join("up")).unwrap();
        symlink(&outside, site.join("tree")).unwrap();
        symlink("tree", site.join("twice")).unwrap();
        symlink(outside.join("secret"), site.join("a b/ä")).unwrap();
        symlink(outside.join("secret"), site.join("404.html")).unwrap();
        symlink(outside.join("secret"), site.join("index.html")).unwrap();
        symlink("loop", site.join("loop")).unwrap();
        symlink("sub", site.join("inside")).unwrap();
        let led_out = [
            "/",
            "/index.html",
            "/up",
            "/tree",
            "/tree/",
            "/tree/secret",
            "/twice/secret",
            "/a%20b/%C3%A4",
            "/404.html",
        ];
        for single_page in [false, true] {
            for path in led_out.into_iter().chain(["/loop", "/missing", "/sub/index.html/x"]) {
                assert_eq!(get(&site, single_page, path).await, (404, String::new()), "{path}");
            }
            for path in ["/sub/", "/sub/index.html", "/inside/", "/a%20b/"] {
                assert_eq!(get(&site, single_page, path).await, (200, "a page".into()), "{path}");
            }
        }
        std::fs::remove_file(site.join("index.html")).unwrap();
        std::fs::write(site.join("index.html"), "front").unwrap();
        assert_eq!(get(&site, true, "/missing").await, (200, "front".into()));
        assert_eq!(get(&site, true, "/up").await.0, 404);
    }

    #[test]
    fn what_is_hidden_stays_so_however_it_is_written() {
        for shown in
            ["/", "/index.html", "/a%20b/c%C3%A4.txt", "/.well-known/x", "/%2ewell-known/x", "/a..b/c.", "/%252eenv"]
        {
            assert!(may_be_served(shown), "{shown}");
        }
        for hidden in [
            "/.env",
            "/%2eenv",
            "/%2Eenv",
            "/a/.git/config",
            "/a%2f.env",
            "/a%2F%2eenv",
            "/a%2f..%2f.env",
            "/..",
            "/%2e%2e/x",
            "/%2e.%2fx",
            "/a%00",
            "/%00.env",
            "/a%2fb",
        ] {
            assert!(!may_be_served(hidden), "{hidden}");
        }
    }
}
