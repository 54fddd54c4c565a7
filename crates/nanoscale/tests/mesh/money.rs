//! Credits, while everything dies that can.

use std::collections::HashSet;

use futures_util::StreamExt;
use ids::CompletionState;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Database, LlamaOptions, LlamaServer, MeshAgent, MeshService, PATIENCE, Postgres, wait_some, wait_until};

use super::inference::{Key, coordinator, service};
use super::{CREDIT, MODEL, Stand, User, program, question};

/// A long answer, of which the first words have come.
pub(super) async fn under_way(user: &User) -> reqwest::Response {
    let body = json!({ "model": MODEL, "stream": true, "max_tokens": 1500, "ignore_eos": true,
        "messages": [{ "role": "user", "content": "Count from one to a thousand." }] });
    let mut response = user.chat(&body).await;
    assert_eq!(response.status(), 200);
    let mut heard = Vec::new();
    while heard.windows(9).filter(|part| part == b"\"content\"").count() < 6 {
        heard.extend(response.chunk().await.unwrap().unwrap());
    }
    response
}

async fn newest(user: &User) -> api::Completion {
    wait_some("the completion is settled", PATIENCE, async || {
        let newest = user.client.completion_list().await.ok()?.into_iter().next()?;
        (newest.state != CompletionState::Held).then_some(newest)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_come_from_grants_and_go_where_they_are_spent() {
    let stand = Stand::new().await;
    let bob = stand.user("bob", 0).await;
    let refused = bob.client.grant("bob", CREDIT).await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (403, "ADMIN_ONLY"));
    assert_eq!(bob.client.ledger().await.unwrap_err().status, 403);
    for (amount, code) in [(0, "INVALID_AMOUNT"), (-5, "INVALID_AMOUNT"), (i64::MAX, "INVALID_AMOUNT")] {
        assert_eq!(stand.admin.grant("bob", amount).await.unwrap_err().code(), code);
    }
    assert_eq!(stand.admin.grant("nobody", 5).await.unwrap_err().code(), "UNKNOWN_USER");
    let llama = LlamaServer::start(MODEL).await;
    let _agent = stand.machine("ada-desk", &llama).await;
    // Who has nothing gets nothing, and is told what it may cost.
    let poor = bob.chat(&question(8)).await;
    assert_eq!(poor.status(), 402);
    let told: Value = poor.json().await.unwrap();
    assert_eq!(
        (&told["error"]["type"], &told["error"]["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_credits"))
    );
    assert!(bob.client.completion_list().await.unwrap().is_empty());
    for _ in 0..3 {
        stand.admin.grant("bob", CREDIT).await.unwrap();
    }
    assert_eq!(bob.chat(&question(8)).await.status(), 200);
    // The statement tells of every step, page by page, and ends at what there is.
    let statement = bob.client.statement(None).await.unwrap();
    assert_eq!(statement.entries.iter().map(|entry| entry.amount).sum::<i64>(), statement.balance);
    assert_eq!(statement.entries[0].balance, statement.balance);
    let kinds = statement.entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>();
    assert_eq!(kinds, ["settle", "hold", "grant", "grant", "grant"]);
    let older = bob.client.statement(Some(statement.entries[2].transaction_id.as_str())).await.unwrap();
    assert_eq!(older.entries.len(), 2);
    // Ada uses her own machine: what she pays is hers, but for the fee.
    stand.admin.grant("ada", CREDIT).await.unwrap();
    let before = stand.ada.mesh().await.unwrap();
    let create =
        api::TokenCreate { name: "ide".into(), scopes: Some(vec!["models".into()]), ..api::TokenCreate::default() };
    let token = stand.ada.token_create_with(&create).await.unwrap().token;
    let asked = stand.ada.with_token(token).raw(Method::POST, "/v1/chat/completions").json(&question(8));
    assert_eq!(asked.send().await.unwrap().status(), 200);
    let after = stand.ada.mesh().await.unwrap();
    let cost = stand.ada.completion_list().await.unwrap()[0].cost;
    assert_eq!(before.balance - after.balance, cost * 150 / 10_000);
    assert_eq!(after.earned, before.earned);
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_dies_is_paid_for_what_it_said() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let mut agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let answer = under_way(&bob).await;
    agent.kill();
    let rest = answer.text().await.unwrap();
    // Whoever asked is told within the stream.
    assert!(rest.contains("machine_broke_off"), "{rest}");
    let broken = newest(&bob).await;
    assert_eq!(broken.state, CompletionState::Broken);
    assert!((5..1500).contains(&broken.output_tokens), "{broken:?}");
    assert_eq!(bob.balance().await, CREDIT - broken.cost);
    wait_until("it is gone", PATIENCE, async || stand.enrolment("ada-desk").await.is_some_and(|it| !it.online)).await;
    assert_eq!(bob.chat(&question(4)).await.status(), 404);
    agent.start();
    stand.serves("ada-desk").await;
    wait_until("it answers again", PATIENCE, async || bob.chat(&question(4)).await.status() == 200).await;
    // The engine alone dies, and comes back.
    let mut llama = llama;
    let answer = under_way(&bob).await;
    llama.kill();
    assert!(answer.text().await.unwrap().contains("machine_broke_off"));
    assert_eq!(newest(&bob).await.state, CompletionState::Broken);
    llama.restart().await;
    wait_until("it answers again", PATIENCE, async || bob.chat(&question(4)).await.status() == 200).await;
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_left_is_settled_by_the_next() {
    let (mut stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let answer = under_way(&bob).await;
    stand.server.kill();
    assert!(answer.bytes().await.is_err(), "it broke off");
    // Nobody wants it any more.
    wait_until("the slot is free", PATIENCE, async || llama.slots_busy().await == 0).await;
    stand.server.restart().await;
    stand.serves("ada-desk").await;
    let broken = newest(&bob).await;
    assert_eq!(broken.state, CompletionState::Broken);
    assert!((5..1500).contains(&broken.output_tokens), "{broken:?}");
    assert_eq!(bob.balance().await, CREDIT - broken.cost);
    stand.adds_up().await;
}

/// A little random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// All that can die.
struct Mortals {
    stand: Stand,
    database: Postgres,
    engines: [LlamaServer; 2],
    agents: [MeshAgent; 2],
    inference: MeshService,
    /// What `inference` has its models of.
    _engine: LlamaServer,
}

impl Mortals {
    async fn new() -> Self {
        let options = LlamaOptions { slots: 4, ..LlamaOptions::default() };
        let start = async || LlamaServer::start_with(MODEL, options.clone()).await;
        let (engines, engine) = ([start().await, start().await], start().await);
        let key = Key::generate();
        let inference = MeshService::start(program(), "inference", &service(&key, &engine.url())).await;
        let database = Postgres::killable();
        let builder = coordinator(&key, &inference).database(Database::Postgres(database.database()));
        let stand = Stand::with(builder).await;
        let agents = [stand.machine("ada-desk", &engines[0]).await, stand.machine("ada-rack", &engines[1]).await];
        Self { stand, database, engines, agents, inference, _engine: engine }
    }

    async fn strike(&mut self, what: u64, which: usize) {
        match what {
            0 => self.agents[which].kill(),
            1 => self.engines[which].kill(),
            2 => self.stand.server.kill(),
            3 => self.agents[which].signal(Signal::SIGSTOP),
            4 => self.inference.kill(),
            5 => self.database.kill(),
            _ => {}
        }
    }

    async fn mend(&mut self, what: u64, which: usize) {
        match what {
            0 => self.agents[which].start(),
            1 => self.engines[which].restart().await,
            2 => self.stand.server.restart().await,
            3 => self.agents[which].signal(Signal::SIGCONT),
            4 => self.inference.restart().await,
            _ => {}
        }
        for node in ["ada-desk", "ada-rack"] {
            self.stand.serves(node).await;
        }
    }
}

/// Five at once: some are left early, some are heard to their end.
async fn five(bob: &User, dice: &mut Dice, meanwhile: impl AsyncFnOnce()) {
    let asked = (0..5).map(|_| {
        let (tokens, patience, streams) = (4 + dice.roll(24), dice.roll(12), dice.roll(4) > 0);
        let mut body = question(u32::try_from(tokens).unwrap());
        (body["stream"], body["ignore_eos"]) = (streams.into(), true.into());
        let request = bob.asks.raw(Method::POST, "/v1/chat/completions").json(&body);
        tokio::spawn(async move {
            let Ok(response) = request.send().await else { return };
            let mut pieces = response.bytes_stream().take(usize::try_from(patience).unwrap());
            while let Some(Ok(_)) = pieces.next().await {}
        })
    });
    let asked = asked.collect::<Vec<_>>();
    meanwhile().await;
    for one in asked {
        one.await.unwrap();
    }
}

/// A hundred requests here; `cargo xtask soak --completions` asks for more.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_everything_adds_up() {
    let many = std::env::var("NANOSCALE_COMPLETIONS").map_or(105, |many| many.parse::<u64>().unwrap());
    let mut mortals = Mortals::new().await;
    let bob = mortals.stand.user("bob", 10_000).await;
    let mut dice = Dice(20_261_122);
    for round in 0..many.div_ceil(5) {
        let (what, which) = (round % 7, usize::try_from(dice.roll(2)).unwrap());
        five(&bob, &mut dice, async || mortals.strike(what, which).await).await;
        mortals.mend(what, which).await;
    }
    let stand = &mortals.stand;
    let ledger = stand.adds_up().await;
    let completions = bob.client.completions().await.unwrap();
    let paid = completions.iter().map(|it| it.cost).sum::<i64>();
    assert_eq!(bob.balance().await, 10_000 * CREDIT - paid);
    assert_eq!(stand.ada.mesh().await.unwrap().balance + super::balance(&ledger, "fee"), paid);
    for it in &completions {
        let produced = it.output_tokens > 0;
        let costs = if produced { it.input_tokens * 10 + it.output_tokens * 30 } else { 0 };
        assert_eq!(it.cost, costs, "{it:?}");
    }
    assert!(completions.iter().any(|it| it.state == CompletionState::Done));
    assert!(completions.iter().any(|it| it.state == CompletionState::Cancelled));
    let places = completions.iter().filter_map(|it| it.node_id.as_ref()).collect::<HashSet<_>>();
    assert_eq!(places.len(), 3, "{places:?}");
}
