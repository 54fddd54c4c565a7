//! The coordinator's own inference service: who may ask it, and what becomes of what it answers.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use ids::CompletionState;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::{Builder, LlamaServer, MeshService, PATIENCE, wait_some, wait_until};

use super::{MODEL, Stand, balance, program, question, server};

const TOKEN: &str = "inference-token-of-tests";
const PEER: &str = "coordinator-local";

/// A key as its owner makes it.
pub(super) struct Key {
    private: String,
    public: String,
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

impl Key {
    pub(super) fn generate() -> Self {
        let private = openssl(&["genpkey", "-algorithm", "ed25519"], b"");
        let public = openssl(&["pkey", "-pubout"], &private);
        Self { private: String::from_utf8(private).unwrap(), public: String::from_utf8(public).unwrap() }
    }

    fn sign(&self, line: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let (key, message) = (directory.path().join("key"), directory.path().join("message"));
        std::fs::write(&key, &self.private).unwrap();
        std::fs::write(&message, line).unwrap();
        let (key, message) = (key.to_str().unwrap(), message.to_str().unwrap());
        STANDARD.encode(openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message], b""))
    }
}

/// The variables of the guide.
pub(super) fn service<'a>(key: &'a Key, engine: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("INFERENCE_AUTH_TOKEN", TOKEN),
        ("INFERENCE_COORDINATOR_PEER_ID", PEER),
        ("INFERENCE_COORDINATOR_PUBLIC_KEY_PEM", &key.public),
        ("INFERENCE_REQUIRE_SIGNED_COORDINATOR_REQUESTS", "true"),
        ("LOCAL_MODEL_PROVIDER", "llama-local"),
        ("NANOSCALE_MESH_ENGINE_URL", engine),
        ("OLLAMA_AUTO_INSTALL", "false"),
    ]
}

/// The coordinator that it trusts.
pub(super) fn coordinator(key: &Key, inference: &MeshService) -> Builder {
    server()
        .env("COORDINATOR_PEER_ID", PEER)
        .env("COORDINATOR_PRIVATE_KEY_PEM", key.private.replace('\n', "\\n"))
        .env("COORDINATOR_PUBLIC_KEY_PEM", &key.public)
        .env("INFERENCE_URL", inference.url())
        .env("INFERENCE_AUTH_TOKEN", TOKEN)
}

async fn has_model(stand: &Stand) -> bool {
    let models = stand.admin.raw(Method::GET, "/v1/models").send().await.unwrap().json::<Value>().await.unwrap();
    models["data"].as_array().unwrap().iter().any(|model| model["id"] == MODEL && model["owned_by"] == "mesh")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinators_own_engine_is_asked_and_it_earns_for_it() {
    let mut llama = LlamaServer::start(MODEL).await;
    let stand = Stand::with(server().config(json!({ "mesh": {
        "inference_bind": "127.0.0.1:0", "model_provider": "llama-local", "engine_url": llama.url() } })));
    let stand = stand.await;
    wait_until("the model is there", PATIENCE, async || has_model(&stand).await).await;
    let bob = stand.user("bob", 1).await;
    assert_eq!(bob.chat(&question(8)).await.status(), 200);
    let mut streamed = question(8);
    streamed["stream"] = true.into();
    assert!(bob.chat(&streamed).await.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let ledger = stand.adds_up().await;
    let done = bob.client.completion_list().await.unwrap();
    assert!(done.iter().all(|it| it.state == CompletionState::Done && it.output_tokens > 0), "{done:?}");
    assert_eq!(done[0].node_id.as_ref().unwrap().as_str(), "coordinator.inference");
    assert_eq!(balance(&ledger, "fee"), done.iter().map(|it| it.cost).sum::<i64>());
    // It is no machine of the mesh, and none takes its name.
    let refused = stand.ada.enrol("coordinator.inference").await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (400, "INVALID_NODE_ID"));
    assert!(stand.admin.enrolment_list().await.unwrap().enrolments.is_empty());
    llama.kill();
    wait_until("the model is gone", PATIENCE, async || !has_model(&stand).await).await;
    llama.restart().await;
    wait_until("the model is back", PATIENCE, async || has_model(&stand).await).await;
    assert_eq!(bob.chat(&question(4)).await.status(), 200);
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_its_own_is_set_up_as_the_guide_says_and_dies_in_mid_stream() {
    let (key, llama) = (Key::generate(), LlamaServer::start(MODEL).await);
    let engine = llama.url();
    let mut inference = MeshService::start(program(), "inference", &service(&key, &engine)).await;
    let stand = Stand::with(coordinator(&key, &inference)).await;
    wait_until("the model is there", PATIENCE, async || has_model(&stand).await).await;
    let bob = stand.user("bob", 1).await;
    assert_eq!(bob.chat(&question(8)).await.status(), 200);
    let long = json!({ "model": MODEL, "stream": true, "max_tokens": 2000, "ignore_eos": true,
        "messages": [{ "role": "user", "content": "Count from one to a thousand." }] });
    let mut answer = bob.chat(&long).await.bytes_stream();
    let mut heard = String::new();
    while heard.matches("data: ").count() < 5 {
        heard.push_str(std::str::from_utf8(&answer.next().await.unwrap().unwrap()).unwrap());
    }
    inference.kill();
    while let Some(Ok(more)) = answer.next().await {
        heard.push_str(std::str::from_utf8(&more).unwrap());
    }
    assert!(heard.contains("machine_broke_off"), "{heard}");
    let broken = wait_some("it is settled", PATIENCE, async || {
        let newest = bob.client.completion_list().await.unwrap().into_iter().next()?;
        (newest.state == CompletionState::Broken).then_some(newest)
    });
    let broken = broken.await;
    assert!((3..2000).contains(&broken.output_tokens) && broken.cost > 0, "{broken:?}");
    inference.restart().await;
    wait_until("it answers again", PATIENCE, async || bob.chat(&question(4)).await.status() == 200).await;
    stand.adds_up().await;
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// One request in the form of headers, as a coordinator of the earlier system sends it.
struct Signed<'a> {
    peer: &'a str,
    key: &'a Key,
    timestamp: String,
    nonce: &'a str,
    signed_body: &'a str,
    body: &'a str,
}

impl Signed<'_> {
    async fn ask(&self, url: &str, path: &str) -> (u16, Value) {
        let Self { peer, key, timestamp, nonce, signed_body, body } = self;
        let hash = Sha256::digest(signed_body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = format!(
            r#"{{"peerId":"{peer}","method":"POST","path":"{path}","timestampMs":{timestamp},"nonce":"{nonce}","bodySha256":"{hash}"}}"#
        );
        let request = reqwest::Client::new().post(format!("{url}{path}")).header("x-inference-token", TOKEN);
        let request = request
            .header("x-coordinator-peer-id", *peer)
            .header("x-inference-timestamp-ms", timestamp)
            .header("x-inference-nonce", *nonce)
            .header("x-inference-body-sha256", hash)
            .header("x-inference-signature", key.sign(&line));
        told(request.body((*body).to_owned())).await
    }
}

async fn told(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_its_coordinator_and_nobody_else() {
    let (key, other) = (Key::generate(), Key::generate());
    let llama = LlamaServer::start(MODEL).await;
    let engine = llama.url();
    let mut inference = MeshService::start(program(), "inference", &service(&key, &engine)).await;
    let (http, url) = (reqwest::Client::new(), inference.url());
    assert_eq!(told(http.get(format!("{url}/health"))).await, (200, json!({ "ok": true })));
    let routes = [
        "/decompose",
        "/escalate",
        "/model/swap",
        "/model/list",
        "/model/pull/progress",
        "/dashboard",
        "/metrics",
        "/x",
    ];
    for path in routes.into_iter().chain(["/v1/report", "/v1/chat/completions"]) {
        let refused = |answer: (u16, Value), code: &str| {
            assert_eq!((answer.0, &answer.1["error"]), (401, &json!(code)), "{path}");
        };
        let ask = || http.post(format!("{url}{path}")).body("{}");
        refused(told(ask()).await, "inference_unauthorized");
        refused(told(ask().header("x-inference-token", "inference-token-of-testz")).await, "inference_unauthorized");
        refused(told(ask().header("x-inference-token", TOKEN)).await, "inference_signature_missing");
    }
    let asked = question(4).to_string();
    let sent = |nonce| Signed {
        peer: PEER,
        key: &key,
        timestamp: now_ms().to_string(),
        nonce,
        signed_body: &asked,
        body: &asked,
    };
    let path = "/v1/chat/completions";
    // It is answered as to a coordinator of ours, that gives each completion an id.
    let answered = sent("one").ask(&url, path).await;
    assert_eq!((answered.0, &answered.1["code"]), (400, &json!("request_id_missing")));
    let again = Signed { timestamp: now_ms().to_string(), ..sent("two") };
    assert_eq!(again.ask(&url, path).await.0, 400);
    let refused = async |signed: Signed<'_>, code: &str| {
        let (status, body) = signed.ask(&url, path).await;
        assert_eq!((status, &body["error"]), (401, &json!(code)), "{code}");
    };
    refused(again, "inference_signature_replay").await;
    refused(Signed { peer: "somebody", ..sent("three") }, "inference_signature_untrusted_peer").await;
    refused(Signed { timestamp: "0x1".into(), ..sent("four") }, "inference_signature_invalid_timestamp").await;
    for apart in [-180_000, 180_000] {
        let signed = Signed { timestamp: (now_ms() + apart).to_string(), ..sent("five") };
        refused(signed, "inference_signature_expired").await;
    }
    refused(Signed { body: "{ }", ..sent("six") }, "inference_signature_body_mismatch").await;
    refused(Signed { key: &other, ..sent("seven") }, "inference_signature_invalid").await;
    // What was taken before a restart is not taken after it.
    let before = Signed { timestamp: now_ms().to_string(), ..sent("eight") };
    assert_eq!(before.ask(&url, path).await.0, 400);
    inference.restart().await;
    refused(before, "inference_signature_expired").await;
    assert_eq!(sent("nine").ask(&url, path).await.0, 400);
}

#[test]
fn it_does_not_start_without_what_guards_it() {
    let output = MeshService::start_in_vain(
        program(),
        "inference",
        &[("INFERENCE_REQUIRE_SIGNED_COORDINATOR_REQUESTS", "true")],
    );
    let said = String::from_utf8(output.stderr).unwrap();
    for name in ["INFERENCE_AUTH_TOKEN", "INFERENCE_COORDINATOR_PUBLIC_KEY_PEM", "INFERENCE_COORDINATOR_PEER_ID"] {
        assert!(said.contains(name), "{name} in {said}");
    }
    let short = MeshService::start_in_vain(
        program(),
        "inference",
        &[("INFERENCE_AUTH_TOKEN", "short"), ("OLLAMA_AUTO_INSTALL", "true")],
    );
    let said = String::from_utf8(short.stderr).unwrap();
    assert!(said.contains("mesh.inference_token") && said.contains("mesh.ollama_auto_install"), "{said}");
}
