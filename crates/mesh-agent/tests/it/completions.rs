//! Completions on their way through.

use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ids::CompletionId;
use serde_json::{Value, json};
use testkit::PATIENCE;
use tokio::time::timeout;
use wire::MeshCompletion;

use crate::coordinator::read;
use crate::engine::API_KEY;
use crate::stand::Stand;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{ "stream":true,  "model":"m", "x": [1.0, 1e3], "messages":[] }"#;

fn delta(text: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": { "content": text } }] })
}

/// The next bytes of an answer. That it has ended may be said with none.
async fn next(response: &mut Response<Incoming>) -> Option<String> {
    loop {
        let frame = timeout(PATIENCE, response.frame()).await.expect("it goes on")?.unwrap();
        let bytes = frame.into_data().unwrap();
        if !bytes.is_empty() {
            return Some(String::from_utf8(bytes.to_vec()).unwrap());
        }
    }
}

#[tokio::test]
async fn an_answer_passes_piece_by_piece_and_is_counted() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let (mut response, answering) = tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async {
        let asked = stand.engine.asked().await;
        assert_eq!((asked.path.as_str(), &asked.body[..]), (CHAT, BODY.as_bytes()), "unchanged");
        assert_eq!(asked.headers["content-type"], "application/json");
        assert_eq!(asked.headers["authorization"], format!("Bearer {API_KEY}").as_str());
        assert!(
            asked.headers.keys().all(|name| !name.as_str().contains("mesh") && !name.as_str().contains("signature"))
        );
        asked.stream()
    });
    assert_eq!(
        (response.status(), response.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/event-stream")
    );
    // Each is sent only when the one before has arrived.
    for (count, text) in (1..).zip(["Hel", "lo", "!"]) {
        answering.say(&delta(text)).await;
        assert_eq!(next(&mut response).await.unwrap(), format!("data: {}\n\n", delta(text)));
        let progress = MeshCompletion { ended: false, input_tokens: 0, output_tokens: count };
        assert_eq!(stand.coordinator.completion(&id).await, Some(progress));
    }
    // Also what is no frame, or half of one.
    answering.say_bytes("data: {\"choices\":[],\"usage\":{\"prompt_tok").await;
    assert_eq!(next(&mut response).await.unwrap(), "data: {\"choices\":[],\"usage\":{\"prompt_tok");
    answering.say_bytes("ens\":31,\"completion_tokens\":5}}\n\ndata: [DONE]\n").await;
    assert_eq!(next(&mut response).await.unwrap(), "ens\":31,\"completion_tokens\":5}}\n\ndata: [DONE]\n");
    assert_eq!(stand.coordinator.report().await.models[0].busy, 1);
    drop(answering);
    assert_eq!(next(&mut response).await, None);
    // At once: not a moment after the end is known.
    let used = MeshCompletion { ended: true, input_tokens: 31, output_tokens: 5 };
    assert_eq!(stand.coordinator.completion(&id).await, Some(used));
    assert_eq!(stand.coordinator.report().await.models[0].busy, 0);
}

#[tokio::test]
async fn who_hangs_up_is_hung_up_on_the_engine() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let (mut response, answering) =
        tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async { stand.engine.asked().await.stream() });
    answering.say(&delta("Hel")).await;
    next(&mut response).await.unwrap();
    drop(response);
    // It works at the next token, and says nothing meanwhile.
    answering.hung_up().await;
    assert_eq!(stand.coordinator.ended(&id).await, MeshCompletion { ended: true, input_tokens: 0, output_tokens: 1 });
    stand.coordinator.idle().await;
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_begins_is_hung_up_too() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let asked = {
        let mut asking = Box::pin(stand.coordinator.post(CHAT, &id, BODY));
        tokio::select! {
            _ = &mut asking => panic!("there is no answer"),
            asked = stand.engine.asked() => asked,
        }
    };
    asked.hung_up().await;
    assert_eq!(stand.coordinator.ended(&id).await, MeshCompletion { ended: true, input_tokens: 0, output_tokens: 0 });
    stand.coordinator.idle().await;
}

#[tokio::test]
async fn a_link_that_ends_hangs_up_all_and_the_next_one_tells_what_was_used() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let (mut response, answering) =
        tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async { stand.engine.asked().await.stream() });
    answering.say(&delta("Hel")).await;
    next(&mut response).await.unwrap();
    stand.coordinator.hang_up().await;
    answering.hung_up().await;
    assert_eq!(stand.coordinator.ended(&id).await.output_tokens, 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let (mut response, answering) =
        tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async { stand.engine.asked().await.stream() });
    answering.say(&delta("Hel")).await;
    next(&mut response).await.unwrap();
    answering.fail().await;
    assert!(timeout(PATIENCE, response.frame()).await.unwrap().unwrap().is_err());
    assert_eq!(stand.coordinator.ended(&id).await.output_tokens, 1);
}

#[tokio::test]
async fn each_kind_of_request_has_its_path_and_its_usage() {
    let mut stand = Stand::start().await;
    let openai = json!({ "prompt_tokens": 9, "completion_tokens": 2 });
    let other = json!({ "input_tokens": 9, "output_tokens": 2 });
    for (path, answer, output_tokens) in [
        (CHAT, json!({ "choices": [{ "message": { "content": "Hi" } }], "usage": openai }), 2),
        ("/v1/completions", json!({ "choices": [{ "text": "Hi" }], "usage": openai }), 2),
        ("/v1/responses", json!({ "output": [], "usage": other }), 2),
        ("/v1/messages", json!({ "type": "message", "content": [], "usage": other }), 2),
        ("/v1/embeddings", json!({ "data": [{ "embedding": [0.5] }], "usage": { "prompt_tokens": 9 } }), 0),
    ] {
        let id = CompletionId::new();
        let (response, ()) = tokio::join!(stand.coordinator.post(path, &id, BODY), async {
            let asked = stand.engine.asked().await;
            assert_eq!(asked.path, path);
            asked.answer(StatusCode::OK, "application/json", answer.to_string());
        });
        assert_eq!(read(response).await, (StatusCode::OK, answer));
        let used = MeshCompletion { ended: true, input_tokens: 9, output_tokens };
        assert_eq!(stand.coordinator.completion(&id).await, Some(used), "{path}");
    }
}

#[tokio::test]
async fn what_the_engine_refuses_passes_too_and_counts_nothing() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let answer = json!({ "error": { "code": 400, "message": "too long" }, "usage": { "prompt_tokens": 9 } });
    let (response, ()) = tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async {
        stand.engine.asked().await.answer(
            StatusCode::BAD_REQUEST,
            "application/json; charset=utf-8",
            answer.to_string(),
        );
    });
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(read(response).await, (StatusCode::BAD_REQUEST, answer));
    let used = MeshCompletion { ended: true, input_tokens: 0, output_tokens: 0 };
    assert_eq!(stand.coordinator.completion(&id).await, Some(used));
}

#[tokio::test]
async fn an_id_is_under_way_once() {
    let mut stand = Stand::start().await;
    let id = CompletionId::new();
    let (first, answering) =
        tokio::join!(stand.coordinator.post(CHAT, &id, BODY), async { stand.engine.asked().await.stream() });
    let (status, said) = read(stand.coordinator.post(CHAT, &id, BODY).await).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::CONFLICT, Some("duplicate_request")));
    // The first one goes on, and it is the only one that the engine has.
    answering.say_bytes("data: [DONE]\n\n").await;
    drop(answering);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "data: [DONE]\n\n");
    stand.coordinator.idle().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_told_with_a_code() {
    let stand = Stand::start().await;
    let id = CompletionId::new();
    for (body, status, code) in [
        (r#"{"model":"n"}"#, StatusCode::NOT_FOUND, "model_absent"),
        (r#"{"messages":[]}"#, StatusCode::BAD_REQUEST, "model_missing"),
        ("{", StatusCode::BAD_REQUEST, "model_missing"),
    ] {
        let (is, said) = read(stand.coordinator.post(CHAT, &id, body).await).await;
        assert_eq!((is, said["code"].as_str()), (status, Some(code)), "{body}");
    }
    let without = stand.coordinator.signed(axum::http::Method::POST, CHAT, BODY, None);
    let (status, said) = read(stand.coordinator.send(without).await).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::BAD_REQUEST, Some("request_id_missing")));

    mesh_agent::pause(stand.directory.path(), Some("its owner plays")).unwrap();
    let mut report = stand.agent.agent.report();
    timeout(PATIENCE, report.wait_for(|report| report.paused.is_some())).await.unwrap().unwrap();
    let (status, said) = read(stand.coordinator.post(CHAT, &id, BODY).await).await;
    let told = (said["code"].as_str(), said["reason"].as_str());
    assert_eq!((status, told), (StatusCode::SERVICE_UNAVAILABLE, (Some("paused"), Some("its owner plays"))));
    mesh_agent::pause(stand.directory.path(), None).unwrap();
    timeout(PATIENCE, report.wait_for(|report| report.paused.is_none())).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_stops_brings_to_an_end_what_is_under_way() {
    let Stand { agent, coordinator, mut engine, directory: _directory } = Stand::start().await;
    let id = CompletionId::new();
    let (mut response, answering) =
        tokio::join!(coordinator.post(CHAT, &id, BODY), async { engine.asked().await.stream() });
    let stopping = tokio::spawn(agent.stop());
    answering.say(&delta("Hel")).await;
    assert!(next(&mut response).await.is_some());
    drop(answering);
    assert_eq!(next(&mut response).await, None);
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
}
