//! The endpoint that programs know: OpenAI's and Anthropic's routes, answered by whichever machine of the mesh answers soonest.

mod continued;
mod dialect;
pub(crate) mod limits;
pub(crate) mod ollama;
mod relay;
mod request;
mod serve;
mod text;
mod waiting;

use std::sync::Arc;

use api::ModelLimits;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::mesh::meter::Dialect;
use domain::user::User;
use ids::TokenId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::platform::identity::Credential;
use crate::state::AppState;
use dialect::Told;
use request::ModelRequest;

/// Bytes of a request: pictures are in it.
const BODY_MAX: usize = 32 << 20;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(chat_completions))
        .routes(routes!(text_completions))
        .routes(routes!(responses))
        .routes(routes!(messages))
        .routes(routes!(embeddings))
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// The models that somebody serves at this moment, as OpenAI lists them.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, body = api::ModelList),
    (status = 401), (status = 404)))]
async fn models(State(state): State<AppState>, mut parts: RequestParts) -> Response {
    let listed = async {
        let asker = model_asker(&mut parts, &state).await?;
        let models = state.mesh.on()?.agents.models();
        Ok::<_, Error>(models.into_iter().filter(move |(name, _)| asker.may_ask(name)))
    };
    match listed.await {
        Err(error) => Told::from(error).into_response(Dialect::ChatCompletions),
        Ok(models) => {
            let data = models.map(|(id, served)| api::Model {
                id,
                object: "model".into(),
                created: 0,
                owned_by: served.owned_by(),
                context_length: served.context,
            });
            axum::Json(api::ModelList { object: "list".into(), data: data.collect() }).into_response()
        }
    }
}

/// OpenAI's chat completions, streamed or not.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "models", request_body = serde_json::Value, responses(
    (status = 200), (status = 400), (status = 401), (status = 402), (status = 403), (status = 404), (status = 503)))]
async fn chat_completions(State(state): State<AppState>, request: Request) -> Response {
    answer(state, Dialect::ChatCompletions, request).await
}

/// OpenAI's completions of plain text, streamed or not.
#[utoipa::path(post, path = "/v1/completions", tag = "models", request_body = serde_json::Value, responses(
    (status = 200), (status = 400), (status = 401), (status = 402), (status = 403), (status = 404), (status = 503)))]
async fn text_completions(State(state): State<AppState>, request: Request) -> Response {
    answer(state, Dialect::Completions, request).await
}

/// OpenAI's responses, streamed or not.
#[utoipa::path(post, path = "/v1/responses", tag = "models", request_body = serde_json::Value, responses(
    (status = 200), (status = 400), (status = 401), (status = 402), (status = 403), (status = 404), (status = 503)))]
async fn responses(State(state): State<AppState>, request: Request) -> Response {
    answer(state, Dialect::Responses, request).await
}

/// Anthropic's messages, streamed or not.
#[utoipa::path(post, path = "/v1/messages", tag = "models", request_body = serde_json::Value, responses(
    (status = 200), (status = 400), (status = 401), (status = 402), (status = 403), (status = 404), (status = 503)))]
async fn messages(State(state): State<AppState>, request: Request) -> Response {
    answer(state, Dialect::Messages, request).await
}

/// OpenAI's embeddings.
#[utoipa::path(post, path = "/v1/embeddings", tag = "models", request_body = serde_json::Value, responses(
    (status = 200), (status = 400), (status = 401), (status = 402), (status = 403), (status = 404), (status = 503)))]
async fn embeddings(State(state): State<AppState>, request: Request) -> Response {
    answer(state, Dialect::Embeddings, request).await
}

async fn answer(state: AppState, dialect: Dialect, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let answered = async {
        let asker = model_asker(&mut parts, &state).await?;
        let mesh = state.mesh.on()?.clone();
        let body = read(parts, body, &state).await?;
        let request = ModelRequest::read(dialect, body).await?;
        let (streams, asker) = (request.streams, Arc::new(asker));
        let answering = Box::pin(async move {
            let response = serve::serve(&mesh, &asker, dialect, &request).await?;
            Ok(continued::over(response, mesh, asker, dialect, request))
        });
        if streams { waiting::begun(answering, dialect).await } else { answering.await }
    };
    answered.await.unwrap_or_else(|told: Told| told.into_response(dialect))
}

async fn read(parts: RequestParts, body: axum::body::Body, state: &AppState) -> std::result::Result<Bytes, Told> {
    use axum::extract::FromRequest;
    let request = Request::from_parts(parts, body);
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = rejection.status().as_u16();
        let code = if status == 413 { "request_too_large" } else { "invalid_request" };
        Told::new(status, code, format!("the request's body cannot be read: {}", rejection.body_text()))
    })
}

/// Who asks models, and what limits that.
struct Asker {
    user: User,
    /// The API token that is shown, if one is.
    token: Option<(TokenId, ModelLimits)>,
}

impl Asker {
    fn may_ask(&self, model: &str) -> bool {
        self.token.as_ref().is_none_or(|(_, limits)| limits::allows(limits, model))
    }
}

/// Who may use models: somebody who is signed in, or a token for it. Anthropic's programs send theirs as `x-api-key`.
async fn model_asker(parts: &mut RequestParts, state: &AppState) -> Result<Asker> {
    if !parts.headers.contains_key(header::AUTHORIZATION)
        && let Some(key) = parts.headers.remove("x-api-key")
        && let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat())
    {
        parts.headers.insert(header::AUTHORIZATION, value);
    }
    let Caller { user, credential } = Caller::for_models(parts, &state.identity).await?;
    let token = match credential {
        Credential::Session(_) => None,
        Credential::Token(grant) => Some((grant.id().clone(), grant.model_limits.unwrap_or_default())),
    };
    Ok(Asker { user, token })
}
