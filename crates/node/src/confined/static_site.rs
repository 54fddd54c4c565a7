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
    let path = request.uri().path();
    let hidden =
        |part: &str| (part.starts_with('.') || part.to_ascii_lowercase().starts_with("%2e")) && part != ".well-known";
    if path.split('/').any(hidden) {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}
