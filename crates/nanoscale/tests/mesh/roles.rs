//! The mesh's services as processes of their own, each with the secrets that it needs, portal and coordinator with a database each.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, LlamaServer, MeshAgent, MeshService, PATIENCE, Postgres, random_secret, wait_some, wait_until};

use super::{CREDIT, MODEL, balance, program, question};

const SETUP_CODE: &str = "setup-code-of-tests";
const MESH_TOKEN: (&str, &str) = ("MESH_AUTH_TOKEN", "mesh-token-of-tests");
const SERVICE_TOKEN: (&str, &str) = ("PORTAL_SERVICE_TOKEN", "portal-token-of-tests");

/// Three processes, as the guide sets them up, and who signed in at the portal.
pub(super) struct Services {
    pub(super) portal: MeshService,
    coordinator: MeshService,
    pub(super) control_plane: MeshService,
    pub(super) admin: Client,
    ada: Client,
}

impl Services {
    /// Their administrator is `admin`.
    pub(super) async fn start(password: &str) -> Self {
        let (people, credits) = (Postgres::shared().database(), Postgres::shared().database());
        let nowhere = ("COORDINATOR_URL", "http://127.0.0.1:9");
        let code = ("NANOSCALE_SETUP_CODE", SETUP_CODE);
        let variables = [MESH_TOKEN, SERVICE_TOKEN, nowhere, code, ("PORTAL_DATABASE_URL", people.as_str())];
        let mut portal = MeshService::start(program(), "portal", &variables).await;
        let (portal_url, peer) = (portal.url(), ("COORDINATOR_PEER_ID", "coordinator-of-tests"));
        let portal_at = ("PORTAL_SERVICE_URL", portal_url.as_str());
        let variables = [MESH_TOKEN, SERVICE_TOKEN, portal_at, peer, ("DATABASE_URL", credits.as_str())];
        let coordinator = MeshService::start(program(), "coordinator", &variables).await;
        let coordinator_url = coordinator.url();
        portal.set_env("COORDINATOR_URL", &coordinator_url);
        portal.restart().await;
        let variables = [
            MESH_TOKEN,
            SERVICE_TOKEN,
            portal_at,
            ("COORDINATOR_URL", coordinator_url.as_str()),
            ("ADMIN_API_TOKEN", "admin-token-of-tests"),
        ];
        let control_plane = MeshService::start(program(), "control-plane", &variables).await;
        let (admin, ada) = (portal.client(), portal.client());
        admin.setup("admin", password, SETUP_CODE).await.unwrap();
        let password = random_secret();
        let create = api::UserCreate { username: "ada".into(), password: password.clone(), role: None };
        admin.user_create(&create).await.unwrap();
        ada.login("ada", &password).await.unwrap();
        Self { portal, coordinator, control_plane, admin, ada }
    }

    pub(super) fn agent(&self, node_id: &str, token: &str, llama: &[String]) -> MeshAgent {
        MeshAgent::new(program(), &self.coordinator.url(), node_id, token, llama)
    }

    async fn ada_desk(&self) -> Option<api::Enrolment> {
        let all = self.ada.enrolment_list().await.ok()?.enrolments;
        all.into_iter().find(|it| it.node_id.as_str() == "ada-desk")
    }

    async fn serves(&self) {
        let serves = async || self.ada_desk().await.is_some_and(|it| it.online && !it.models.is_empty());
        wait_until("the machine serves", PATIENCE, serves).await;
    }

    /// What the control plane says to who has the admin token.
    async fn administered(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.control_plane.url()));
        let answer = request.header("x-admin-token", "admin-token-of-tests").json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// A token that asks models, and nothing else.
async fn token(client: &Client) -> api::TokenCreated {
    let create =
        api::TokenCreate { name: "ide".into(), scopes: Some(vec!["models".into()]), ..api::TokenCreate::default() };
    client.token_create_with(&create).await.unwrap()
}

async fn ask(url: &str, token: &str) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{url}/v1/chat/completions")).bearer_auth(token);
    let answer = request.json(&question(4)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_is_a_process_of_its_own() {
    let (services, llama) = (Services::start(&random_secret()).await, LlamaServer::start(MODEL).await);
    let Services { portal, coordinator, control_plane, admin, ada } = &services;

    // Enrolled at the portal, dormant at the coordinator, approved at the control plane.
    let created = ada.enrol("ada-desk").await.unwrap();
    assert!(created.command.contains(&coordinator.url()), "{}", created.command);
    let token_of_it = &created.registration_token;
    let mut agent = MeshAgent::new(program(), &coordinator.url(), "ada-desk", token_of_it, &[llama.url()]);
    agent.start();
    let known = async || services.ada_desk().await.is_some_and(|it| it.fingerprint.is_some());
    wait_until("its key is known", PATIENCE, known).await;
    assert_eq!(services.administered(Method::GET, "/agents", json!({})).await.1, json!({ "agents": [] }));
    let (status, approved) =
        services.administered(Method::POST, "/agents/ada-desk/approval", json!({ "approved": true })).await;
    assert_eq!((status, &approved["node"]["active"]), (200, &json!(true)));
    services.serves().await;
    let listed = services.administered(Method::GET, "/agents", json!({})).await.1;
    assert_eq!(listed["agents"][0]["models"], json!([MODEL]));
    let (_, known) = services.administered(Method::GET, "/network/coordinators", json!({})).await;
    assert_eq!(known["coordinators"][0]["peerId"], "coordinator-of-tests");
    assert_eq!(known["coordinators"][0]["coordinatorUrl"], coordinator.url());
    let (_, bootstrapped) = services.administered(Method::POST, "/bootstrap/coordinator", json!({})).await;
    assert_eq!(bootstrapped["database"], "postgres_ready");

    // Credits are the coordinator's, people the portal's.
    admin.grant("ada", CREDIT).await.unwrap();
    assert_eq!(admin.grant("nobody", CREDIT).await.unwrap_err().code(), "UNKNOWN_USER");
    let by_token = token(ada).await;
    for url in [coordinator.url(), portal.url()] {
        let (status, answer) = ask(&url, &by_token.token).await;
        assert_eq!((status, answer["usage"]["completion_tokens"].as_u64().is_some()), (200, true), "{answer}");
    }
    let playground = ada.raw(Method::POST, "/v1/chat/completions");
    let streamed = playground.json(&{
        let mut body = question(4);
        body["stream"] = true.into();
        body
    });
    let streamed = streamed.send().await.unwrap();
    assert_eq!(streamed.headers()["content-type"], "text/event-stream");
    assert!(streamed.text().await.unwrap().trim_end().ends_with("data: [DONE]"));
    let settled = wait_some("every completion is settled", PATIENCE, async || {
        admin.ledger().await.ok().filter(|ledger| ledger.open_completions == 0)
    });
    let ledger = settled.await;
    assert_eq!((ledger.sum, ledger.wrong, balance(&ledger, "held")), (0, 0, 0), "{ledger:?}");
    assert!(ledger.accounts.iter().any(|it| it.username.as_deref() == Some("ada")), "{ledger:?}");
    assert_eq!(ada.completion_list().await.unwrap().len(), 3);

    // The dashboard is the portal's, also where the control plane shows it.
    for url in [portal.url(), control_plane.url()] {
        let page = reqwest::get(format!("{url}/portal/coordinator-ops")).await.unwrap().text().await.unwrap();
        assert!(page.contains("<div id=\"root\">"), "{page}");
        let status = reqwest::get(format!("{url}/api/auth/status")).await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(status["mesh_only"], true);
    }
    assert_eq!(admin.raw(Method::GET, "/api/projects").send().await.unwrap().status(), 404);

    // A token that is revoked is worth nothing elsewhere, soon.
    ada.token_delete(&by_token.id).await.unwrap();
    let refused = async || ask(&coordinator.url(), &by_token.token).await.0 == 401;
    wait_until("a token that is revoked opens nothing", PATIENCE, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_dies_and_the_others_go_on() {
    let (mut services, llama) = (Services::start(&random_secret()).await, LlamaServer::start(MODEL).await);
    let created = services.ada.enrol("ada-desk").await.unwrap();
    let token_of_it = &created.registration_token;
    let coordinator_url = services.coordinator.url();
    let mut agent = MeshAgent::new(program(), &coordinator_url, "ada-desk", token_of_it, &[llama.url()]);
    agent.start();
    services.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    services.serves().await;
    services.admin.grant("ada", CREDIT).await.unwrap();
    let by_token = token(&services.ada).await.token;
    assert_eq!(ask(&coordinator_url, &by_token).await.0, 200);

    let changes = services.admin.token_create("shell").await.unwrap().token;
    let at_coordinator = |method: Method, path: &str| {
        reqwest::Client::new().request(method, format!("{coordinator_url}{path}")).bearer_auth(&changes)
    };
    assert_eq!(at_coordinator(Method::GET, "/api/mesh").send().await.unwrap().status(), 200);

    // Whom the coordinator knows goes on without the portal; a stranger is not let in, nor told that they are one.
    services.portal.kill();
    assert_eq!(ask(&coordinator_url, &by_token).await.0, 200);
    let (status, told) = ask(&coordinator_url, "nst_a-token-that-nobody-has-seen").await;
    assert_eq!((status, told["error"]["code"].as_str()), (503, Some("portal_unreachable")), "{told}");
    // Soon nobody changes anything, as they may have lost the right to; but they look.
    let refused = async || {
        let grant = json!({ "username": "ada", "amount": 1, "reason": "while the portal is away" });
        let status = at_coordinator(Method::POST, "/api/mesh/grants").json(&grant).send().await.unwrap().status();
        assert_ne!(status, 201);
        status == 403
    };
    wait_until("who may have been revoked changes nothing", PATIENCE, refused).await;
    assert_eq!(at_coordinator(Method::GET, "/api/mesh").send().await.unwrap().status(), 200);
    services.portal.restart().await;
    services.serves().await;

    services.coordinator.kill();
    assert!(!services.ada_desk().await.unwrap().online);
    assert_eq!(services.ada.mesh().await.unwrap_err().code(), "COORDINATOR_UNREACHABLE");
    let (status, told) = services.administered(Method::GET, "/agents", json!({})).await;
    assert_eq!((status, &told["error"]), (503, &json!("coordinator_unreachable")));
    services.coordinator.restart().await;
    services.serves().await;
    assert_eq!(ask(&coordinator_url, &by_token).await.0, 200);

    services.control_plane.kill();
    assert_eq!(ask(&coordinator_url, &by_token).await.0, 200);
    services.control_plane.restart().await;
    let (_, listed) = services.administered(Method::GET, "/agents", json!({})).await;
    assert_eq!(listed["agents"][0]["agentId"], "ada-desk");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_portal_says_who_asks() {
    let services = Services::start(&random_secret()).await;
    let id = services.admin.me().await.unwrap().user.id;
    let admin = json!({ "user": { "id": id, "username": "admin", "role": "superadmin" }, "token": null });
    let vouched = {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(admin.to_string())
    };
    let http = reqwest::Client::new();
    let grants = format!("{}/api/mesh/grants", services.coordinator.url());
    let grant = json!({ "username": "ada", "amount": 1, "reason": "forged" });
    let forged = || http.post(&grants).json(&grant).header("x-portal-caller", &vouched);
    for request in [
        forged(),
        forged().header("x-portal-service-token", ""),
        forged().header("x-portal-service-token", "portal-token-of-testz"),
        forged().header("x-mesh-token", MESH_TOKEN.1),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "portal_service_token_required");
    }
    let nonsense = http.post(&grants).json(&grant).header("x-portal-caller", "nonsense");
    assert_eq!(nonsense.header("x-portal-service-token", SERVICE_TOKEN.1).send().await.unwrap().status(), 400);
    // By way of the portal, such a header says nothing, and the portal says it of who is signed in only.
    let through = services.ada.raw(Method::POST, "/api/mesh/grants").header("x-portal-caller", &vouched);
    let through = through.header("x-portal-service-token", SERVICE_TOKEN.1).json(&grant).send().await.unwrap();
    assert_eq!(through.status(), 403);
    let stranger = http.post(format!("{}/api/mesh/grants", services.portal.url())).json(&grant).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let elsewhere = services.admin.raw(Method::POST, "/api/mesh/grants").header("origin", "https://evil.example");
    assert_eq!(elsewhere.json(&grant).send().await.unwrap().status(), 403);
    // Somebody who is signed in here is not signed out by what is said over there.
    assert_eq!(services.admin.raw(Method::GET, "/api/mesh/nonsense").send().await.unwrap().status(), 404);
    assert_eq!(services.admin.raw(Method::GET, "/v1/nonsense").send().await.unwrap().status(), 404);
    let basic = services.admin.raw(Method::GET, "/api/mesh").basic_auth("proxy", Some("password"));
    assert_eq!(basic.send().await.unwrap().status(), 200);
    // Headers of the services are not for being told back.
    assert_eq!(services.admin.raw(Method::TRACE, "/v1/models").send().await.unwrap().status(), 405);
    // What the services ask one another is closed to the others.
    for (url, path) in [
        (services.portal.url(), "/internal/people"),
        (services.portal.url(), "/internal/people/authenticate"),
        (services.coordinator.url(), "/internal/agents/ada-desk/pulls"),
    ] {
        let request = http.post(format!("{url}{path}")).json(&json!({ "token": "x", "model": "x" }));
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
    }
    let agents = http.get(format!("{}/internal/agents", services.coordinator.url()));
    assert_eq!(agents.send().await.unwrap().status(), 401);
    let ledger = services.admin.ledger().await.unwrap();
    assert!(ledger.accounts.iter().all(|account| account.balance == 0), "{ledger:?}");
}

#[test]
fn a_service_says_all_that_it_lacks() {
    let lacks = |role: &str, env: &[(&str, &str)], missing: &[&str]| {
        let output = MeshService::start_in_vain(program(), role, env);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        for variable in missing {
            assert!(text.contains(variable), "{role} does not name {variable}: {text}");
        }
    };
    lacks("coordinator", &[], &["MESH_AUTH_TOKEN", "PORTAL_SERVICE_TOKEN", "PORTAL_SERVICE_URL"]);
    lacks("portal", &[], &["MESH_AUTH_TOKEN", "PORTAL_SERVICE_TOKEN", "COORDINATOR_URL"]);
    let all = ["MESH_AUTH_TOKEN", "PORTAL_SERVICE_TOKEN", "PORTAL_SERVICE_URL", "COORDINATOR_URL", "ADMIN_API_TOKEN"];
    lacks("control-plane", &[], &all);
    let open = [("NANOSCALE_MESH_COORDINATOR_BIND", "0.0.0.0:0"), ("MESH_AUTH_TOKEN", "short")];
    lacks("coordinator", &open, &["mesh.token: has fewer than 16", "COORDINATOR_PUBLIC_URL", "PORTAL_SERVICE_TOKEN"]);
}
