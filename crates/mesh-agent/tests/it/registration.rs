//! From the first contact to the link, and back to it.

use mesh_agent::{MeshAgent, Upstream, UpstreamKind};
use testkit::{PATIENCE, wait_until};
use url::Url;

use crate::coordinator::Coordinator;
use crate::engine::Engine;
use crate::stand::{Running, Stand, config};

#[tokio::test]
async fn it_waits_until_somebody_approves_it() {
    let (coordinator, engine) = (Coordinator::start().await, Engine::start(&["m"]).await);
    coordinator.refuse(Some("node_pending_coordinator_approval"));
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(config(directory.path(), &coordinator, &[&engine]));
    let key = running.agent.public_key();
    assert!(running.dormant().await.contains(&key.fingerprint()), "who approves can compare it");

    coordinator.refuse(None);
    running.linked().await;
    assert_eq!(coordinator.linked().await, ("ada-workstation".into(), key));
    let said = &coordinator.registrations()[0];
    for (name, expected) in [
        ("agentId", "ada-workstation"),
        ("registrationToken", "the-token"),
        ("publicKey", &key.to_string()),
        ("clientType", "nanoscale"),
        ("mode", "swarm-only"),
        ("localModelProvider", "llama.cpp"),
        ("os", std::env::consts::OS),
    ] {
        assert_eq!(said[name], expected, "{said}");
    }
    assert!(said["maxConcurrentTasks"].as_u64().is_some_and(|tasks| tasks >= 1));
}

#[tokio::test]
async fn a_refusal_is_told_in_a_sentence() {
    let coordinator = Coordinator::start().await;
    for (reason, part) in [
        ("registration_token_invalid", "registration token"),
        ("node_not_enrolled", "nobody has enrolled"),
        ("node_kind_mismatch", "another name"),
        ("key_mismatch", "another key"),
    ] {
        coordinator.refuse(Some(reason));
        let directory = tempfile::tempdir().unwrap();
        let running = Running::start(config(directory.path(), &coordinator, &[]));
        assert!(running.dormant().await.contains(part), "{reason}");
    }
}

#[tokio::test]
async fn a_link_that_ends_is_made_anew() {
    let stand = Stand::start().await;
    let registered = stand.coordinator.registrations().len();
    stand.coordinator.hang_up().await;
    stand.coordinator.linked().await;
    assert_eq!(stand.coordinator.registrations().len(), registered + 1);
    stand.agent.linked().await;
    stand.agent.stop().await;
}

#[tokio::test]
async fn another_key_of_the_coordinator_is_refused() {
    let Stand { agent, coordinator, engine, directory } = Stand::start().await;
    let own = agent.agent.public_key();
    agent.stop().await;
    coordinator.take_another_key();
    let registered = coordinator.registrations().len();

    let running = Running::start(config(directory.path(), &coordinator, &[&engine]));
    assert_eq!(running.agent.public_key(), own, "its key is for life");
    let reason = running.dormant().await;
    let kept = directory.path().join("coordinator.json");
    assert!(reason.contains("another coordinator") && reason.contains(&kept.display().to_string()), "{reason}");
    assert_eq!(coordinator.registrations().len(), registered, "nothing is told to it");

    // What the sentence says to do helps.
    std::fs::remove_file(kept).unwrap();
    running.linked().await;
    coordinator.offered(&["m"]).await;
}

#[tokio::test]
async fn a_key_that_was_given_holds_from_the_first_contact_on() {
    let (coordinator, other) = (Coordinator::start().await, Coordinator::start().await);
    let directory = tempfile::tempdir().unwrap();
    let expecting =
        |key| mesh_agent::Config { coordinator_key: Some(key), ..config(directory.path(), &coordinator, &[]) };
    let running = Running::start(expecting(other.key().public()));
    assert!(running.dormant().await.contains("another coordinator"));
    assert!(coordinator.registrations().is_empty());
    running.stop().await;
    let running = Running::start(expecting(coordinator.key().public()));
    running.linked().await;
}

#[tokio::test]
async fn it_tries_until_the_coordinator_is_there() {
    let coordinator = Coordinator::start().await;
    let directory = tempfile::tempdir().unwrap();
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = Url::parse(&format!("http://{away}")).unwrap();
    let running = Running::start(mesh_agent::Config {
        coordinator: Some(nowhere),
        ..config(directory.path(), &coordinator, &[])
    });
    let status = running.agent.status();
    wait_until("it says that nobody answers", PATIENCE, async || {
        status.borrow().to_string().contains("cannot be reached")
    })
    .await;
    running.stop().await;
}

/// A control plane that lists these coordinators.
async fn registry(coordinators: &[&str]) -> (Url, tokio::task::JoinHandle<()>) {
    let listed = coordinators.iter().map(|url| serde_json::json!({ "peerId": "c", "coordinatorUrl": url }));
    let body = serde_json::json!({ "count": coordinators.len(), "coordinators": listed.collect::<Vec<_>>() });
    let router =
        axum::Router::new().route("/network/coordinators", axum::routing::get(async move || axum::Json(body.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

#[tokio::test]
async fn the_registry_says_where_the_coordinator_is_and_is_remembered() {
    let coordinator = Coordinator::start().await;
    let directory = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:9/";
    let (url, serving) = registry(&[nowhere, coordinator.url.as_str()]).await;
    let with = |bootstrap: Option<Url>| mesh_agent::Config {
        coordinator: bootstrap,
        registry: Some(url.clone()),
        ..config(directory.path(), &coordinator, &[])
    };
    let says = async |running: &Running, part: &str| {
        running.linked().await;
        let said = running.agent.status().borrow().to_string();
        assert!(said.contains(coordinator.url.as_str()) && said.contains(part), "{said}");
    };
    // One that is away is passed over.
    let running = Running::start(with(None));
    says(&running, "as the registry says").await;
    running.stop().await;
    serving.abort();
    let _ = serving.await;
    let running = Running::start(with(Some(Url::parse(nowhere).unwrap())));
    says(&running, "as the registry said last").await;
    running.stop().await;
    // What nobody has told of is what the owner said.
    std::fs::remove_file(directory.path().join("coordinators.json")).unwrap();
    let running = Running::start(with(Some(coordinator.url.clone())));
    says(&running, "as it was told").await;
    running.stop().await;
}

#[test]
fn an_address_that_is_none_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let coordinator = runtime.block_on(Coordinator::start());
    for url in ["unix:/run/engine.sock", "ftp://127.0.0.1/"] {
        let upstream = Upstream { kind: UpstreamKind::Ollama, url: Url::parse(url).unwrap(), api_key: None };
        let config = mesh_agent::Config { upstreams: vec![upstream], ..config(directory.path(), &coordinator, &[]) };
        let error = MeshAgent::new(config).err().unwrap();
        assert!(error.to_string().contains(url), "{error}");
    }
}
