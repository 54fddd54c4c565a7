//! What somebody asked of models, and why it went where it went.

use axum::extract::State;
use ids::CompletionId;
use serde::Deserialize;
use store::StoredCompletion;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::mesh::Mesh;
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(completion_list))
        .routes(routes!(completion_explain))
        .routes(routes!(completion_show))
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
}

/// The caller's requests for models, newest first, a hundred at a time.
#[utoipa::path(get, path = "/api/mesh/completions", tag = "mesh", params(("cursor" = Option<String>, Query)),
    responses((status = 200, body = api::CompletionList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn completion_list(
    User(user): User,
    State(mesh): State<Mesh>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::CompletionList>> {
    let completions = &mesh.on()?.completions;
    let before = page.cursor.as_deref().map(str::parse::<CompletionId>).transpose();
    let before = before
        .map_err(|_| Error::invalid("cursor", "INVALID_CURSOR", "pass the `next_cursor` of an earlier answer"))?;
    completions.written().await;
    let (found, more) = completions.list(&user.id, before.as_ref()).await?;
    let next_cursor = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(axum::Json(api::CompletionList { completions: found.into_iter().map(shown).collect(), next_cursor }))
}

/// Why a request for a model was served where it was: the machines that were looked at, and what was expected of each.
#[utoipa::path(get, path = "/v1/explain/{request}", tag = "models", params(("request" = CompletionId, Path)),
    responses((status = 200, body = api::CompletionExplained), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn completion_explain(
    User(user): User,
    State(mesh): State<Mesh>,
    PathId(id): PathId<CompletionId>,
) -> Result<axum::Json<api::CompletionExplained>> {
    explained(&mesh, &user, &id).await
}

/// The same, among the routes of the mesh.
#[utoipa::path(get, path = "/api/mesh/completions/{id}", tag = "mesh", params(("id" = CompletionId, Path)),
    responses((status = 200, body = api::CompletionExplained), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn completion_show(
    User(user): User,
    State(mesh): State<Mesh>,
    PathId(id): PathId<CompletionId>,
) -> Result<axum::Json<api::CompletionExplained>> {
    explained(&mesh, &user, &id).await
}

async fn explained(
    mesh: &Mesh,
    user: &domain::user::User,
    id: &CompletionId,
) -> Result<axum::Json<api::CompletionExplained>> {
    let completions = &mesh.on()?.completions;
    completions.written().await;
    let found = completions.find(id).await?;
    let found = found.filter(|it| it.user_id == user.id || user.is_admin());
    let stored = found.ok_or_else(|| Error::not_found("completion"))?;
    let choices = serde_json::from_str(&stored.choices).map_err(Error::internal)?;
    Ok(axum::Json(api::CompletionExplained { completion: shown(stored), choices }))
}

fn shown(it: StoredCompletion) -> api::Completion {
    api::Completion {
        id: it.id,
        model: it.model,
        path: it.path,
        state: it.state,
        node_id: Some(it.node_id),
        token_id: it.token_id,
        input_tokens: it.input_tokens,
        output_tokens: it.output_tokens,
        cost: it.cost,
        created_at: rfc3339(it.created_at),
        first_byte_ms: it.first_byte_ms,
        duration_ms: it.ended_at.map(|ended| ended - it.created_at),
    }
}
