//! With a real engine: llama.cpp's server with a small model.

use http_body_util::BodyExt;
use ids::CompletionId;
use mesh_agent::{Upstream, UpstreamKind};
use serde_json::{Value, json};
use testkit::{LlamaOptions, LlamaServer, PATIENCE, wait_until};
use url::Url;
use wire::MeshCompletion;

use crate::coordinator::{Coordinator, read};
use crate::stand::{Running, config};

fn question(extra: &Value) -> String {
    let mut question = json!({ "model": "tiny", "temperature": 0, "max_tokens": 16,
        "messages": [{ "role": "user", "content": "Which city is the capital of France?" }] });
    question.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    question.to_string()
}

#[tokio::test]
async fn a_real_engine_is_found_asked_counted_and_hung_up_on() {
    let options = LlamaOptions { context: 4096, slots: 2, api_key: Some("key".into()), embeddings: false };
    let mut llama = LlamaServer::start_with("tiny", options).await;
    let (coordinator, directory) = (Coordinator::start().await, tempfile::tempdir().unwrap());
    let url = Url::parse(&llama.url()).unwrap();
    let upstream = Upstream { kind: UpstreamKind::LlamaCpp, url, api_key: Some("key".into()) };
    let config = mesh_agent::Config { upstreams: vec![upstream], ..config(directory.path(), &coordinator, &[]) };
    let _running = Running::start(config);
    let report = coordinator.offered(&["tiny"]).await;
    assert_eq!((report.models[0].context, report.models[0].slots), (2048, 2));

    // What it says itself is what is counted, in each of its languages.
    for (path, extra, input, output) in [
        ("/v1/chat/completions", json!({}), "/usage/prompt_tokens", "/usage/completion_tokens"),
        ("/v1/responses", json!({ "input": "Hello" }), "/usage/input_tokens", "/usage/output_tokens"),
    ] {
        let id = CompletionId::new();
        let (status, said) = read(coordinator.post(path, &id, &question(&extra)).await).await;
        let [input, output] = [input, output].map(|at| said.pointer(at).and_then(Value::as_u64));
        assert!(status.is_success() && output > Some(0), "{said}");
        let told = coordinator.completion(&id).await.unwrap();
        assert_eq!((Some(told.input_tokens), Some(told.output_tokens)), (input, output), "{said}");
    }
    let id = CompletionId::new();
    let streamed = question(&json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let answer = coordinator.post("/v1/chat/completions", &id, &streamed).await.into_body().collect().await.unwrap();
    let answer = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
    let told = coordinator.completion(&id).await.unwrap();
    assert!(told.ended && answer.ends_with("data: [DONE]\n\n"), "{answer}");
    assert!(answer.contains(&format!("\"completion_tokens\":{}", told.output_tokens)), "{answer}");

    // One that would go on for long is given up at once.
    let id = CompletionId::new();
    let endless = question(&json!({ "stream": true, "max_tokens": 1500, "ignore_eos": true }));
    let mut response = coordinator.post("/v1/chat/completions", &id, &endless).await;
    while coordinator.completion(&id).await.unwrap().output_tokens < 3 {
        response.frame().await.unwrap().unwrap();
    }
    assert_eq!(llama.slots_busy().await, 1);
    drop(response);
    wait_until("its slot is free", PATIENCE, async || llama.slots_busy().await == 0).await;
    let MeshCompletion { ended, output_tokens, .. } = coordinator.ended(&id).await;
    assert!(ended && (3..1500).contains(&output_tokens));

    llama.kill();
    coordinator.offered(&[]).await;
    llama.restart().await;
    coordinator.offered(&["tiny"]).await;
}
