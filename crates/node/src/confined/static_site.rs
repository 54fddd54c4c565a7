use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower_http::services::{ServeDir, ServeFile};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StaticRequest {
    /// A path that names no file gets index.html, for the page to route by itself.
    pub(crate) single_page: bool,
}

/// Serves the working directory at `PORT` of the loopback interface.
pub(super) fn run(request: &StaticRequest) -> io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<u16>().ok()).unwrap_or_default();
    let files = ServeDir::new(".");
    let files: Router = if request.single_page {
        Router::new().fallback_service(files.fallback(ServeFile::new("index.html")))
    } else {
        Router::new().fallback_service(files.not_found_service(ServeFile::new("404.html")))
    };
    let app = files.layer(axum::middleware::from_fn(hide_dot_files));
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

/// `.git`, `.env` and their like are in many a directory that somebody uploads.
async fn hide_dot_files(request: Request, next: axum::middleware::Next) -> Response {
    if !may_be_served(request.uri().path()) {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
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
    use super::may_be_served;

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
