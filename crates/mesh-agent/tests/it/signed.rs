//! Who may ask what.

use axum::http::{Method, Request, StatusCode};
use http_body_util::Full;
use ids::CompletionId;
use link::KeyPair;

use crate::coordinator::{read, signed_by};
use crate::stand::Stand;

const BODY: &str = r#"{"model":"m"}"#;
const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn what_the_coordinator_has_not_signed_is_refused() {
    let stand = Stand::start().await;
    let id = CompletionId::new();
    let signed = |method, target, body| stand.coordinator.signed(method, target, body, Some(&id));

    let unsigned = Request::post("http://mesh-agent/v1/chat/completions").body(Full::from(BODY)).unwrap();
    let mut another_path = signed(Method::GET, "/v1/report", "");
    *another_path.uri_mut() = "http://mesh-agent/v1/report?than=1".parse().unwrap();
    let mut another_host = signed(Method::GET, "/v1/report", "");
    *another_host.uri_mut() = "http://another/v1/report".parse().unwrap();
    let mut another_body = signed(Method::POST, CHAT, BODY);
    *another_body.body_mut() = Full::from(r#"{"model":"n"}"#);
    let stranger = signed_by(&KeyPair::generate().unwrap(), Method::POST, CHAT, BODY, Some(&id));
    let mut in_its_name = signed(Method::GET, "/v1/report", "");
    let forged = signed(Method::GET, "/v1/report?than=0", "").headers()["signature"].clone();
    in_its_name.headers_mut().insert("signature", forged);

    for (request, code) in [
        (unsigned, "signature_missing"),
        (another_path, "signature_invalid"),
        (another_host, "signature_invalid"),
        (another_body, "signature_digest"),
        (stranger, "signature_unknown_key"),
        (in_its_name, "signature_invalid"),
    ] {
        let (status, said) = read(stand.coordinator.send(request).await).await;
        assert_eq!((status, said["code"].as_str()), (StatusCode::UNAUTHORIZED, Some(code)));
    }
    // A stranger does not learn what there is.
    let nowhere = Request::get("http://mesh-agent/v1/nothing").body(Full::default()).unwrap();
    assert_eq!(stand.coordinator.send(nowhere).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stand.coordinator.completion(&id).await, None);
}

#[tokio::test]
async fn a_signature_is_good_for_one_request() {
    let stand = Stand::start().await;
    let request = stand.coordinator.signed(Method::GET, "/v1/report", "", None);
    assert_eq!(stand.coordinator.send(request.clone()).await.status(), StatusCode::OK);
    let (status, said) = read(stand.coordinator.send(request.clone()).await).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("signature_replayed")));
    // Nor on another link.
    stand.coordinator.hang_up().await;
    stand.coordinator.linked().await;
    let (status, said) = read(stand.coordinator.send(request).await).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("signature_replayed")));
}

#[tokio::test]
async fn there_is_nothing_but_reports_and_completions() {
    let stand = Stand::start().await;
    for (method, target) in [
        (Method::GET, "/"),
        (Method::GET, "/v1/hello"),
        (Method::PUT, "/v1/desired"),
        (Method::GET, "/v1/models"),
        (Method::GET, "/slots"),
        (Method::GET, "/v1/chat/completions"),
        (Method::POST, "/v1/report"),
        (Method::POST, "/v1/chat/completions/"),
        (Method::POST, "/api/generate"),
        (Method::GET, "/v1/completions/not-an-id"),
        (Method::GET, "/v1/completions/01j9z3k4w5x6y7z8a9b0c1d2e3"),
    ] {
        let request = stand.coordinator.signed(method.clone(), target, "", None);
        let (status, said) = read(stand.coordinator.send(request).await).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {target}: {said}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_not_taken() {
    let stand = Stand::start().await;
    let long = format!(r#"{{"model":"m","prompt":"{}"}}"#, "x".repeat(33 << 20));
    let (status, said) = read(stand.coordinator.post(CHAT, &CompletionId::new(), &long).await).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("body_too_large")));
}
