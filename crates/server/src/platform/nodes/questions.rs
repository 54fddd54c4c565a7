//! What nodes ask of rooms of the server that this one knows nothing of.

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use ids::{NodeId, WorkspaceId};
use wire::{GitCredential, GitCredentialRequest};

use super::Nodes;
use crate::error::{Error, Result};

/// Bytes of the longest question.
const QUESTION_MAX: usize = 16 << 10;

/// Answers for a workspace that is said to be on that node.
pub(crate) type GitCredentials = Box<
    dyn Fn(NodeId, WorkspaceId, GitCredentialRequest) -> BoxFuture<'static, Result<Option<GitCredential>>>
        + Send
        + Sync,
>;

impl Nodes {
    /// Who answers what git in a workspace asks for. Said once, before nodes are listened to.
    pub(crate) fn answer_git_credentials(&self, answer: GitCredentials) {
        let _ = self.inner.git_credentials.set(answer);
    }

    /// `POST /v1/workspaces/<workspace>/git-credential`.
    pub(super) async fn answer(
        &self,
        from: &NodeId,
        workspace: &str,
        request: Request<Incoming>,
    ) -> Result<Response<axum::body::Body>> {
        let none = || Error::not_found("credential");
        let workspace = workspace.parse::<WorkspaceId>().map_err(|_| none())?;
        let body = Limited::new(request.into_body(), QUESTION_MAX).collect().await;
        let body = body.map_err(|_| Error::malformed(None, "the question cannot be read"))?.to_bytes();
        let question = serde_json::from_slice(&body).map_err(|error| Error::malformed(None, error.to_string()))?;
        let answer = self.inner.git_credentials.get().ok_or_else(none)?;
        let credential = answer(from.clone(), workspace, question).await?.ok_or_else(none)?;
        let body = serde_json::to_vec(&credential).map_err(Error::internal)?;
        Ok(Response::new(body.into()))
    }
}
