//! From one node's edge to another's: connections pass through here, and nothing looks into them. What a node asks of
//! the server comes the same way.

use std::convert::Infallible;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ids::NodeId;

use super::link::{CONNECTION_WINDOW, SIGN_OF_LIFE, SILENCE, STREAM_WINDOW};
use super::{LinkIo, Nodes};
use crate::error::{Error, Result};

/// Connections that one node may have to others at the same time.
const STREAMS: u32 = 4096;

impl Nodes {
    /// Passes on what the edge of node `from` sends to others, for as long as that node is one of ours.
    pub(super) async fn serve_tunnel(&self, from: &NodeId, io: Box<dyn LinkIo>) {
        let Some(gone) = self.with(from, |known| known.gone.clone()) else { return };
        let (nodes, node) = (self.clone(), from.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (nodes, from) = (nodes.clone(), node.clone());
            async move {
                let answer = nodes.pass_on(&from, request).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(axum::response::IntoResponse::into_response))
            }
        });
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(SIGN_OF_LIFE)
            .keep_alive_timeout(SILENCE)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_connection(TokioIo::new(io), service);
        tokio::select! {
            ended = served => if let Err(error) = ended {
                tracing::debug!(%error, node.id = %from, "a tunnel ended");
            },
            () = gone.cancelled() => {}
        }
    }

    /// `POST /v1/peers/<node>/<host>`: one connection, there and back.
    async fn pass_on(&self, from: &NodeId, request: Request<Incoming>) -> Result<Response<Body>> {
        let asked = request.uri().path().strip_prefix("/v1/workspaces/");
        if let Some(workspace) = asked.and_then(|path| path.strip_suffix("/git-credential")) {
            let workspace = workspace.to_owned();
            return self.answer(from, &workspace, request).await;
        }
        let path = request.uri().path().strip_prefix("/v1/peers/").and_then(|path| path.split_once('/'));
        let nowhere = || Error::not_found("route to another node");
        let (to, host) = path.ok_or_else(nowhere)?;
        let to = to.parse::<NodeId>().map_err(|_| nowhere())?;
        // A node reaches what its own visitors are sent to, and nothing else.
        let is_told = self.with(from, |known| {
            let desired = known.desired.borrow();
            desired.routes.iter().any(|route| route.host == host && route.remote.contains(&to))
        });
        if is_told != Some(true) {
            return Err(nowhere());
        }
        let path = format!("/v1/peers/{host}");
        let answer = self.link(&to).await?.pass(&path, request.into_body()).await?;
        Ok(answer.map(Body::new))
    }
}
