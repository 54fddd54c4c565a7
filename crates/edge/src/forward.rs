//! One request: find its upstream, send it there, pass the response back.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::balance::Attempt;
use crate::body::{Lent, RequestBody, ResponseBody};
use crate::framing::Verdict;
use crate::headers::{self, Peer};
use crate::host;
use crate::pages::{self, Refusal};
use crate::pool::{Failure, Sender};
use crate::serve::{Connection, Serving};
use crate::table::Choice;
use crate::tunnel::Tunnel;
use crate::upstream::Claim;

pub(crate) async fn handle(connection: &Connection, request: Request<Incoming>) -> Response<ResponseBody> {
    let accept = pages::preference(request.headers());
    let verdict = connection.framing.head(request.body().size_hint().exact());
    let outcome = match verdict {
        Verdict::Ambiguous => {
            Err(Refusal::BadRequest("The request has both a Content-Length and a Transfer-Encoding field."))
        }
        Verdict::Sound | Verdict::Last => forward(connection, request).await,
    };
    let mut response = outcome.unwrap_or_else(|refusal| pages::answer(&refusal, accept.as_ref()));
    if verdict == Verdict::Last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn forward(connection: &Connection, mut request: Request<Incoming>) -> Result<Response<ResponseBody>, Refusal> {
    let serving = &connection.serving;
    let host = headers::target(&mut request).map_err(Refusal::BadRequest)?;
    let body_is_empty = request.body().is_end_stream();
    let repeatable = body_is_empty && request.method().is_idempotent();
    let attempt = Attempt { repeatable, tried: Vec::new() };
    let claim = {
        let invalid = Refusal::BadRequest("The request's host is not valid.");
        let Some(name) = host.to_str().ok().and_then(host::parse) else { return Err(invalid) };
        let name = serving.host.as_deref().unwrap_or(&name);
        match serving.table().claim(name, &attempt) {
            Choice::Claimed(claim) => claim,
            Choice::Starting => return Err(Refusal::Starting),
            Choice::Down(reason) => return Err(Refusal::Down(reason)),
            Choice::Unknown => return Err(Refusal::UnknownHost(name.to_owned())),
        }
    };
    let chunked = request.body().size_hint().exact().is_none();
    let told = serving.of_peers.then(|| Peer::told(request.headers()));
    let peer = told.as_ref().unwrap_or(&connection.peer);
    let upgrade = headers::request(request.headers_mut(), peer, host, chunked, &serving.config().private_cookies);
    let upgrade = upgrade.map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let body = if body_is_empty { RequestBody::Empty } else { RequestBody::Client(body) };

    let (mut response, sender, claim) = match exchange(&claim, Request::from_parts(parts, body)).await {
        Ok((response, sender)) => (response, sender, claim),
        // What seldom happens shall not make every request's future larger.
        Err(unanswered) => Box::pin(elsewhere(serving, claim, attempt, *unanswered)).await?,
    };
    *response.version_mut() = Version::HTTP_11;
    headers::response(response.headers_mut(), &serving.config().private_cookies);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response.map(|body| ResponseBody::Upstream(Lent::new(body, sender, claim))));
    }

    // An upstream that changes the protocol unasked is not understood any more.
    let (protocol, from_client) = upgrade.ok_or(Refusal::UpstreamFailed)?;
    let from_upstream = hyper::upgrade::on(&mut response);
    let websocket = headers::is_websocket(&protocol);
    let tunnel = Tunnel { claim, serving: serving.clone(), websocket };
    serving.tasks.spawn(tunnel.run(from_client, from_upstream));
    headers::set_upgrade(response.headers_mut(), protocol);
    Ok(response.map(|_| ResponseBody::Empty))
}

/// Sends a request that got no answer at the claimed upstream to others, if it may. Gives the claim of the one that
/// answers.
async fn elsewhere(
    serving: &Serving,
    mut claim: Claim,
    mut attempt: Attempt,
    mut unanswered: Unanswered,
) -> Result<(Response<Incoming>, Sender, Claim), Refusal> {
    loop {
        let Unanswered { failure, request } = unanswered;
        tracing::debug!(upstream = claim.upstream().id(), reason = failure.reason(), "no response");
        if matches!(&failure, Failure::Exchange(error) if is_of_client(error)) {
            return Err(Refusal::BadRequest("The request's body ended early or is not valid."));
        }
        claim.failed(&failure);
        let request = request.filter(|_| claim.has_others()).ok_or(Refusal::UpstreamFailed)?;
        attempt.tried.push(Arc::clone(claim.upstream()));
        claim = claim_another(serving, &attempt, &request).ok_or(Refusal::UpstreamFailed)?;
        match exchange(&claim, request).await {
            Ok((response, sender)) => return Ok((response, sender, claim)),
            Err(failed) => unanswered = *failed,
        }
    }
}

/// The table may have changed since the first was claimed.
fn claim_another(serving: &Serving, attempt: &Attempt, request: &Request<RequestBody>) -> Option<Claim> {
    let name = host::parse(request.headers().get(HOST)?.to_str().ok()?)?;
    match serving.table().claim(serving.host.as_deref().unwrap_or(&name), attempt) {
        Choice::Claimed(claim) => Some(claim),
        Choice::Starting | Choice::Down(_) | Choice::Unknown => None,
    }
}

/// A request without a response.
struct Unanswered {
    failure: Failure,
    /// The request, when it did not get as far as the upstream, or may arrive there and elsewhere.
    request: Option<Request<RequestBody>>,
}

/// Sends the request on an unused connection, or else a new one. An unused one may turn out to be closed: what was
/// not sent is sent again, and so is what was sent and got not a byte of an answer when it does not matter how often
/// it arrives.
async fn exchange(
    claim: &Claim,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Sender), Box<Unanswered>> {
    // How fast a client sends its body is not the upstream's doing.
    let measured = claim.is_balanced() && matches!(request.body(), RequestBody::Empty);
    let began = measured.then(Instant::now);
    let pool = claim.pool();
    let mut unused = pool.take();
    loop {
        let first = unused.is_some();
        let mut sender = match unused.take() {
            Some(sender) => sender,
            None => match pool.connect(claim.patience()).await {
                Ok(sender) => sender,
                Err(failure) => return Err(Box::new(Unanswered { failure, request: Some(request) })),
            },
        };
        let spare = if first || claim.has_others() { spare(&request, claim) } else { None };
        let mut error = match sender.send(request).await {
            Ok(response) => {
                claim.answered(began);
                return Ok((response, sender));
            }
            Err(error) => error,
        };
        let again = error.take_message().or(if sender.has_heard() { None } else { spare });
        match again {
            again if pool.is_cut() => return Err(Box::new(Unanswered { failure: Failure::Cut, request: again })),
            Some(again) if first => request = again,
            again => return Err(Box::new(Unanswered { failure: error.into_error().into(), request: again })),
        }
    }
}

/// A copy of a request that may arrive twice: at one upstream what only reads (RFC 9110 section 9.2.1), where there
/// are several everything that is idempotent (section 9.2.2).
fn spare(request: &Request<RequestBody>, claim: &Claim) -> Option<Request<RequestBody>> {
    let method = request.method();
    let may = if claim.is_balanced() { method.is_idempotent() } else { method.is_safe() };
    if !may || !matches!(request.body(), RequestBody::Empty) {
        return None;
    }
    let mut spare = Request::new(RequestBody::Empty);
    spare.method_mut().clone_from(method);
    spare.uri_mut().clone_from(request.uri());
    spare.headers_mut().clone_from(request.headers());
    Some(spare)
}

/// Whether the request's own body failed.
fn is_of_client(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    error.is_user() && error.source().is_some_and(|source| source.is::<hyper::Error>())
}
