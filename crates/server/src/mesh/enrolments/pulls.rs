//! Models that machines are told to fetch.

use axum::extract::State;
use axum::http::StatusCode;
use ids::EnrolmentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{MeshPull, MeshPullOrder, PullState};

use crate::caller::Admin;
use crate::error::{Error, Result};
use crate::http::{Json, PathId};
use crate::mesh::Mesh;
use crate::mesh::agents::{NO_ANSWER, OFFLINE};
use crate::state::AppState;

/// Characters of a model's name.
const MODEL_MAX: usize = 256;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(mesh_pull_create))
}

/// Tells a machine to fetch a model, where its owner allows that. How far it has come, the machine's `pulls` tell.
#[utoipa::path(post, path = "/api/mesh/enrolments/{id}/pulls", tag = "mesh", params(("id" = EnrolmentId, Path)),
    request_body = api::MeshPullCreate, responses(
    (status = 202, body = api::MeshPull), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn mesh_pull_create(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
    Json(create): Json<api::MeshPullCreate>,
) -> Result<(StatusCode, axum::Json<api::MeshPull>)> {
    let parts = mesh.on()?;
    let model = create.model.trim();
    if model.is_empty() || model.chars().count() > MODEL_MAX || model.contains(char::is_control) {
        let message = format!("a model is called by 1 to {MODEL_MAX} printable characters, as its engine knows it");
        return Err(Error::invalid("model", "INVALID_MODEL", message));
    }
    let node = parts.enrolments.node_of(&user, &id).await?;
    match parts.coordinator.pull(&node, &MeshPullOrder { model: model.to_owned() }).await? {
        Ok(pull) => {
            parts.enrolments.ordered(&user, &id, &format!("{node}: {model}")).await?;
            Ok((StatusCode::ACCEPTED, axum::Json(shown(pull))))
        }
        Err(failure) => Err(match failure.code.as_str() {
            OFFLINE => {
                Error::conflict("OFFLINE", "the machine is not linked at this moment; try again when it is online")
            }
            NO_ANSWER => Error::unavailable("NO_ANSWER", "the machine does not answer; try again in a moment"),
            "pulls_not_allowed" => {
                let message = "the machine's owner does not allow it; `nanoscale mesh serve --allow-pulls` does";
                Error::conflict("PULLS_NOT_ALLOWED", message)
            }
            "too_many_pulls" => Error::conflict("TOO_MANY_PULLS", failure.reason),
            // One of an earlier version has no such route.
            _ => Error::conflict("CANNOT_PULL", "no engine of the machine fetches models: Ollama does"),
        }),
    }
}

pub(super) fn shown(pull: MeshPull) -> api::MeshPull {
    let MeshPull { model, state, completed, total, message } = pull;
    let state = match state {
        PullState::Running => "running",
        PullState::Done => "done",
        PullState::Failed => "failed",
    };
    api::MeshPull { model, state: state.into(), completed, total, message }
}
