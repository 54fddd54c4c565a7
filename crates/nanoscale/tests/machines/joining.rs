use std::collections::BTreeSet;

use ids::NodeStatus;
use link::{JoinToken, KeyPair, proof};
use serde_json::json;
use testkit::{ApiFailure, Client, Clock, wait_until};

use crate::{join, machine, open_server, server, wait_for_status};

async fn token(client: &Client) -> api::JoinTokenCreated {
    client.join_token(&api::JoinTokenCreate::default()).await.unwrap()
}

/// What a machine with this key says to join.
pub(crate) fn said(token: &JoinToken, key: &KeyPair, name: &str) -> api::ClusterJoin {
    let nonce = proof::nonce().unwrap();
    let said = proof::Join::of(token, &nonce, key.public(), name, wire::LINK_PROTOCOL);
    api::ClusterJoin {
        token_id: token.id.clone(),
        public_key: key.public().to_string(),
        name: name.into(),
        protocol: wire::LINK_PROTOCOL,
        proof: said.prove(&token.secret),
        signature: said.sign(key),
        nonce,
    }
}

fn code(refused: Result<api::ClusterJoined, ApiFailure>) -> String {
    refused.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn a_machine_joins_once_and_stays_over_restarts() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let created = token(&client).await;
    assert_eq!(created.expires_in_seconds, 600);
    assert!(created.command.starts_with("nanoscale join nsj_"), "{}", created.command);
    // The token is good after a restart of the server too.
    server.restart().await;
    let mut node = machine();
    node.join(&created.token, server.api_port()).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    let id = node.id().clone();
    let shown = client.node_get(&id).await.unwrap();
    assert!(!shown.embedded && shown.problems.is_empty(), "{shown:?}");
    assert!(!shown.capabilities.is_empty());

    // With the spent token in its command line, and without any, it is who it was.
    node.restart().await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    assert_eq!(node.id(), &id);
    node.kill();
    node.start_with(&[]).await;
    assert_eq!(node.id(), &id);
    server.restart().await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    assert_eq!(client.nodes().await.unwrap().len(), 2);
    let tokens = client.join_tokens().await.unwrap();
    assert_eq!((tokens[0].state.as_str(), tokens[0].node_id.as_ref()), ("used", Some(&id)));

    // Who did what is kept, in a chain that shows it when an entry is changed.
    let get = async |path: &str| client.raw(reqwest::Method::GET, path).send().await.unwrap().text().await.unwrap();
    let audit: api::AuditEventList = serde_json::from_str(&get("/api/audit").await).unwrap();
    let did = audit.events.iter().map(|event| (event.actor.as_str(), event.action.as_str())).collect::<Vec<_>>();
    let joined = format!("node:{id}");
    assert_eq!(did, [(joined.as_str(), "node.joined"), ("admin", "join_token.created")]);
    assert!(!get("/api/audit").await.contains("nsj_"));
    let verified: api::AuditVerified = serde_json::from_str(&get("/api/audit/verify").await).unwrap();
    assert!(verified.intact && verified.events == 2, "{verified:?}");

    // Another machine with it is refused.
    let refused = machine().start_in_vain(&[&created.token]);
    assert!(refused.contains("TOKEN_USED"), "{refused}");
    assert!(!server.output().contains(&created.token) && !node.output().contains(&created.token));
}

#[tokio::test]
async fn a_machine_that_has_not_joined_says_what_to_do() {
    let output = machine().start_in_vain(&[]);
    assert!(output.contains("nanoscale join <token>"), "{output}");
    let output = machine().start_in_vain(&["nsj_abc"]);
    assert!(output.contains("not complete"), "{output}");
    let output = machine().start_in_vain(&["hello"]);
    assert!(output.contains("begins with nsj_"), "{output}");
}

#[tokio::test]
async fn a_token_is_refused_with_the_reason() {
    let clock = Clock::new();
    let server = server().clock(&clock).start().await;
    let client = server.setup().await;
    let key = KeyPair::generate().unwrap();
    let open = token(&client).await.token.parse::<JoinToken>().unwrap();

    // Who does not have the secret learns nothing about the token.
    let guessed = JoinToken { secret: [0; 32], ..open.clone() };
    assert_eq!(code(client.cluster_join(&said(&guessed, &key, "a")).await), "TOKEN_UNKNOWN");
    let other = JoinToken { id: "01j9z3k4w5x6y7z8a9b0c1d2e3".into(), ..open.clone() };
    assert_eq!(code(client.cluster_join(&said(&other, &key, "a")).await), "TOKEN_UNKNOWN");
    // Every field is bound.
    let whole = said(&open, &key, "a");
    let stolen = KeyPair::generate().unwrap().public().to_string();
    for changed in [
        api::ClusterJoin { name: "b".into(), ..whole.clone() },
        api::ClusterJoin { nonce: proof::nonce().unwrap(), ..whole.clone() },
        api::ClusterJoin { public_key: stolen, ..whole.clone() },
        api::ClusterJoin { protocol: wire::LINK_PROTOCOL_OLDEST, ..whole.clone() },
    ] {
        assert_eq!(code(client.cluster_join(&changed).await), "TOKEN_UNKNOWN");
    }
    let unsigned = api::ClusterJoin { signature: whole.proof.clone(), ..whole.clone() };
    assert_eq!(code(client.cluster_join(&unsigned).await), "KEY_NOT_PROVEN");
    let old = api::ClusterJoin { protocol: 1, ..whole.clone() };
    let refused = client.cluster_join(&old).await.unwrap_err();
    assert_eq!(refused.code(), "PROTOCOL_UNSUPPORTED");
    assert!(refused.text.contains("install NanoScale"), "{}", refused.text);

    let revoked = token(&client).await;
    client.join_token_revoke(&revoked.id).await.unwrap();
    let refused = client.cluster_join(&said(&revoked.token.parse().unwrap(), &key, "a")).await;
    assert_eq!(code(refused), "TOKEN_REVOKED");
    assert_eq!(client.join_token_revoke(&revoked.id).await.unwrap_err().code(), "TOKEN_SETTLED");
    clock.set(601);
    let expired = client.anonymous().cluster_join(&whole).await;
    assert_eq!(code(expired), "TOKEN_EXPIRED");
    assert_eq!(client.nodes().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_machines_with_one_token_one_joins() {
    let server = server().start().await;
    let client = server.setup().await;
    let open = token(&client).await.token.parse::<JoinToken>().unwrap();
    let tries = (0..20).map(|number| {
        let (client, open) = (client.anonymous(), open.clone());
        tokio::spawn(async move {
            let key = KeyPair::generate().unwrap();
            let said = said(&open, &key, &format!("machine-{number}"));
            let joined = client.cluster_join(&said).await;
            // The one that got in may say it again: the answer may have been lost.
            if let Ok(joined) = &joined {
                assert_eq!(client.cluster_join(&said).await.unwrap().node_id, joined.node_id);
            }
            joined.map_err(|refused| refused.code().to_owned())
        })
    });
    let (mut joined, mut refused) = (0, BTreeSet::new());
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => joined += 1,
            Err(code) => drop(refused.insert(code)),
        }
    }
    assert_eq!(joined, 1, "{refused:?}");
    assert!(refused.iter().all(|code| code == "TOKEN_USED" || code == "CONFLICT"), "{refused:?}");
    assert_eq!(client.nodes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_of_another_cluster_hears_nothing() {
    let (one, two) = (server().start().await, server().start().await);
    let (client, other) = (one.setup().await, two.setup().await);
    let created = token(&client).await;
    let url = two.api_url();
    let output = machine().start_in_vain(&[&created.token, "--url", &url]);
    assert!(output.contains("another cluster answers"), "{output}");
    assert_eq!(other.nodes().await.unwrap().len(), 1);

    // Nor does one that answers later at the address of the cluster that a node is of.
    let node = join(&one, &client, machine(), "here").await;
    let mut node = node;
    node.kill();
    node.start_with(&["--url", &url]).await;
    wait_until("the node says so", crate::SHOWN, async || node.output().contains("another cluster answers")).await;
    assert_eq!(other.nodes().await.unwrap().len(), 1);
}

/// The guide's file says that the server is on this machine, and is copied to others as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_configured_server_on_the_machine_itself_does_not_override_a_token() {
    let server = open_server().start().await;
    let client = server.setup().await;
    let guide = json!({ "worker": { "orchestrator_url": "http://127.0.0.1:4000", "name": "worker-node" } });
    let mut node = machine().on_wire().config(guide);
    let mut wanted = token(&client).await.token.parse::<JoinToken>().unwrap();
    wanted.url = format!("https://{}:{}", node.wire().near(), server.api_port()).parse().unwrap();
    node.start_with(&[&wanted.to_string()]).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    assert!(node.output().contains("worker.orchestrator_url is http://127.0.0.1:4000"), "{}", node.output());
    assert_eq!(client.node_get(node.id()).await.unwrap().name, "worker-node");
    // Nor what it has kept, at a later start.
    node.kill();
    node.start_with(&[]).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
}

#[tokio::test]
async fn a_removed_machine_is_turned_away_and_runs_nothing_any_more() {
    let server = server().start().await;
    let client = server.setup().await;
    let mut node = join(&server, &client, machine(), "worker").await;
    let project = crate::project_on(&client, "hello", &node).await;
    crate::apps::deploy(&client, &project, crate::apps::node_app("1")).await;
    assert_eq!(node.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));

    let refused = client.node_remove(node.id(), false).await.unwrap_err();
    assert_eq!(refused.code(), "NODE_IN_USE");
    client.node_remove(node.id(), true).await.unwrap();
    let app = node.app("hello.localhost");
    wait_until("its app has ended", crate::SHOWN, async || {
        app.get("/").await.is_ok_and(|reply| reply.status == 404 || reply.status == 503)
    })
    .await;
    // Its key opens nothing, and it says what to do.
    node.restart().await;
    wait_until("it is told", crate::SHOWN, async || node.output().contains("was removed from the cluster")).await;
    assert_eq!(client.node_get(node.id()).await.unwrap_err().status, 404);
    // A new token brings it back as another node, under its name.
    let old = node.id().clone();
    node.kill();
    let created = token(&client).await;
    node.start_with(&[&created.token, "--name", "worker"]).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    assert_ne!(node.id(), &old);
    assert_eq!(client.node_get(node.id()).await.unwrap().name, "worker");
}

#[tokio::test]
async fn a_machine_is_renamed_and_labelled() {
    let server = server().start().await;
    let client = server.setup().await;
    let one = join(&server, &client, machine(), "worker").await;
    let two = join(&server, &client, machine(), "worker").await;
    assert_eq!(client.node_get(two.id()).await.unwrap().name, "worker-2");
    let update = api::NodeUpdate { name: Some("worker".into()), ..api::NodeUpdate::default() };
    assert_eq!(client.node_update(two.id(), &update).await.unwrap_err().code(), "NAME_TAKEN");
    let labels = [("region".to_owned(), "eu".to_owned())].into();
    let update = api::NodeUpdate { name: Some("berlin".into()), labels: Some(labels), ..Default::default() };
    let shown = client.node_update(two.id(), &update).await.unwrap();
    assert_eq!((shown.name.as_str(), shown.labels["region"].as_str()), ("berlin", "eu"));
    // As often as it is asked, so that a plot knows what is a gap.
    assert_eq!(client.node_metrics(two.id()).await.unwrap().interval_seconds, 10);
    for (update, expected) in [
        (json!({ "name": "a b" }), "INVALID_NAME"),
        (json!({ "labels": { "a b": "" } }), "INVALID_LABEL"),
        (json!({ "access": "nobody" }), "INVALID_REQUEST"),
    ] {
        let request = client.raw(reqwest::Method::PATCH, &format!("/api/nodes/{}", one.id())).json(&update);
        let body: api::ErrorBody = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(body.error, expected, "{update}");
    }
}

/// The API in TLS, and what plaintext from elsewhere is told.
#[tokio::test]
async fn one_port_speaks_tls_and_answers_plaintext_to_its_own_machine_only() {
    let server = open_server().start().await;
    let client = server.setup().await;
    let node = join(&server, &client, machine().on_wire(), "far").await;
    let near = node.wire().near();
    let [enter, arguments @ ..] = node.wire().enter();
    let fetch = |url: String, method: &str| {
        let mut command = std::process::Command::new(&enter);
        command.args(&arguments).args(["curl", "-sk", "-X", method, "-w", " %{http_code} %{redirect_url}", &url]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let port = server.api_port();
    let health = fetch(format!("https://{near}:{port}/api/health"), "GET");
    assert!(health.contains(r#""status":"ok""#) && health.ends_with(" 200 "), "{health}");
    let moved = fetch(format!("http://{near}:{port}/api/health?x=1"), "GET");
    assert!(moved.ends_with(&format!(" 308 https://{near}:{port}/api/health?x=1")), "{moved}");
    let refused = fetch(format!("http://{near}:{port}/api/auth/login"), "POST");
    assert!(refused.contains("PLAINTEXT_REFUSED") && refused.contains(" 403 "), "{refused}");
}
