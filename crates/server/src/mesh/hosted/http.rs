//! Hosted providers, for administrators.

use axum::extract::State;
use axum::http::StatusCode;
use domain::mesh::hosted::{HostedModel, HostedProvider};
use ids::{HostedProviderId, MeshNodeId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Admin;
use crate::error::{Error, Result};
use crate::http::{Json, PathId};
use crate::mesh::Mesh;
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(hosted_provider_list, hosted_provider_create))
        .routes(routes!(hosted_provider_update, hosted_provider_delete))
        .routes(routes!(hosted_provider_check))
}

/// Every hosted provider, by name. Keys are never returned.
#[utoipa::path(get, path = "/api/mesh/providers", tag = "mesh", responses(
    (status = 200, body = api::HostedProviderList), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn hosted_provider_list(_: Admin, State(mesh): State<Mesh>) -> Result<axum::Json<api::HostedProviderList>> {
    let providers = mesh.on()?.hosted.list().await?.into_iter().map(shown).collect::<Result<_>>()?;
    Ok(axum::Json(api::HostedProviderList { providers }))
}

/// Sends completions to a company, too. Every problem is named in `details.problems`.
#[utoipa::path(post, path = "/api/mesh/providers", tag = "mesh", request_body = api::HostedProviderCreate, responses(
    (status = 201, body = api::HostedProvider), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn hosted_provider_create(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    Json(create): Json<api::HostedProviderCreate>,
) -> Result<(StatusCode, axum::Json<api::HostedProvider>)> {
    Ok((StatusCode::CREATED, axum::Json(shown(mesh.on()?.hosted.create(&user, create).await?)?)))
}

/// Changes what the request names, from the next completion on.
#[utoipa::path(patch, path = "/api/mesh/providers/{id}", tag = "mesh", params(("id" = HostedProviderId, Path)),
    request_body = api::HostedProviderUpdate, responses(
    (status = 200, body = api::HostedProvider), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn hosted_provider_update(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<HostedProviderId>,
    Json(update): Json<api::HostedProviderUpdate>,
) -> Result<axum::Json<api::HostedProvider>> {
    Ok(axum::Json(shown(mesh.on()?.hosted.update(&user, &id, update).await?)?))
}

/// Sends nothing there any more, and forgets the key. What is under way goes on.
#[utoipa::path(delete, path = "/api/mesh/providers/{id}", tag = "mesh", params(("id" = HostedProviderId, Path)),
    responses((status = 204), (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn hosted_provider_delete(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<HostedProviderId>,
) -> Result<StatusCode> {
    mesh.on()?.hosted.delete(&user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks it for its models with the key, which costs nothing.
#[utoipa::path(post, path = "/api/mesh/providers/{id}/check", tag = "mesh", params(("id" = HostedProviderId, Path)),
    responses((status = 200, body = api::HostedProviderCheck), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn hosted_provider_check(
    _: Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<HostedProviderId>,
) -> Result<axum::Json<api::HostedProviderCheck>> {
    Ok(axum::Json(mesh.on()?.hosted.check(&id).await?))
}

fn shown(it: HostedProvider) -> Result<api::HostedProvider> {
    let models = it.models.into_iter().map(|HostedModel { name, context, input_price, output_price }| {
        api::HostedModel { name, context, input_price, output_price }
    });
    Ok(api::HostedProvider {
        id: it.id,
        node_id: MeshNodeId::of_coordinator(&it.name).map_err(Error::internal)?,
        name: it.name,
        kind: it.kind,
        base_url: it.base_url,
        models: models.collect(),
        enabled: it.enabled,
        created_at: rfc3339(it.created_at),
        updated_at: rfc3339(it.updated_at),
    })
}
