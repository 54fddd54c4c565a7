//! The dashboard, built into the binary.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::Error;

#[derive(RustEmbed)]
#[folder = "../../dashboard/dist"]
#[allow_missing = true]
struct Assets;

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>NanoScale</title>\
    <body style=\"font:16px/1.5 system-ui;max-width:40rem;margin:15vh auto;padding:0 1rem\">\
    <h1>The dashboard is not built into this binary</h1>\
    <p>Build it with <code>cargo xtask run</code> or <code>cargo xtask dist</code>. The API and the command line work without it.";

/// Everything that is no route of the API: assets, and the page for paths that the page itself routes.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") || path.starts_with("v1/") {
        return Error::not_found("route").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Error::method_not_allowed().into_response();
    }
    if let Some(file) = Assets::get(path).filter(|_| !path.is_empty()) {
        return asset(path, file);
    }
    // A missing asset answered with the page would look like a broken one.
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    match Assets::get("index.html") {
        Some(index) if is_page => asset("index.html", index),
        None if is_page => (StatusCode::NOT_FOUND, Html(NOT_BUILT)).into_response(),
        _ => Error::not_found("file").into_response(),
    }
}

fn asset(path: &str, file: EmbeddedFile) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    // Assets have their hash in their name; the page names the present ones.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = file.data.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
