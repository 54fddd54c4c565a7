//! Ollama's server as far as it fetches models, after its published API: the real one fetches from the internet.

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A model that nobody has.
pub const UNHEARD_OF: &str = "unheard-of";

/// A layer at a time, until it is dropped.
#[derive(Debug)]
pub struct FetchingOllama {
    url: String,
    goes_on: watch::Sender<bool>,
}

// === impl FetchingOllama ===

impl FetchingOllama {
    /// It stops at 400 of 1000 bytes until [`Self::go_on`].
    pub async fn start() -> Self {
        let (goes_on, go_on) = watch::channel(false);
        let router = Router::new()
            .route("/api/tags", get(async || Json(json!({ "models": [] }))))
            .route("/api/ps", get(async || Json(json!({ "models": [] }))))
            .route("/api/pull", post(async move |Json(asked): Json<Value>| pull(&asked, go_on.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, goes_on }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whatever is asked for is fetched to its end.
    pub fn go_on(&self) {
        self.goes_on.send_replace(true);
    }
}

fn pull(asked: &Value, go_on: watch::Receiver<bool>) -> Body {
    let lines = match asked["model"].as_str() {
        Some(UNHEARD_OF) => vec![json!({ "error": "pull model manifest: file does not exist" })],
        _ => vec![
            json!({ "status": "pulling manifest" }),
            json!({ "status": "pulling a", "digest": "sha256:a", "total": 1000, "completed": 400 }),
            json!({ "status": "pulling a", "digest": "sha256:a", "total": 1000, "completed": 1000 }),
            json!({ "status": "pulling b", "digest": "sha256:b", "total": 50, "completed": 50 }),
            json!({ "status": "success" }),
        ],
    };
    let pieces = stream::unfold((lines.into_iter(), go_on, 0), async |(mut lines, mut go_on, at)| {
        let line = lines.next()?;
        if at == 2 {
            go_on.wait_for(|go_on| *go_on).await.ok()?;
        }
        let piece = Ok::<_, std::io::Error>(format!("{line}\n"));
        Some((piece, (lines, go_on, at + 1)))
    });
    Body::from_stream(pieces)
}
