//! Engines that come and go, and others than llama.cpp.

use axum::Router;
use axum::routing::{get, post};
use ids::CompletionId;
use mesh_agent::{Upstream, UpstreamKind};
use serde_json::json;
use testkit::{FetchingOllama, PATIENCE, UNHEARD_OF, wait_until};
use tokio::net::TcpListener;
use url::Url;

use crate::coordinator::{Coordinator, read};
use crate::engine::Engine;
use crate::stand::{Running, Stand, config};

#[tokio::test]
async fn models_come_and_go_with_their_engine() {
    let stand = Stand::start().await;
    stand.engine.set_models(&["m", "n"]);
    stand.coordinator.offered(&["m", "n"]).await;
    let Stand { agent: _agent, coordinator, engine, directory: _directory } = stand;
    drop(engine);
    coordinator.offered(&[]).await;
    let (status, said) =
        read(coordinator.post("/v1/completions", &CompletionId::new(), r#"{"model":"m"}"#).await).await;
    assert_eq!((status.as_u16(), said["code"].as_str()), (404, Some("model_absent")));
}

#[tokio::test]
async fn each_model_is_asked_for_where_it_is() {
    let coordinator = Coordinator::start().await;
    let (mut one, mut two) = (Engine::start(&["a"]).await, Engine::start(&["b"]).await);
    let directory = tempfile::tempdir().unwrap();
    let _running = Running::start(config(directory.path(), &coordinator, &[&one, &two]));
    coordinator.offered(&["a", "b"]).await;
    for (model, engine) in [("a", &mut one), ("b", &mut two)] {
        let body = json!({ "model": model }).to_string();
        let id = CompletionId::new();
        let (response, ()) = tokio::join!(coordinator.post("/v1/embeddings", &id, &body), async {
            engine.asked().await.answer(axum::http::StatusCode::OK, "application/json", "{}");
        });
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn ollama_says_what_it_has_in_its_own_way() {
    let tags = json!({ "models": [
        { "name": "big:7b", "model": "big:7b", "digest": "d1" },
        { "name": "small:latest", "model": "small:latest", "digest": "d2" }
    ] });
    let show = json!({ "model_info": { "general.architecture": "x", "x.context_length": 131_072 } });
    let ps = json!({ "models": [{ "name": "small:latest", "context_length": 16_384 }] });
    let router = Router::new()
        .route("/api/tags", get(async move || axum::Json(tags)))
        .route("/api/show", post(async move || axum::Json(show)))
        .route("/api/ps", get(async move || axum::Json(ps)))
        .route("/v1/chat/completions", post(async |body: String| body));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let coordinator = Coordinator::start().await;
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream { kind: UpstreamKind::Ollama, url, api_key: None };
    let _running =
        Running::start(mesh_agent::Config { upstreams: vec![upstream], ..config(directory.path(), &coordinator, &[]) });
    let report = coordinator.offered(&["big:7b", "small:latest"]).await;
    let told = report.models.iter().map(|model| (model.loaded, model.context, model.slots)).collect::<Vec<_>>();
    assert_eq!(told, [(false, 4096, 1), (true, 16_384, 1)]);
    let body = r#"{"model":"big:7b"}"#;
    let (status, echoed) = read(coordinator.post("/v1/chat/completions", &CompletionId::new(), body).await).await;
    assert_eq!((status.as_u16(), echoed), (200, json!({ "model": "big:7b" })));
}

#[tokio::test]
async fn a_model_is_fetched_by_order_where_the_owner_allows_it() {
    let ollama = FetchingOllama::start().await;
    let url = Url::parse(ollama.url()).unwrap();
    let with = |directory: &std::path::Path, coordinator: &Coordinator, allows_pulls| {
        let upstream = Upstream { kind: UpstreamKind::Ollama, url: url.clone(), api_key: None };
        let terms = mesh_agent::Terms { allows_pulls, ..mesh_agent::Terms::default() };
        mesh_agent::Config { upstreams: vec![upstream], terms, ..config(directory, coordinator, &[]) }
    };
    let order = async |coordinator: &Coordinator, model: &str| {
        let body = json!({ "model": model }).to_string();
        read(coordinator.post("/v1/pulls", &CompletionId::new(), &body).await).await
    };
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start().await;
    let running = Running::start(with(directory.path(), &coordinator, false));
    coordinator.linked().await;
    let (status, said) = order(&coordinator, "small").await;
    assert_eq!((status.as_u16(), said["code"].as_str()), (403, Some("pulls_not_allowed")));
    running.stop().await;

    let running = Running::start(with(directory.path(), &coordinator, true));
    coordinator.linked().await;
    assert!(coordinator.report().await.allows_pulls);
    let (status, said) = order(&coordinator, "small").await;
    assert_eq!((status.as_u16(), said["state"].as_str()), (202, Some("running")));
    // Asked for again, it is the same one.
    assert_eq!(order(&coordinator, " small ").await.0.as_u16(), 202);
    assert_eq!(coordinator.report().await.pulls.len(), 1);
    let (status, _) = order(&coordinator, UNHEARD_OF).await;
    assert_eq!(status.as_u16(), 202);
    let stands = async |model: &str| {
        let pulls = coordinator.report().await.pulls;
        pulls.into_iter().find(|pull| pull.model == model).unwrap()
    };
    wait_until("it is told why not", PATIENCE, async || stands(UNHEARD_OF).await.state == wire::PullState::Failed)
        .await;
    assert_eq!(stands(UNHEARD_OF).await.message, "pull model manifest: file does not exist");
    ollama.go_on();
    wait_until("it has it", PATIENCE, async || stands("small").await.state == wire::PullState::Done).await;
    let done = stands("small").await;
    assert_eq!((done.completed, done.total), (1050, 1050));
    assert_eq!(order(&coordinator, "").await.0.as_u16(), 400);
    running.stop().await;
}
