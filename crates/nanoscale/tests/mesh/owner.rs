//! What an owner says about a machine of theirs, on that machine.

use testkit::{LlamaOptions, LlamaServer, PATIENCE, wait_until};

use super::{CREDIT, MODEL, Stand, question};

/// Why a machine is paused, once it is.
async fn paused(stand: &Stand, node_id: &str) -> String {
    testkit::wait_some("it is paused", PATIENCE, async || stand.enrolment(node_id).await.filter(|it| it.online)?.paused)
        .await
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
