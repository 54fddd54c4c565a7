//! From a request to the machine that answers it: choose, set credits aside, ask, and ask another one where that fails before its
//! first byte.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::mesh::hosted;
use domain::mesh::meter::Dialect;
use domain::mesh::schedule::{self, Look, Unfit, Wish};
use http_body_util::{BodyExt, Limited};
use ids::{CompletionState, MeshNodeId};

use super::Asker;
use super::dialect::Told;
use super::relay::Relay;
use super::request::ModelRequest;
use crate::mesh::Parts;
use crate::mesh::agents::{AnswerBody, Reachable};
use crate::mesh::completions::{NewCompletion, NotHeld, Open, Where};

/// Which completion an answer is.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Machines that may fail at one completion, one after the other.
const TRIES: usize = 4;
/// Candidates that are kept of each choice.
const KEPT: usize = 16;
/// Until an answer begins, which is its end where it is not streamed. Whether the machine is there, its link tells.
const FIRST: Duration = Duration::from_secs(3600);
/// For the whole of an error.
const ERROR: Duration = Duration::from_secs(10);
/// Bytes of an error, and of an answer that is not streamed.
const ERROR_MAX: usize = 1 << 20;
const ANSWER_MAX: usize = 64 << 20;
/// What llama.cpp says where a prompt does not fit.
const TOO_LONG: &[u8] = b"exceed_context_size_error";
/// With these an engine says that the request is wrong.
const ABOUT_THE_REQUEST: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];
/// Of a machine's own words, what is written down.
const REASON_MAX: usize = 256;
/// What a mesh agent says of a model that it no longer has.
const MODEL_ABSENT: &str = "model_absent";

/// Answers a request, or says why not. Each machine that is asked has a completion of its own, with credits set aside for its price.
pub(super) async fn serve(
    parts: &Parts,
    asker: &Asker,
    dialect: Dialect,
    request: &ModelRequest,
) -> Result<Response, Told> {
    if let Some((token, limits)) = &asker.token {
        parts.rates.check(token, limits, &request.model)?;
    }
    let mut choosing = Choosing::new(parts, dialect, request);
    loop {
        let at = choosing.next()?;
        let node = &at.candidate.node_id;
        if at.way.is_hosted() {
            check_hosted(dialect, request)?;
        }
        let place = parts.agents.take_place(node, &request.model);
        let open = hold(parts, asker, dialect, request, &choosing, &at).await?;
        match ask(&at, dialect, &open, &request.body).await {
            Asked::Answers(answer) => {
                let relay = Relay { parts, dialect, request, open, place, at: &at };
                match relay.answer(answer).await {
                    Some(response) => return Ok(response),
                    None => choosing.tried.push(node.clone()),
                }
                continue;
            }
            Asked::Refuses(mut response) => {
                let id = HeaderValue::from_str(open.id().as_str()).ok();
                response.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
                open.settle(CompletionState::Failed);
                return Ok(*response);
            }
            Asked::TooLong => choosing.too_small.push(node.clone()),
            Asked::TooLate => {
                open.settle(CompletionState::Failed);
                let message = "the machine that was asked did not answer within an hour; ask for less, or stream";
                return Err(Told::new(504, "machine_too_late", message));
            }
            Asked::Fails { reason, is_broken } => {
                tracing::warn!(node.id = %node, model = request.model, reason, "a mesh agent fails");
                if is_broken {
                    parts.agents.failed(node, &request.model);
                }
                choosing.tried.push(node.clone());
            }
        }
        open.settle(CompletionState::Failed);
    }
}

/// A hosted provider is asked for nothing of which nobody can say before what it costs.
fn check_hosted(dialect: Dialect, request: &ModelRequest) -> Result<(), Told> {
    let body = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(what) = hosted::refused(dialect, &body) else { return Ok(()) };
    let message =
        format!("{what} is not passed on to a hosted provider, as its price cannot be said before; leave it out");
    Err(Told::new(400, "field_not_allowed", message))
}

/// What a completion may take of a machine, of the prompt and of the answer.
pub(super) fn most(request: &ModelRequest, at: &Reachable) -> (u64, u64) {
    let context = at.candidate.context;
    let input = request.prompt_tokens_max.min(context.saturating_mul(request.items));
    (input, request.answer_tokens.unwrap_or(context).min(context))
}

/// Sets aside what the completion costs at most on that machine.
async fn hold(
    parts: &Parts,
    asker: &Asker,
    dialect: Dialect,
    request: &ModelRequest,
    choosing: &Choosing<'_>,
    at: &Reachable,
) -> Result<Open, Told> {
    let (input, output) = most(request, at);
    let held = at.price.of(input, output);
    let new = NewCompletion {
        user: asker.user.id.clone(),
        token: asker.token.as_ref().map(|(token, limits)| (token.clone(), limits.credits)),
        model: request.model.clone(),
        path: dialect.path(),
        held,
        at: Where {
            node: at.candidate.node_id.clone(),
            provider: at.owner.clone(),
            price: at.price,
            choices: choosing.choices.clone(),
        },
    };
    match parts.completions.hold(new).await? {
        Ok(open) => Ok(open),
        Err(NotHeld::TooFewCredits) => {
            let balance = parts.ledger.balance(&asker.user.id).await?;
            Err(too_few(held, balance, request.answer_tokens.is_some()))
        }
        Err(NotHeld::TokenSpent) => {
            let (token, limits) = asker.token.as_ref().map(|(token, limits)| (token, limits.clone())).unzip();
            let spent = match token {
                Some(token) => parts.completions.spent(token).await?,
                None => 0,
            };
            Err(token_spent(held, spent, limits.and_then(|limits| limits.credits).unwrap_or_default()))
        }
    }
}

fn credits(micro: i64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro.rem_euclid(1_000_000))
}

fn too_few(held: i64, balance: i64, is_bounded: bool) -> Told {
    let advice = if is_bounded { "ask for fewer tokens" } else { "say how many tokens the answer may have" };
    let message = format!(
        "this may cost up to {} credits, and you have {}; {advice}, or ask an administrator for credits",
        credits(held),
        credits(balance)
    );
    Told::new(402, "insufficient_credits", message)
}

fn token_spent(held: i64, spent: i64, limit: i64) -> Told {
    let message = format!(
        "this may cost up to {} credits, and this API token may spend {} in all, of which {} are spent or set aside; ask for \
         less, or make another token",
        credits(held),
        credits(limit),
        credits(spent)
    );
    Told::new(402, "token_limit_reached", message)
}

/// What came of asking one machine.
enum Asked {
    Answers(hyper::Response<AnswerBody>),
    /// The engine says that the request is wrong: another one would say so, too.
    Refuses(Box<Response>),
    /// It does not fit there.
    TooLong,
    /// Nothing has come. That says nothing of the machine: others are before it, or much is to be said.
    TooLate,
    /// Another one may do better. `is_broken` where that is likely of the next completion, too.
    Fails {
        reason: String,
        is_broken: bool,
    },
}

impl Asked {
    fn broken(reason: impl ToString) -> Self {
        Self::Fails { reason: reason.to_string(), is_broken: true }
    }
}

async fn ask(at: &Reachable, dialect: Dialect, open: &Open, body: &Bytes) -> Asked {
    let id = open.id();
    let asked = at.way.complete(dialect, &id, body.clone());
    let response = match tokio::time::timeout(FIRST, asked).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Asked::broken(error),
        Err(_) => return Asked::TooLate,
    };
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
    if status.is_success() {
        return match content_type.filter(is_an_answer) {
            Some(_) => Asked::Answers(response),
            None => Asked::broken("it answers with something that is neither JSON nor a stream of events"),
        };
    }
    let body = Limited::new(response.into_body(), ERROR_MAX).collect();
    let bytes = match tokio::time::timeout(ERROR, body).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) => return Asked::broken(error),
        Err(late) => return Asked::broken(late),
    };
    refusal(status, content_type, bytes)
}

/// What it means that a machine answers no.
fn refusal(status: StatusCode, content_type: Option<HeaderValue>, bytes: Bytes) -> Asked {
    if status == StatusCode::BAD_REQUEST && bytes.windows(TOO_LONG.len()).any(|part| part == TOO_LONG) {
        return Asked::TooLong;
    }
    // What the mesh agent says itself is about itself.
    if let Ok(own) = serde_json::from_slice::<wire::Failure>(&bytes) {
        let is_broken = status.is_server_error() || own.code == MODEL_ABSENT;
        let reason = format!("{}: {}", own.code, own.reason).chars().take(REASON_MAX).collect();
        return Asked::Fails { reason, is_broken };
    }
    // Of the others, none is about what was asked: keys, routes and limits are between the engine and its owner.
    if !ABOUT_THE_REQUEST.contains(&status) {
        let gone = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        return Asked::Fails { reason: status.to_string(), is_broken: gone.contains(&status) };
    }
    let mut refusal = Response::new(Body::from(bytes));
    *refusal.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    refusal.headers_mut().insert(header::CONTENT_TYPE, content_type.filter(is_an_answer).unwrap_or(json));
    Asked::Refuses(Box::new(refusal))
}

/// Browsers show what other types there are, with the rights of this host.
fn is_an_answer(content_type: &HeaderValue) -> bool {
    is_type(content_type, b"application/json") || is_stream(content_type)
}

pub(super) fn is_stream(content_type: &HeaderValue) -> bool {
    is_type(content_type, b"text/event-stream")
}

fn is_type(content_type: &HeaderValue, wanted: &[u8]) -> bool {
    let kind = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(wanted)
}

/// An answer as a whole.
pub(super) async fn whole(body: AnswerBody) -> Result<Bytes, String> {
    let collected = Limited::new(body, ANSWER_MAX).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
}

/// Chooses one machine after the other.
struct Choosing<'a> {
    parts: &'a Parts,
    dialect: Dialect,
    request: &'a ModelRequest,
    tried: Vec<MeshNodeId>,
    /// Those that said that the prompt does not fit.
    too_small: Vec<MeshNodeId>,
    /// Why machines were out, when they were looked at last.
    unfit: Vec<Option<Unfit>>,
    /// The most tokens that any of them takes.
    context: u64,
    choices: Vec<api::CompletionChoice>,
    /// Whether a machine of the mesh had the model for others: from then on it does not leave it, whatever becomes of that machine.
    stays: bool,
}

impl<'a> Choosing<'a> {
    fn new(parts: &'a Parts, dialect: Dialect, request: &'a ModelRequest) -> Self {
        let (tried, stays) = (request.not_at.clone(), !request.not_at.is_empty());
        Self {
            parts,
            dialect,
            request,
            tried,
            too_small: Vec::new(),
            unfit: Vec::new(),
            context: 0,
            choices: Vec::new(),
            stays,
        }
    }

    fn next(&mut self) -> Result<Reachable, Told> {
        let request = self.request;
        let wish = Wish {
            prompt_tokens: request.prompt_tokens,
            prompt_tokens_min: request.prompt_tokens_min,
            answer_tokens: request.answer_tokens,
        };
        let mut found =
            self.parts.agents.with_model(&request.model, self.dialect, &request.prefix, request.prompt_tokens);
        self.stays |= found.iter().any(|it| !it.way.is_hosted() && !it.candidate.paused);
        found.retain(|it| !(self.stays && it.way.is_hosted()));
        self.context = found.iter().map(|it| it.candidate.context).max().unwrap_or_default();
        for Reachable { candidate, .. } in &mut found {
            candidate.tried = self.tried.contains(&candidate.node_id);
            if self.too_small.contains(&candidate.node_id) {
                candidate.context = 0;
            }
        }
        let (chosen, looks) = schedule::choose(wish, &found);
        self.choices.push(explained(wish, chosen, &found, &looks));
        self.unfit = looks.into_iter().map(|look| look.unfit).collect();
        let chosen = chosen.filter(|_| self.tried.len() < TRIES);
        chosen.map(|index| found.swap_remove(index)).ok_or_else(|| self.none())
    }

    /// Why there is none.
    fn none(&self) -> Told {
        let model = &self.request.model;
        if self.unfit.is_empty() && self.tried.is_empty() {
            if self.parts.agents.models().contains_key(model) {
                let message = format!(
                    "`{model}` is a hosted provider's, which is not asked at {}; OpenAI's are asked at \
                     /v1/chat/completions, Anthropic's at /v1/messages",
                    self.dialect.path()
                );
                return Told::new(400, "route_not_served", message);
            }
            let message =
                format!("no machine of the mesh serves `{model}` at this moment; /v1/models lists what there is");
            return Told::new(404, "model_not_found", message);
        }
        let mut awake = self.unfit.iter().filter(|unfit| **unfit != Some(Unfit::Paused)).peekable();
        if awake.peek().is_some() && awake.all(|unfit| *unfit == Some(Unfit::ContextTooSmall)) {
            let message = format!(
                "the prompt does not fit into the context of any machine that serves `{model}` now (the largest has \
                 {} tokens); shorten it",
                self.context
            );
            return Told::new(400, "context_length_exceeded", message);
        }
        let message = format!(
            "every machine that serves `{model}` fails, is paused or has too much to do; try again in a moment"
        );
        Told::new(503, "no_machine_answers", message)
    }
}

/// A choice as it is kept: the best candidates, the best first.
fn explained(wish: Wish, chosen: Option<usize>, found: &[Reachable], looks: &[Look]) -> api::CompletionChoice {
    let better = |(i, a): &(usize, &Look), (j, b): &(usize, &Look)| {
        let by_choice = (chosen != Some(*i)).cmp(&(chosen != Some(*j)));
        let by_fitness = by_choice.then_with(|| a.unfit.is_some().cmp(&b.unfit.is_some()));
        by_fitness.then_with(|| a.forecast.total().total_cmp(&b.forecast.total())).then_with(|| i.cmp(j))
    };
    let mut best = looks.iter().enumerate().collect::<Vec<_>>();
    if best.len() > KEPT {
        best.select_nth_unstable_by(KEPT, better);
        best.truncate(KEPT);
    }
    best.sort_by(better);
    let best = best.into_iter().map(|(index, look)| (&found[index].candidate, look));
    let shown = best.map(|(candidate, look)| api::CompletionCandidate {
        node_id: candidate.node_id.clone(),
        refused: look.unfit.map(|unfit| unfit.as_str().to_owned()),
        queue_seconds: look.forecast.queue,
        load_seconds: look.forecast.load,
        prompt_seconds: look.forecast.prompt,
        answer_seconds: look.forecast.answer,
        cached_tokens: candidate.cached_tokens,
    });
    api::CompletionChoice {
        chosen: chosen.map(|index| found[index].candidate.node_id.clone()),
        prompt_tokens: wish.prompt_tokens,
        candidates: shown.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_and_events_are_passed_on() {
        let is = |text: &'static str| is_an_answer(&HeaderValue::from_static(text));
        assert!(is("application/json; charset=utf-8") && is("text/event-stream") && is("Application/JSON"));
        assert!(!is("text/html") && !is("application/json-seq") && !is("image/svg+xml"));
    }

    #[test]
    fn who_is_at_fault_is_told_apart() {
        let refused = |status: u16, body: &'static str| {
            refusal(StatusCode::from_u16(status).unwrap(), None, Bytes::from_static(body.as_bytes()))
        };
        let fails = |asked: Asked| match asked {
            Asked::Fails { is_broken, .. } => Some(is_broken),
            _ => None,
        };
        assert!(matches!(refused(400, r#"{"error":{"type":"exceed_context_size_error"}}"#), Asked::TooLong));
        assert!(matches!(refused(422, "{}"), Asked::Refuses(_)));
        assert_eq!(fails(refused(500, "{}")), Some(false), "this prompt, perhaps");
        assert_eq!(fails(refused(503, "{}")), Some(true));
        assert_eq!(fails(refused(429, "{}")), Some(false));
        assert_eq!(fails(refused(401, "{}")), Some(false), "the engine's key is its owner's");
        assert_eq!(fails(refused(404, "{}")), Some(false), "another one may have this route");
        assert_eq!(fails(refused(404, r#"{"code":"model_absent","reason":"gone","last_lines":[]}"#)), Some(true));
        assert_eq!(
            fails(refused(409, r#"{"code":"duplicate_request","reason":"again","last_lines":[]}"#)),
            Some(false)
        );
    }
}
