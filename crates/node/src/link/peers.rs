//! Connections of other nodes' edges, which the control plane passes on.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::Agent;

/// The bytes of one connection in the request's body, and those that come back in the answer's.
pub(crate) async fn connect(State(agent): State<Agent>, Path(host): Path<String>, body: Body) -> Response {
    let edge = match agent.dial_peer_door(&host).await {
        Ok(edge) => edge,
        Err(error) => {
            tracing::warn!(%error, "the edge takes no connection of another node");
            return (StatusCode::BAD_GATEWAY, error.to_string()).into_response();
        }
    };
    let (read, mut write) = tokio::io::split(edge);
    tokio::spawn(async move {
        let mut inward = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
        // However it ends, the edge hears that no more comes.
        let _ = tokio::io::copy(&mut inward, &mut write).await;
        let _ = write.shutdown().await;
    });
    Body::from_stream(ReaderStream::with_capacity(read, 64 * 1024)).into_response()
}
