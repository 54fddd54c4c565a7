//! Ollama's own routes, for programs that speak nothing else: each is asked as OpenAI's, and answered in Ollama's words. They have a
//! port of their own, as Ollama itself has.
//!
//! The routes are those of Ollama's published description (`docs/api.md` of its repository).

mod answer;
mod ask;

use std::time::Instant;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use domain::mesh::sse::{self, Frames};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::dialect::Told;
use super::request::ModelRequest;
use super::serve::{REQUEST_ID, serve};
use super::{Asker, BODY_MAX, model_asker, read};
use crate::mesh::Parts;
use crate::mesh::agents::Served;
use crate::state::AppState;
use crate::{now_ms, rfc3339};
use answer::Speaker;
use ask::{Asked, Chat, Embed, Embeddings, Generate};

/// Programs look at this to know which of Ollama's routes there are.
const VERSION: &str = "0.12.0";
const USUAL_TAG: &str = ":latest";
/// Bytes of an answer that is not streamed.
const ANSWER_MAX: usize = 64 << 20;
/// What one JSON object in a line of its own is called.
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

type Answered<T = Response> = Result<T, Told>;

pub(crate) fn router(state: &AppState) -> Router {
    let (models, _) = super::routes().split_for_parts();
    Router::new()
        .route("/", get(async || "Ollama is running"))
        .route("/api/version", get(async || Json(json!({ "version": VERSION }))))
        .route("/api/tags", get(tags))
        .route("/api/ps", get(ps))
        .route("/api/show", post(show))
        .route("/api/chat", post(chat))
        .route("/api/generate", post(generate))
        .route("/api/embed", post(embed))
        .route("/api/embeddings", post(embeddings))
        .route("/api/pull", post(pull))
        .route("/api/{*others}", any(others))
        .fallback(async || Told::new(404, "not_found", "Ollama has no such route").in_a_sentence())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .merge(models)
        .with_state(state.clone())
}

fn told(answered: Answered) -> Response {
    answered.unwrap_or_else(Told::in_a_sentence)
}

/// Who asks, and what.
async fn asked<T: DeserializeOwned>(state: &AppState, request: Request) -> Answered<(Asker, T)> {
    let (mut parts, body) = request.into_parts();
    let asker = model_asker(&mut parts, state).await?;
    let body = read(parts, body, state).await?;
    let wish = serde_json::from_slice(&body)
        .map_err(|error| Told::new(400, "invalid_request", format!("the request's body is not right: {error}")))?;
    Ok((asker, wish))
}

async fn chat(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, wish) = asked::<Chat>(&state, request).await?;
        let parts = state.mesh.on()?;
        speak(parts, &asker, wish.of(|name| served_name(parts, name)).asked()?).await
    };
    told(answered.await)
}

async fn generate(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, wish) = asked::<Generate>(&state, request).await?;
        let parts = state.mesh.on()?;
        speak(parts, &asker, wish.of(|name| served_name(parts, name)).asked()?).await
    };
    told(answered.await)
}

/// Asks for an answer, and tells it in Ollama's words, as it comes or as a whole.
async fn speak(parts: &Parts, asker: &Asker, asked: Asked) -> Answered {
    let speaker = Speaker::new(asked.route, asked.model.clone(), Instant::now());
    let Some(body) = asked.body else {
        // Nothing is said where only the model is wanted: that it is there.
        model(parts, asker, &asked.model)?;
        return Ok(Json(speaker.nothing()).into_response());
    };
    let request = ModelRequest::read(asked.dialect, body).await?;
    let response = Box::pin(serve(parts, asker, asked.dialect, &request)).await?;
    let id = response.headers().get(REQUEST_ID).cloned();
    let mut answer = match response.status().is_success() {
        false => return refused(response).await,
        true if asked.streams => {
            let lines = Lines { body: response.into_body().into_data_stream(), frames: Frames::new(), speaker };
            let body = Body::from_stream(futures_util::stream::unfold(lines, Lines::next));
            ([(header::CONTENT_TYPE, LINES), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], body)
                .into_response()
        }
        true => Json(speaker.whole(&whole(response).await?)).into_response(),
    };
    answer.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
    Ok(answer)
}

async fn embed(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, wish) = asked::<Embed>(&state, request).await?;
        let began = Instant::now();
        let (model, found) = vectors(&state, &asker, wish).await?;
        Ok(Json(answer::embedded(&model, &found, began.elapsed())).into_response())
    };
    told(answered.await)
}

/// The older form, of one text.
async fn embeddings(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, wish) = asked::<Embeddings>(&state, request).await?;
        let (_, found) = vectors(&state, &asker, wish.into()).await?;
        Ok(Json(json!({ "embedding": found["data"][0]["embedding"] })).into_response())
    };
    told(answered.await)
}

async fn vectors(state: &AppState, asker: &Asker, wish: Embed) -> Answered<(String, Value)> {
    let parts = state.mesh.on()?;
    let asked = wish.of(|name| served_name(parts, name)).asked();
    let request = ModelRequest::read(asked.dialect, asked.body.unwrap_or_default()).await?;
    let response = Box::pin(serve(parts, asker, asked.dialect, &request)).await?;
    match response.status().is_success() {
        true => Ok((asked.model, whole(response).await?)),
        false => Err(reason(response).await),
    }
}

/// What an engine refuses, in Ollama's form.
async fn refused(response: Response) -> Answered {
    Err(reason(response).await)
}

async fn reason(response: Response) -> Told {
    let status = response.status().as_u16();
    let said = whole(response).await.ok();
    let said = said.as_ref().and_then(|said| said["error"]["message"].as_str().or_else(|| said["error"].as_str()));
    Told::new(status, "refused", said.unwrap_or("the engine refuses the request"))
}

async fn whole(response: Response) -> Answered<Value> {
    let broken = || Told::new(502, "machine_broke_off", "the machine that answered broke off; ask again");
    let bytes = axum::body::to_bytes(response.into_body(), ANSWER_MAX).await.map_err(|_| broken())?;
    serde_json::from_slice(&bytes).map_err(|_| broken())
}

/// A streamed answer: OpenAI's events become lines.
struct Lines {
    body: BodyDataStream,
    frames: Frames,
    speaker: Speaker,
}

impl Lines {
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            let data = self.body.next().await?.ok()?;
            self.frames.push(&data);
            let mut lines = Vec::new();
            while let Some(frame) = self.frames.pop() {
                let Some(data) = sse::data(&frame) else { continue };
                for line in self.speaker.event(&data) {
                    lines.extend_from_slice(line.to_string().as_bytes());
                    lines.push(b'\n');
                }
            }
            if !lines.is_empty() {
                return Some((Ok(lines.into()), self));
            }
        }
    }
}

#[derive(Deserialize)]
struct Named {
    /// Older programs say `name`.
    #[serde(alias = "name")]
    model: String,
}

/// The name by which somebody serves a model: Ollama's programs may leave its usual tag out, or add it.
fn served_name(parts: &Parts, name: String) -> String {
    let models = parts.agents.models();
    let others = [format!("{name}{USUAL_TAG}"), name.strip_suffix(USUAL_TAG).unwrap_or_default().to_owned()];
    match models.contains_key(&name) {
        true => name,
        false => others.into_iter().find(|other| models.contains_key(other)).unwrap_or(name),
    }
}

/// A model that somebody serves, and that this one may ask.
fn model(parts: &Parts, asker: &Asker, name: &str) -> Answered<Served> {
    let name = &served_name(parts, name.to_owned());
    parts.agents.models().remove(name).filter(|_| asker.may_ask(name)).ok_or_else(|| {
        let message =
            format!("model '{name}' not found: no machine of the mesh serves it now; /api/tags lists what there is");
        Told::new(404, "model_not_found", message)
    })
}

fn details() -> Value {
    json!({ "parent_model": "", "format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": "" })
}

/// The models that somebody serves. What is in their files, the mesh is not told.
async fn tags(State(state): State<AppState>, request: Request) -> Response {
    listed(&state, request, |_| true).await
}

/// Of these, the ones that are in memory somewhere.
async fn ps(State(state): State<AppState>, request: Request) -> Response {
    listed(&state, request, |served| served.loaded).await
}

async fn listed(state: &AppState, request: Request, wanted: impl Fn(&Served) -> bool) -> Response {
    let answered = async {
        let (mut parts, _) = request.into_parts();
        let asker = model_asker(&mut parts, state).await?;
        let models = state.mesh.on()?.agents.models().into_iter();
        let models = models.filter(|(name, served)| asker.may_ask(name) && wanted(served));
        let now = rfc3339(now_ms());
        let models = models.map(|(name, served)| {
            json!({ "name": name, "model": name, "modified_at": now, "size": 0, "digest": "", "details": details(),
                "context_length": served.context })
        });
        Ok(Json(json!({ "models": models.collect::<Vec<_>>() })).into_response())
    };
    told(answered.await)
}

async fn show(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, Named { model: name }) = asked(&state, request).await?;
        let served = model(state.mesh.on()?, &asker, &name)?;
        Ok(Json(json!({
            "modelfile": "", "parameters": "", "template": "", "license": "", "details": details(),
            "model_info": { "general.architecture": "mesh", "general.basename": name, "mesh.context_length": served.context },
            // Whether a model calls tools, its engine says when it is asked to.
            "capabilities": ["completion", "tools"],
            "modified_at": rfc3339(now_ms()),
        }))
        .into_response())
    };
    told(answered.await)
}

/// What is there need not be fetched; what is not, its owner fetches.
async fn pull(State(state): State<AppState>, request: Request) -> Response {
    let answered = async {
        let (asker, Named { model: name }) = asked(&state, request).await?;
        model(state.mesh.on()?, &asker, &name)?;
        Ok(([(header::CONTENT_TYPE, LINES)], "{\"status\":\"success\"}\n").into_response())
    };
    told(answered.await)
}

async fn others(State(state): State<AppState>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let refused = match model_asker(&mut parts, &state).await {
        Ok(_) => {
            let message =
                "the models of the mesh are those that its machines have: their owners fetch, make and remove them";
            Told::new(StatusCode::FORBIDDEN.as_u16(), "owners_only", message)
        }
        Err(error) => error.into(),
    };
    refused.in_a_sentence()
}
