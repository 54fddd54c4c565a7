//! The ways to models: over the link of a machine of the mesh, to the coordinator's own inference service, to a hosted provider.

use bytes::Bytes;
use domain::mesh::meter::Dialect;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::Response;
use ids::CompletionId;
use wire::{Failure, MeshCompletion, MeshPull, MeshPullOrder, MeshReport};

use super::hosted::Hosted;
use super::inference::Inference;
use super::link::AgentLink;
use crate::error::{Error, Result};

/// The body of an answer, whatever brings it.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, NoAnswer>;

/// Why there is none, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    Link(#[from] hyper::Error),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

#[derive(Clone)]
pub(crate) enum Way {
    Link(AgentLink),
    Inference(Inference),
    Hosted(Hosted),
}

// === impl Way ===

impl Way {
    /// Whether what is asked leaves the mesh.
    pub(crate) fn is_hosted(&self) -> bool {
        matches!(self, Self::Hosted(_))
    }

    /// Whether models over there are asked in this dialect.
    pub(crate) fn speaks(&self, dialect: Dialect) -> bool {
        match self {
            // Engines speak all of them.
            Self::Link(_) | Self::Inference(_) => true,
            Self::Hosted(hosted) => hosted.speaks(dialect),
        }
    }

    /// Asks for a completion. The answer is the engine's, or the reason why there is none.
    pub(crate) async fn complete(
        &self,
        dialect: Dialect,
        id: &CompletionId,
        body: Bytes,
    ) -> std::result::Result<Response<AnswerBody>, NoAnswer> {
        match self {
            Self::Link(link) => Ok(link.complete(dialect.path(), id, body).await?.map(boxed)),
            Self::Inference(inference) => Ok(inference.complete(dialect.path(), id, body).await?.map(boxed)),
            Self::Hosted(hosted) => Ok(hosted.complete(dialect.path(), body).await?.map(boxed)),
        }
    }

    /// How far a completion has come, as it was counted over there. `None` where nobody knows.
    pub(crate) async fn completion(&self, id: &CompletionId) -> Result<Option<MeshCompletion>> {
        let target = format!("/v1/completions/{id}");
        match self {
            Self::Link(link) => link.get(&target).await,
            Self::Inference(inference) => inference.get(&target).await,
            Self::Hosted(_) => Ok(None),
        }
    }

    /// Tells a machine to fetch a model.
    pub(super) async fn pull(&self, order: &MeshPullOrder) -> Result<std::result::Result<MeshPull, Failure>> {
        match self {
            Self::Link(link) => link.order("/v1/pulls", order).await,
            Self::Inference(_) | Self::Hosted(_) => Err(Error::not_found("machine")),
        }
    }

    /// What is offered over there.
    pub(super) async fn report(&self, target: &str) -> Result<MeshReport> {
        let report = match self {
            Self::Link(link) => link.get(target).await?,
            Self::Inference(inference) => inference.get(target).await?,
            Self::Hosted(_) => None,
        };
        report.ok_or_else(|| Error::internal("it has no report"))
    }
}

fn boxed<B>(body: B) -> AnswerBody
where
    B: hyper::body::Body<Data = Bytes, Error: Into<NoAnswer>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}
