use std::process::{Command, Output};

use serde_json::Value;
use testkit::{FetchingOllama, LlamaOptions, LlamaServer, MeshAgent, PATIENCE, UNHEARD_OF, wait_until};

use super::{MODEL, Stand, program, question};

/// The program as somebody runs it who is signed in by a token.
fn run(stand: &Stand, token: &str, arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .env_clear()
        .env("NANOSCALE_URL", stand.server.api_url())
        .env("NANOSCALE_TOKEN", token)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_is_run_from_a_shell() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let ada = stand.ada.token_create("shell").await.unwrap().token;
    let admin = stand.admin.token_create("shell").await.unwrap().token;
    let token = said(&run(&stand, &ada, &["mesh", "enrol", "ada-desk", "--device-id", "under the desk"]));
    stand.server.secrets().remember(token.trim());
    let mut agent = stand.agent("ada-desk", token.trim(), &llama);
    agent.start();
    agent.says("waits for somebody to approve it").await;
    let listed = said(&run(&stand, &admin, &["mesh", "list"]));
    assert!(listed.contains("ada-desk") && listed.contains("waits for approval"), "{listed}");
    let refused = run(&stand, &ada, &["mesh", "approve", "ada-desk"]);
    assert!(!refused.status.success());
    assert!(said(&run(&stand, &admin, &["mesh", "approve", "ada-desk"])).contains("active"));
    stand.serves("ada-desk").await;
    assert!(said(&run(&stand, &ada, &["mesh", "models"])).contains(MODEL));
    let bob = stand.user("bob", 0).await;
    assert!(said(&run(&stand, &admin, &["mesh", "grant", "bob", "0.5"])).contains("0.5"));
    assert_eq!(bob.balance().await, 500_000);
    assert_eq!(bob.chat(&question(4)).await.status(), 200);
    let shell = bob.client.token_create("shell").await.unwrap().token;
    let usage: Value = serde_json::from_str(&said(&run(&stand, &shell, &["mesh", "usage", "--json"]))).unwrap();
    let request = usage["completions"][0]["id"].as_str().unwrap().to_owned();
    wait_until("it is settled", PATIENCE, async || bob.client.mesh().await.unwrap().held == 0).await;
    assert!(said(&run(&stand, &shell, &["mesh", "explain", &request])).contains("ada-desk"));
    assert!(said(&run(&stand, &shell, &["mesh", "statement"])).contains(&request));
    assert!(said(&run(&stand, &shell, &["mesh", "credits"])).contains("credits"));
    assert!(said(&run(&stand, &admin, &["mesh", "ledger"])).contains("Everything adds up"));
    assert!(said(&run(&stand, &admin, &["mesh", "suspend", "ada-desk"])).contains("suspended"));
    assert!(said(&run(&stand, &admin, &["mesh", "approve", "ada-desk"])).contains("active"));
    assert!(said(&run(&stand, &ada, &["mesh", "withdraw", "ada-desk", "--yes"])).contains("Withdrew"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosted_providers_are_run_from_a_shell() {
    let (stand, key) = (Stand::new().await, testkit::random_secret());
    stand.server.secrets().remember(&key);
    let company = LlamaOptions { api_key: Some(key.clone()), ..LlamaOptions::default() };
    let company = LlamaServer::start_with(MODEL, company).await;
    let admin = stand.admin.token_create("shell").await.unwrap().token;
    let provider = |arguments: &[&str]| run(&stand, &admin, &[&["mesh", "provider"], arguments].concat());
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (directory.path().join("good"), directory.path().join("bad"));
    std::fs::write(&good, format!("{key}\n")).unwrap();
    std::fs::write(&bad, testkit::random_secret()).unwrap();
    let (good, bad, url) = (good.to_str().unwrap(), bad.to_str().unwrap(), company.url());
    let offered = format!("{MODEL}=2048:20/60");
    let add = ["add", "llama", "--url", &url, "--key-file", bad, "--model"];
    assert!(said(&provider(&[&add[..], &[&offered]].concat())).contains("it offers 1 models"));
    assert!(!provider(&[&add[..], &["no-price"]].concat()).status.success());
    let refused = provider(&["check", "llama"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("refuses the key"));
    assert!(said(&provider(&["rekey", "llama", "--key-file", good])).contains("another key"));
    assert_eq!(said(&provider(&["check", "llama"])).trim(), MODEL);
    let bob = stand.user("bob", 1).await;
    assert_eq!(bob.chat(&question(4)).await.status(), 200);
    said(&provider(&["disable", "llama"]));
    assert!(said(&provider(&["list"])).contains("off"));
    assert_eq!(bob.chat(&question(4)).await.status(), 404);
    said(&provider(&["enable", "llama"]));
    assert!(said(&provider(&["list"])).contains(MODEL));
    said(&provider(&["remove", "llama", "--yes"]));
    assert!(!provider(&["check", "llama"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_by_an_order_from_a_shell() {
    let (stand, ollama) = (Stand::new().await, FetchingOllama::start().await);
    let admin = stand.admin.token_create("shell").await.unwrap().token;
    let pull = |model: &str| run(&stand, &admin, &["mesh", "pull", "ada-desk", model]);
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let told = |output: &Output| {
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(told(&pull("small")).contains("not linked at this moment"));
    let coordinator = stand.server.mesh_url("coordinator");
    let mut agent = MeshAgent::new(program(), &coordinator, "ada-desk", &created.registration_token, &[]);
    agent.with_arguments(&["--ollama", ollama.url()]);
    agent.start();
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    let online = async || stand.enrolment("ada-desk").await.is_some_and(|it| it.online);
    wait_until("it is linked", PATIENCE, online).await;
    // Its owner has the word.
    assert!(told(&pull("small")).contains("--allow-pulls"));
    agent.with_arguments(&["--ollama", ollama.url(), "--allow-pulls"]);
    agent.start();
    let allows = async || stand.enrolment("ada-desk").await.is_some_and(|it| it.online && it.allows_pulls);
    wait_until("it takes orders", PATIENCE, allows).await;
    assert!(told(&pull(UNHEARD_OF)).contains("file does not exist"));
    // Who is no administrator orders nothing, also of their own machine.
    let ada = stand.ada.token_create("shell").await.unwrap().token;
    assert!(!run(&stand, &ada, &["mesh", "pull", "ada-desk", "small"]).status.success());
    ollama.go_on();
    assert!(said(&pull("small")).contains("ada-desk has small"));
    let pulls = stand.enrolment("ada-desk").await.unwrap().pulls;
    assert!(pulls.iter().any(|it| it.model == "small" && (it.completed, it.total) == (1050, 1050)), "{pulls:?}");
}
