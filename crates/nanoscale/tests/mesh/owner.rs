//! What an owner says about a machine of theirs, on that machine.

use ids::NodeStatus;
use nix::sys::signal::Signal;
use serde_json::Value;
use testkit::{LlamaOptions, LlamaServer, MeshAgent, PATIENCE, TestNode, wait_some, wait_until};

use super::{CREDIT, MODEL, Stand, program, question};

/// Why a machine is paused, once it is.
async fn paused(stand: &Stand, node_id: &str) -> String {
    wait_some("it is paused", PATIENCE, async || stand.enrolment(node_id).await.filter(|it| it.online)?.paused).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_says_what_is_offered_when_and_for_how_much() {
    let stand = Stand::new().await;
    let options = LlamaOptions { api_key: Some("the-engines-own".into()), ..LlamaOptions::default() };
    let llama = LlamaServer::start_with(MODEL, options).await;
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let mut agent = stand.agent("ada-desk", &created.registration_token, &llama);
    agent.with_env("LLAMA_API_KEY", "the-engines-own");
    agent.with_arguments(&["--price", "smollm2=7/9", "--model", MODEL]);
    agent.start();
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    stand.serves("ada-desk").await;
    let bob = stand.user("bob", 1).await;
    assert_eq!(bob.chat(&question(8)).await.status(), 200);
    let done = bob.client.completion_list().await.unwrap().remove(0);
    assert_eq!(done.cost, done.input_tokens * 7 + done.output_tokens * 9);
    assert_eq!(bob.balance().await, CREDIT - done.cost);

    agent.owner_says("pause").await;
    assert_eq!(paused(&stand, "ada-desk").await, "its owner has paused it");
    assert!(bob.asks.models().await.unwrap().data.is_empty());
    assert_eq!(bob.chat(&question(8)).await.status(), 503);
    // It stays so when the machine is started again.
    agent.start();
    assert_eq!(paused(&stand, "ada-desk").await, "its owner has paused it");
    agent.owner_says("resume").await;
    wait_until("it answers again", PATIENCE, async || bob.chat(&question(8)).await.status() == 200).await;

    let now = jiff::Zoned::now();
    let at = |hours: i64| (&now + jiff::Span::new().hours(hours)).strftime("%H:%M").to_string();
    agent.with_arguments(&["--hours", &format!("{}-{}", at(2), at(3))]);
    agent.start();
    assert!(paused(&stand, "ada-desk").await.contains(&at(2)));
    agent.with_arguments(&["--hours", &format!("{}-{}", at(-2), at(2))]);
    agent.start();
    wait_until("it answers again", PATIENCE, async || bob.chat(&question(8)).await.status() == 200).await;

    agent.with_arguments(&["--model", "another"]);
    agent.start();
    wait_until("the model is gone", PATIENCE, async || bob.chat(&question(8)).await.status() == 404).await;
    stand.adds_up().await;
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

fn is_there(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A machine of Ada's whose mesh agent runs llama.cpp's server itself, and lets in the programs beside it.
async fn runs_its_own(stand: &Stand, further: &[&str]) -> MeshAgent {
    let (program, model) = LlamaServer::parts();
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let (coordinator, token) = (stand.server.mesh_url("coordinator"), &created.registration_token);
    let mut agent = MeshAgent::new(super::program(), &coordinator, "ada-desk", token, &[]);
    let (program, model) = (program.to_str().unwrap(), model.to_str().unwrap());
    let own = ["--gguf", model, "--llama-server", program, "--threads", "1", "--slots", "1", "--context", "1024"];
    agent.with_arguments(&[&own[..], &["--local", "127.0.0.1:0"], further].concat());
    agent.start();
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_of_its_own_is_started_again_and_ends_with_it() {
    let stand = Stand::new().await;
    let mut agent = runs_its_own(&stand, &[]).await;
    stand.serves("ada-desk").await;
    let model = stand.enrolment("ada-desk").await.unwrap().models.remove(0);
    assert_eq!((model.context, model.slots), (1024, 1));
    let bob = stand.user("bob", 1).await;
    let mut asked = question(4);
    asked["model"] = model.name.as_str().into();
    assert_eq!(bob.chat(&asked).await.status(), 200);
    let [engine] = children(agent.pid().unwrap())[..] else { panic!("one engine") };
    let kill = |pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL);
    kill(engine).unwrap();
    wait_until("it is started again", PATIENCE, async || bob.chat(&asked).await.status() == 200).await;
    let [again] = children(agent.pid().unwrap())[..] else { panic!("one engine") };
    assert_ne!(again, engine);
    agent.kill();
    wait_until("it has ended with the mesh agent", PATIENCE, async || !is_there(again)).await;
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_beside_it_ask_its_models_without_credits() {
    let stand = Stand::new().await;
    // Nothing of it is offered to others.
    let agent = runs_its_own(&stand, &["--model", "nothing"]).await;
    agent.says("local models at ").await;
    agent.says("linked to the coordinator").await;
    let output = agent.output();
    let (_, url) = output.split_once("local models at ").unwrap();
    let url = url.split_once("/v1,").unwrap().0.to_owned();
    let token = std::fs::read_to_string(agent.directory().join("local.token")).unwrap();
    stand.server.secrets().remember(&token);
    let http = reqwest::Client::new();
    let listed = async || {
        http.get(format!("{url}/v1/models")).bearer_auth(&token).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let model = wait_some("its model is there", PATIENCE, async || {
        Some(listed().await["data"].get(0)?["id"].as_str()?.to_owned())
    });
    let model = model.await;
    let mut asked = question(4);
    asked["model"] = model.as_str().into();
    agent.owner_says("pause").await;
    let ask = |path: &str| http.post(format!("{url}{path}")).json(&asked);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        assert_eq!(ask(path).bearer_auth(&token).send().await.unwrap().status(), 200, "{path}");
        assert_eq!(ask(path).header("x-api-key", &token).send().await.unwrap().status(), 200, "{path}");
        let refused = ask(path).bearer_auth("somebody").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "invalid_api_key");
        assert_eq!(ask(path).send().await.unwrap().status(), 401);
    }
    asked["stream"] = true.into();
    let streamed =
        http.post(format!("{url}/v1/chat/completions")).json(&asked).bearer_auth(&token).send().await.unwrap();
    assert!(streamed.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    asked["model"] = "nobody-has-it".into();
    let absent = http.post(format!("{url}/v1/chat/completions")).json(&asked).bearer_auth(&token).send().await.unwrap();
    assert_eq!(absent.status(), 404);
    // Its engine is for it alone: who finds the port gets nothing there.
    let [engine] = children(agent.pid().unwrap())[..] else { panic!("one engine") };
    let ports = testkit::tcp_listeners(engine);
    let [port] = ports[..] else { panic!("one port: {ports:?}") };
    let past = http.post(format!("http://127.0.0.1:{port}/v1/chat/completions")).json(&asked).send().await.unwrap();
    assert_eq!(past.status(), 401);
    assert_eq!(stand.enrolment("ada-desk").await.unwrap().models.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_the_cluster_offers_its_models_by_a_switch() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let join = api::JoinTokenCreate { name: Some("ada-desk".into()), ..Default::default() };
    let join = stand.admin.join_token(&join).await.unwrap();
    let mut machine = TestNode::new(program())
        .env("NANOSCALE_OFFER_MODELS", "true")
        .env("COORDINATOR_URL", &stand.server.mesh_url("coordinator"))
        .env("AGENT_REGISTRATION_TOKEN", &created.registration_token)
        .env("LLAMA_URL", &llama.url());
    machine.join(&join.token, stand.server.api_port()).await;
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    stand.serves("ada-desk").await;
    let bob = stand.user("bob", 1).await;
    assert_eq!(bob.chat(&question(4)).await.status(), 200);
    // It is a node as well, and known by its own key to either.
    let nodes = stand.admin.nodes().await.unwrap();
    assert!(nodes.iter().any(|node| node.name == "ada-desk" && node.status == NodeStatus::Online), "{nodes:?}");
    machine.kill();
    let gone = async || !stand.enrolment("ada-desk").await.unwrap().online;
    wait_until("its models have gone with it", PATIENCE, gone).await;
    machine.start().await;
    stand.serves("ada-desk").await;
}
