//! Streams that begin before their answers do: whoever stands between gives up on a connection on which nothing passes while a model
//! is loaded or a long prompt is read.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use domain::mesh::meter::Dialect;
use futures_util::StreamExt;
use serde_json::Value;

use super::dialect::Told;
use super::relay::NO_BUFFER;
use super::serve::is_stream;

/// So long nothing passes at most.
const PAUSE: Duration = Duration::from_secs(10);
/// Bytes of a refusal.
const REFUSAL_MAX: usize = 1 << 20;

type Answering = Pin<Box<dyn Future<Output = Result<Response, Told>> + Send>>;

/// The answer, or, where it takes long to begin, a stream that says so until it does. Such a stream has its 200 by then: what goes
/// wrong is an event in it.
pub(super) async fn begun(mut answering: Answering, dialect: Dialect) -> Result<Response, Told> {
    if let Ok(answered) = tokio::time::timeout(PAUSE, &mut answering).await {
        return answered;
    }
    let waiting = Waiting { dialect, state: State::Silent(answering) };
    let mut response = Response::new(Body::from_stream(futures_util::stream::unfold(waiting, Waiting::next)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFER, HeaderValue::from_static("no"));
    Ok(response)
}

struct Waiting {
    dialect: Dialect,
    state: State,
}

enum State {
    /// To say that there is nothing yet.
    Silent(Answering),
    /// And then to wait.
    Patient(Answering),
    Answers(BodyDataStream),
    Ended,
}

impl Waiting {
    async fn next(self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Self { dialect, mut state } = self;
        loop {
            let (bytes, next) = match state {
                State::Silent(answering) => (sign_of_life(dialect).into(), State::Patient(answering)),
                State::Patient(mut answering) => match tokio::time::timeout(PAUSE, &mut answering).await {
                    Err(_) => {
                        state = State::Silent(answering);
                        continue;
                    }
                    Ok(Err(told)) => (told.frame(dialect).into(), State::Ended),
                    Ok(Ok(response)) if response.headers().get(header::CONTENT_TYPE).is_some_and(is_stream) => {
                        state = State::Answers(response.into_body().into_data_stream());
                        continue;
                    }
                    Ok(Ok(response)) => (refusal(response).await.frame(dialect).into(), State::Ended),
                },
                State::Answers(mut body) => (body.next().await?.ok()?, State::Answers(body)),
                State::Ended => return None,
            };
            return Some((Ok(bytes), Self { dialect, state: next }));
        }
    }
}

/// What programs of this dialect pass over.
fn sign_of_life(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Messages => "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        _ => ": waiting for a machine\n\n",
    }
}

/// What an engine refuses when it would be too late for a status.
async fn refusal(response: Response) -> Told {
    let status = response.status().as_u16();
    let said = axum::body::to_bytes(response.into_body(), REFUSAL_MAX).await.unwrap_or_default();
    let said = serde_json::from_slice::<Value>(&said).unwrap_or_default();
    Told::new(status, "refused", said["error"]["message"].as_str().unwrap_or("the engine refuses the request"))
}
