//! The mesh: machines of several owners serve a real small model, and what that costs adds up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clients;
mod command_line;
mod enrolment;
mod gateway;
mod hosted;
mod inference;
mod money;
mod owner;
mod packaging;
mod page;
mod registration;
mod roles;
mod surfaces;

use serde_json::{Value, json};
use testkit::{Builder, Client, LlamaServer, MeshAgent, PATIENCE, TestServer, wait_some, wait_until};

/// What people call the model in here.
const MODEL: &str = "smollm2";
const CREDIT: i64 = 1_000_000;

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program()).config(json!({ "mesh": {
        "enabled": true,
        "coordinator_bind": "127.0.0.1:0",
        "control_plane_bind": "127.0.0.1:0",
        "portal_bind": "127.0.0.1:0",
        "ollama_bind": "127.0.0.1:0",
        "token": "mesh-token-of-tests",
        "admin_token": "admin-token-of-tests",
        "portal_service_token": "portal-token-of-tests",
    } }))
}

/// A server with a mesh, its administrator, and Ada, who brings machines.
struct Stand {
    server: TestServer,
    admin: Client,
    ada: Client,
}

impl Stand {
    async fn new() -> Self {
        Self::with(server()).await
    }

    async fn with(builder: Builder) -> Self {
        let server = builder.start().await;
        let admin = server.setup().await;
        let ada = person(&server, &admin, "ada").await;
        Self { server, admin, ada }
    }

    /// A machine of Ada's, approved, that offers what `llama` serves.
    async fn machine(&self, node_id: &str, llama: &LlamaServer) -> MeshAgent {
        let created = self.ada.enrol(node_id).await.unwrap();
        let mut agent = self.agent(node_id, &created.registration_token, llama);
        agent.start();
        self.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
        self.serves(node_id).await;
        agent
    }

    fn agent(&self, node_id: &str, token: &str, llama: &LlamaServer) -> MeshAgent {
        MeshAgent::new(program(), &self.server.mesh_url("coordinator"), node_id, token, &[llama.url()])
    }

    /// Waits until a machine is linked and has a model.
    async fn serves(&self, node_id: &str) {
        let what = format!("{node_id} serves a model");
        wait_until(&what, PATIENCE, async || {
            self.enrolment(node_id).await.is_some_and(|it| it.online && !it.models.is_empty())
        })
        .await;
    }

    async fn enrolment(&self, node_id: &str) -> Option<api::Enrolment> {
        let list = self.admin.enrolment_list().await.unwrap().enrolments;
        list.into_iter().find(|it| it.node_id.as_str() == node_id)
    }

    /// Somebody new, with credits and a token that asks models and does nothing else.
    async fn user(&self, name: &str, credits: i64) -> User {
        let client = person(&self.server, &self.admin, name).await;
        if credits > 0 {
            self.admin.grant(name, credits * CREDIT).await.unwrap();
        }
        let create =
            api::TokenCreate { name: "ide".into(), scopes: Some(vec!["models".into()]), ..api::TokenCreate::default() };
        let token = client.token_create_with(&create).await.unwrap().token;
        let asks = client.with_token(&token);
        User { client, asks, token }
    }

    /// Waits until nothing is under way, and checks that everything adds up.
    async fn adds_up(&self) -> api::LedgerAudit {
        let settled = wait_some("every completion is settled", PATIENCE, async || {
            self.admin.ledger().await.ok().filter(|ledger| ledger.open_completions == 0)
        });
        let ledger = settled.await;
        assert_eq!((ledger.sum, ledger.wrong), (0, 0), "{ledger:?}");
        let total = ledger.accounts.iter().map(|account| account.balance).sum::<i64>();
        assert_eq!(total, 0, "{ledger:?}");
        assert_eq!(balance(&ledger, "held"), 0);
        ledger
    }
}

/// Somebody who asks models.
struct User {
    /// Signed in.
    client: Client,
    /// By the token.
    asks: Client,
    token: String,
}

impl User {
    async fn balance(&self) -> i64 {
        self.client.mesh().await.unwrap().balance
    }

    /// Asks the server's own `/v1/chat/completions`.
    async fn chat(&self, body: &Value) -> reqwest::Response {
        self.asks.raw(reqwest::Method::POST, "/v1/chat/completions").json(body).send().await.unwrap()
    }
}

async fn person(server: &TestServer, admin: &Client, name: &str) -> Client {
    let password = testkit::random_secret();
    let create = api::UserCreate { username: name.into(), password: password.clone(), role: None };
    admin.user_create(&create).await.unwrap();
    let client = server.client();
    client.login(name, &password).await.unwrap();
    client
}

fn balance(ledger: &api::LedgerAudit, account: &str) -> i64 {
    ledger.accounts.iter().find(|it| it.account == account).map_or(0, |it| it.balance)
}

/// A short question, with the same answer every time.
fn question(tokens: u32) -> Value {
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Which city is the capital of France? Answer with one word." }],
        "max_tokens": tokens,
        "temperature": 0,
    })
}
