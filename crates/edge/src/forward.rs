//! One request: find its upstream, send it there, pass the response back.

use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::body::{Lent, RequestBody, ResponseBody};
use crate::framing::Verdict;
use crate::headers;
use crate::host;
use crate::pages::{self, Refusal};
use crate::pool::{Failure, Sender};
use crate::serve::Connection;
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
    let claim = {
        let invalid = Refusal::BadRequest("The request's host is not valid.");
        let Some(name) = host.to_str().ok().and_then(host::parse) else { return Err(invalid) };
        let name = serving.host.as_deref().unwrap_or(&name);
        match serving.table().claim(name) {
            Choice::Claimed(claim) => claim,
            Choice::Starting => return Err(Refusal::Starting),
            Choice::Down(reason) => return Err(Refusal::Down(reason)),
            Choice::Unknown => return Err(Refusal::UnknownHost(name.to_owned())),
        }
    };
    let chunked = request.body().size_hint().exact().is_none();
    let upgrade =
        headers::request(request.headers_mut(), &connection.peer, host, chunked, &serving.config().private_cookies);
    let upgrade = upgrade.map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let body = if body.is_end_stream() { RequestBody::Empty } else { RequestBody::Client(body) };

    let (mut response, sender) = exchange(&claim, Request::from_parts(parts, body)).await.map_err(|failure| {
        tracing::debug!(upstream = claim.upstream_id(), error = &failure as &dyn std::error::Error, "no response");
        match failure {
            Failure::Exchange(error) if is_of_client(&error) => {
                Refusal::BadRequest("The request's body ended early or is not valid.")
            }
            _ => Refusal::UpstreamFailed,
        }
    })?;
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

/// Sends the request on an unused connection, or else a new one. An unused one may turn out to be closed: what was
/// not sent is sent again, and so is what was sent and got no answer when it does not matter how often it arrives.
async fn exchange(claim: &Claim, mut request: Request<RequestBody>) -> Result<(Response<Incoming>, Sender), Failure> {
    let pool = claim.pool();
    if let Some(mut sender) = pool.take() {
        let spare = spare(&request);
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, sender)),
            Err(mut error) => {
                let again = error.take_message().or(if error.error().is_parse() { None } else { spare });
                match again {
                    _ if pool.is_cut() => return Err(Failure::Cut),
                    Some(again) => request = again,
                    None => return Err(Failure::Exchange(error.into_error())),
                }
            }
        }
    }
    let mut sender = pool.connect().await?;
    match sender.send_request(request).await {
        Ok(response) => Ok((response, sender)),
        Err(_) if pool.is_cut() => Err(Failure::Cut),
        Err(error) => Err(Failure::Exchange(error)),
    }
}

/// A copy of a request that may arrive twice (RFC 9110 section 9.2.1).
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !matches!(request.body(), RequestBody::Empty)
        || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
    {
        return None;
    }
    let mut spare = Request::new(RequestBody::Empty);
    spare.method_mut().clone_from(request.method());
    spare.uri_mut().clone_from(request.uri());
    spare.headers_mut().clone_from(request.headers());
    Some(spare)
}

/// Whether the request's own body failed.
fn is_of_client(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    error.is_user() && error.source().is_some_and(|source| source.is::<hyper::Error>())
}
