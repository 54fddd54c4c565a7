//! Hosted providers: what the mesh has not, companies have. Here it is llama.cpp's server, which speaks as they do and wants a key.

use ids::{CompletionState, HostedProviderKind};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{LlamaOptions, LlamaServer, PATIENCE, wait_until};

use super::{MODEL, Stand, User, balance, question};

async fn company(key: &str) -> LlamaServer {
    LlamaServer::start_with(MODEL, LlamaOptions { api_key: Some(key.into()), ..LlamaOptions::default() }).await
}

fn model(name: &str) -> api::HostedModel {
    api::HostedModel { name: name.into(), context: 2048, input_price: 20, output_price: 60 }
}

fn provider(name: &str, kind: HostedProviderKind, company: &LlamaServer, key: &str) -> api::HostedProviderCreate {
    api::HostedProviderCreate {
        name: name.into(),
        kind,
        base_url: Some(format!("{}/v1", company.url())),
        api_key: key.into(),
        models: vec![model(MODEL)],
    }
}

async fn owner(user: &User) -> Option<Value> {
    let models: Value = user.asks.raw(Method::GET, "/v1/models").send().await.unwrap().json().await.unwrap();
    models["data"].as_array().unwrap().iter().find(|it| it["id"] == MODEL).map(|it| it["owned_by"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companys_models_are_asked_with_a_key_that_nobody_sees() {
    let (key, mut stand) = (testkit::random_secret(), Stand::new().await);
    let (company, bob) = (company(&key).await, stand.user("bob", 1).await);
    let wrong = provider("openai", HostedProviderKind::OpenAi, &company, &testkit::random_secret());
    let made = stand.admin.provider_create(&wrong).await.unwrap();
    assert_eq!((made.node_id.as_str(), made.base_url.as_str()), ("coordinator.openai", company.url().as_str()));
    let check = stand.admin.provider_check(&made.id).await.unwrap();
    assert!(!check.ok && check.message.unwrap().contains("refuses the key"));
    // Its refusal is about the key, which is not of who asks.
    let refused = bob.chat(&question(4)).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "no_machine_answers");
    let update = api::HostedProviderUpdate { api_key: Some(key.clone()), ..Default::default() };
    stand.admin.provider_update(&made.id, &update).await.unwrap();
    assert_eq!(stand.admin.provider_check(&made.id).await.unwrap().models, [MODEL]);
    assert_eq!(owner(&bob).await.unwrap(), "openai");

    assert_eq!(bob.chat(&question(8)).await.status(), 200);
    let mut streamed = question(8);
    streamed["stream"] = true.into();
    let text = bob.chat(&streamed).await.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let ledger = stand.adds_up().await;
    let asked = bob.client.completion_list().await.unwrap();
    let done = asked.iter().filter(|it| it.state == CompletionState::Done).collect::<Vec<_>>();
    assert_eq!(done.len(), 2, "{asked:?}");
    for it in &done {
        assert_eq!(it.node_id.as_ref().unwrap().as_str(), "coordinator.openai");
        assert_eq!(it.cost, it.input_tokens * 20 + it.output_tokens * 60);
    }
    // The coordinator pays their bill: what is paid is its own.
    assert_eq!(balance(&ledger, "fee"), done.iter().map(|it| it.cost).sum::<i64>());

    stand.server.kill();
    stand.server.restart().await;
    wait_until("it is offered after a restart", PATIENCE, async || owner(&bob).await.is_some()).await;
    assert_eq!(bob.chat(&question(4)).await.status(), 200);
    let off = api::HostedProviderUpdate { enabled: Some(false), ..Default::default() };
    stand.admin.provider_update(&made.id, &off).await.unwrap();
    assert_eq!((owner(&bob).await, bob.chat(&question(4)).await.status().as_u16()), (None, 404));
    stand.admin.provider_delete(&made.id).await.unwrap();
    assert_eq!(stand.admin.provider_delete(&made.id).await.unwrap_err().status, 404);
    assert!(stand.admin.provider_list().await.unwrap().is_empty());
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_asked_in_its_own_dialect() {
    let (key, stand) = (testkit::random_secret(), Stand::new().await);
    let (company, bob) = (company(&key).await, stand.user("bob", 1).await);
    let ask = async |path: &str| {
        let body =
            json!({ "model": MODEL, "max_tokens": 4, "messages": [{ "role": "user", "content": "Say hello." }] });
        let response = bob.asks.raw(Method::POST, path).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let anthropic = provider("anthropic", HostedProviderKind::Anthropic, &company, &key);
    let anthropic = stand.admin.provider_create(&anthropic).await.unwrap();
    let (status, told) = ask("/v1/chat/completions").await;
    assert_eq!((status, &told["error"]["code"]), (400, &json!("route_not_served")));
    let (status, told) = ask("/v1/messages").await;
    assert_eq!((status, &told["type"]), (200, &json!("message")), "{told}");
    let openai = provider("openai", HostedProviderKind::OpenAi, &company, &key);
    stand.admin.provider_create(&openai).await.unwrap();
    assert_eq!(ask("/v1/chat/completions").await.0, 200);
    // Nobody can say before what this costs.
    let mut further = question(4);
    further["service_tier"] = "priority".into();
    let refused = bob.chat(&further).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "field_not_allowed");
    stand.admin.provider_delete(&anthropic.id).await.unwrap();
    assert_eq!(ask("/v1/messages").await.1["error"]["code"], "route_not_served");
    // A machine of the mesh answers all of them, and the model is the mesh's then.
    let llama = LlamaServer::start(MODEL).await;
    let agent = stand.machine("ada-desk", &llama).await;
    for path in ["/v1/messages", "/v1/chat/completions"] {
        assert_eq!(ask(path).await.0, 200);
    }
    let newest = bob.client.completion_list().await.unwrap();
    assert!(newest[..2].iter().all(|it| it.node_id.as_ref().unwrap().as_str() == "ada-desk"), "{newest:?}");
    assert_eq!(owner(&bob).await.unwrap(), "mesh");
    // Where its owner uses it, the company is asked again, and /v1/models says so.
    agent.owner_says("pause").await;
    wait_until("it is paused", PATIENCE, async || owner(&bob).await.is_some_and(|owner| owner == "openai")).await;
    assert_eq!(ask("/v1/chat/completions").await.0, 200);
    let newest = bob.client.completion_list().await.unwrap().remove(0);
    assert_eq!(newest.node_id.unwrap().as_str(), "coordinator.openai");
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_is_said_all_at_once() {
    let (key, stand) = (testkit::random_secret(), Stand::new().await);
    let company = company(&key).await;
    let create = provider("openai", HostedProviderKind::OpenAi, &company, &key);
    assert_eq!(stand.ada.provider_create(&create).await.unwrap_err().status, 403);
    assert_eq!(stand.ada.provider_list().await.unwrap_err().status, 403);
    let dear = api::HostedModel { input_price: 1_000_000, context: 1, ..model("a") };
    let wrong = api::HostedProviderCreate {
        name: "Inference!".into(),
        base_url: Some("http://api.example.com/v1?a=b".into()),
        api_key: "with space".into(),
        models: vec![dear, model("b"), model("b")],
        ..create.clone()
    };
    let refused = stand.admin.provider_create(&wrong).await.unwrap_err();
    assert_eq!(refused.status, 400);
    let codes = ["INVALID_NAME", "INVALID_BASE_URL", "INVALID_API_KEY", "INVALID_MODELS"];
    let said = format!("{refused:?}");
    assert!(codes.iter().all(|code| said.contains(code)), "{said}");
    let made = stand.admin.provider_create(&create).await.unwrap();
    let taken = stand.admin.provider_create(&create).await.unwrap_err();
    assert_eq!((taken.status, taken.code()), (409, "PROVIDER_NAME_TAKEN"));
    // A key goes where it was meant for.
    let elsewhere = api::HostedProviderUpdate { base_url: Some("https://evil.example".into()), ..Default::default() };
    let refused = stand.admin.provider_update(&made.id, &elsewhere).await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (400, "API_KEY_REQUIRED"));
    assert_eq!(stand.admin.provider_list().await.unwrap()[0].base_url, company.url());
    let dialled = api::HostedProviderUpdate { models: Some(Vec::new()), ..Default::default() };
    assert_eq!(stand.admin.provider_update(&made.id, &dialled).await.unwrap_err().code(), "INVALID_MODELS");
}
