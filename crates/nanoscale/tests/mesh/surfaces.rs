//! The mesh's own ports, as a stranger and as their programs see them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Database, LlamaServer, PATIENCE, Postgres, wait_until};

use super::{MODEL, Stand, server};

async fn ask(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_is_closed_to_who_has_no_token() {
    let (stand, http) = (Stand::new().await, reqwest::Client::new());
    let at = |path: &str| format!("{}{path}", stand.server.mesh_url("coordinator"));
    for path in ["/status", "/models/available", "/economy/price/current", "/agents", "/"] {
        let (status, body) = ask(http.get(at(path))).await;
        assert_eq!((status, body), (401, json!({ "error": "mesh_unauthorized" })), "{path}");
        let (status, body) = ask(http.get(at(path)).header("x-mesh-token", "mesh-token-of-testz")).await;
        assert_eq!((status, body), (401, json!({ "error": "mesh_unauthorized" })), "{path}");
    }
    let token = |request: reqwest::RequestBuilder| request.header("x-mesh-token", "mesh-token-of-tests");
    assert_eq!(ask(token(http.get(at("/status")))).await, (200, json!({ "queued": 0, "agents": 0, "results": 0 })));
    assert_eq!(ask(token(http.get(at("/nothing")))).await.0, 404);
    // That it is alive is public, how it is is not.
    assert_eq!(ask(http.get(at("/health/runtime"))).await, (200, json!({ "ok": true })));
    assert_eq!(ask(token(http.get(at("/health/runtime")))).await.1["coordinator"]["agents"], 0);
    let identity = ask(http.get(at("/identity"))).await.1;
    assert_eq!(identity["coordinatorUrl"], stand.server.mesh_url("coordinator"));
    assert_eq!(identity["publicKey"], stand.ada.mesh().await.unwrap().coordinator_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_wants_the_admin_token_and_decides() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let http = reqwest::Client::new();
    let at = |path: &str| format!("{}{path}", stand.server.mesh_url("control-plane"));
    let required =
        |status: (u16, Value)| assert_eq!((status.0, &status.1["error"]), (401, &json!("admin_token_required")));
    required(ask(http.get(at("/agents"))).await);
    required(ask(http.get(at("/agents")).bearer_auth("admin-token-of-testz")).await);
    required(ask(http.post(at("/agents/ada-desk/approval")).json(&json!({ "approved": true }))).await);
    required(ask(http.post(at("/bootstrap/coordinator"))).await);
    required(ask(http.get(at("/nothing"))).await);
    assert_eq!(ask(http.get(at("/health"))).await, (200, json!({ "ok": true })));
    let coordinators = ask(http.get(at("/network/coordinators"))).await.1;
    assert_eq!(coordinators["coordinators"][0]["coordinatorUrl"], stand.server.mesh_url("coordinator"));

    let admin = |request: reqwest::RequestBuilder| request.header("x-admin-token", "admin-token-of-tests");
    assert_eq!(ask(admin(http.get(at("/agents")))).await, (200, json!({ "agents": [] })));
    let approve = async |id: &str, kind: &str, approved: bool| {
        let request = admin(http.post(at(&format!("/{kind}/{id}/approval"))));
        ask(request.json(&json!({ "approved": approved }))).await
    };
    assert_eq!(approve("ada-desk", "agents", true).await.1["error"], "node_not_found");
    assert_eq!(approve("%25", "agents", true).await.0, 404);
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let mut agent = stand.agent("ada-desk", &created.registration_token, &llama);
    agent.start();
    let mismatch = approve("ada-desk", "coordinators", true).await;
    assert_eq!((mismatch.0, &mismatch.1["error"]), (409, &json!("node_kind_mismatch")));
    let approved = approve("ada-desk", "agents", true).await;
    assert_eq!((approved.0, &approved.1["node"]["active"]), (200, &json!(true)));
    stand.serves("ada-desk").await;
    let bearer = ask(http.get(at("/agents")).bearer_auth("admin-token-of-tests")).await.1;
    let listed = &bearer["agents"][0];
    assert_eq!((&listed["agentId"], &listed["models"]), (&json!("ada-desk"), &json!([MODEL])));
    assert_eq!(approve("ada-desk", "agents", false).await.1["node"]["active"], false);
    let gone = async || ask(admin(http.get(at("/agents")))).await.1 == json!({ "agents": [] });
    wait_until("it has lost its link", PATIENCE, gone).await;
    let wrong = admin(http.post(at("/agents/ada-desk/approval"))).json(&json!({ "approved": "yes" }));
    assert_eq!(ask(wrong).await.0, 400);
    let postgres = Stand::with(server().database(Database::Postgres(Postgres::shared().database()))).await;
    for (stand, database) in [(&stand, "sqlite_ready"), (&postgres, "postgres_ready")] {
        let url = format!("{}/bootstrap/coordinator", stand.server.mesh_url("control-plane"));
        for _ in 0..2 {
            let (status, body) = ask(admin(http.post(&url))).await;
            assert_eq!((status, &body["ok"], &body["database"]), (200, &json!(true), &json!(database)));
            // A shell says the same.
            let mut command = std::process::Command::new(super::program());
            let config = stand.server.config_path();
            let output = command.args(["bootstrap", "coordinator", "--config"]).arg(config).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_addresses_administer_whatever_a_header_says() {
    let elsewhere = server().config(json!({ "mesh": { "allowed_admin_ips": ["1.2.3.4", "2001:db8::/32"] } }));
    let stand = Stand::with(elsewhere).await;
    let http = reqwest::Client::new();
    let at = format!("{}/agents", stand.server.mesh_url("control-plane"));
    let admin = |request: reqwest::RequestBuilder| request.header("x-admin-token", "admin-token-of-tests");
    for header in ["x-forwarded-for", "x-real-ip", "fly-client-ip", "cf-connecting-ip", "true-client-ip", "forwarded"] {
        let (status, body) = ask(admin(http.get(&at)).header(header, "1.2.3.4")).await;
        assert_eq!((status, &body["error"]), (403, &json!("admin_ip_forbidden")), "{header}");
    }
    // Behind a proxy that is trusted, it is the proxy that says who asks.
    let proxied = server().config(json!({ "mesh": {
        "allowed_admin_ips": ["1.2.3.4"], "trusted_proxies": ["127.0.0.0/8"] } }));
    let stand = Stand::with(proxied).await;
    let at = format!("{}/agents", stand.server.mesh_url("control-plane"));
    assert_eq!(ask(admin(http.get(&at)).header("x-forwarded-for", "6.6.6.6, 1.2.3.4")).await.0, 200);
    assert_eq!(ask(admin(http.get(&at)).header("x-forwarded-for", "1.2.3.4, 6.6.6.6")).await.0, 403);
    assert_eq!(ask(admin(http.get(&at))).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_addresses_open_the_dashboard_at_the_control_plane() {
    // As a variable has them: with spaces between.
    let elsewhere = server().env("ALLOWED_UI_IPS", "1.2.3.4, 10.0.0.0/8 ,2001:db8::/32");
    let here = server().env("ALLOWED_UI_IPS", "1.2.3.4, 127.0.0.0/8");
    let http = reqwest::Client::new();
    for (builder, allowed) in [(elsewhere, false), (here, true), (server(), true)] {
        let stand = Stand::with(builder).await;
        let at = |path: &str| format!("{}{path}", stand.server.mesh_url("control-plane"));
        for path in ["/", "/models/operations", "/portal/coordinator-ops", "/login"] {
            let response = http.get(at(path)).header("x-forwarded-for", "1.2.3.4").send().await.unwrap();
            let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
            match allowed {
                true => assert!(status == 200 && text.contains("<html"), "{path}: {status} {text}"),
                false => assert!(status == 403 && text.contains("ui_ip_forbidden"), "{path}: {status} {text}"),
            }
        }
        let me = http.get(at("/api/auth/me")).send().await.unwrap();
        assert_eq!(me.status(), if allowed { 401 } else { 403 });
        // The playground asks there.
        let token = stand.ada.token_create("browser").await.unwrap().token;
        let models = http.get(at("/v1/explain/01j9z3k4w5x6y7z8a9b0c1d2e3")).bearer_auth(token).send().await.unwrap();
        assert_eq!(models.status(), if allowed { 404 } else { 403 });
        // The admin token has a list of its own.
        let admin = http.get(at("/agents")).header("x-admin-token", "admin-token-of-tests").send().await.unwrap();
        assert_eq!(admin.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_enrol_at_the_portal_and_its_inside_is_closed() {
    let (stand, http) = (Stand::new().await, reqwest::Client::new());
    let at = |path: &str| format!("{}{path}", stand.server.mesh_url("portal"));
    let (status, body) = ask(http.post(at("/nodes/enroll")).json(&json!({ "nodeId": "bob-desk" }))).await;
    assert_eq!((status, &body["error"]), (401, &json!("not_authenticated")));
    let token = stand.ada.token_create("portal").await.unwrap().token;
    let ada = |method: Method, path: &str| http.request(method, at(path)).bearer_auth(&token);
    let enrol = json!({ "nodeId": "ada-desk", "nodeKind": "agent", "deviceId": "serial-1234" });
    let (status, enrolled) = ask(ada(Method::POST, "/nodes/enroll").json(&enrol)).await;
    assert_eq!((status, &enrolled["active"], &enrolled["nodeApproved"]), (200, &json!(false), &json!(false)));
    stand.server.secrets().remember(enrolled["registrationToken"].as_str().unwrap());
    assert_eq!(ask(ada(Method::GET, "/nodes/me")).await.1["nodes"][0]["state"], "pending");
    assert_eq!(ask(ada(Method::POST, "/nodes/enroll").json(&json!({ "nodeId": "ada-desk" }))).await.0, 409);
    for wrong in [json!({}), json!({ "nodeId": "x" }), json!({ "nodeId": "ok-name", "nodeKind": "phone" })] {
        assert_eq!(ask(ada(Method::POST, "/nodes/enroll").json(&wrong)).await.0, 400, "{wrong}");
    }
    for path in ["/internal/nodes/validate", "/internal/nodes/lookup", "/internal/nodes/ada-desk/approval"] {
        for request in
            [http.post(at(path)), http.post(at(path)).header("x-portal-service-token", ""), ada(Method::POST, path)]
        {
            let (status, body) = ask(request.json(&json!({}))).await;
            assert_eq!((status, &body["error"]), (401, &json!("portal_service_token_required")), "{path}");
        }
    }
    assert_eq!(ask(ada(Method::DELETE, "/nodes/ada-desk")).await.0, 200);
    assert_eq!(ask(ada(Method::DELETE, "/nodes/ada-desk")).await.0, 404);
    // Its page is the dashboard's.
    let page = http.get(at("/portal/coordinator-ops")).header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("<div id=\"root\">"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_reach_starts_with_its_secrets_only() {
    let mut server = testkit::TestServer::builder(super::program()).start().await;
    server.kill();
    server.configure(json!({ "mesh": {
        "enabled": true, "coordinator_bind": "0.0.0.0:0", "control_plane_bind": "0.0.0.0:0", "portal_bind": "[::]:0",
        "admin_token": "short", "allowed_admin_ips": ["nowhere"] } }));
    let said = server.start_in_vain();
    for wrong in [
        "mesh.token",
        "mesh.admin_token",
        "mesh.portal_service_token",
        "mesh.coordinator_url",
        "mesh.allowed_admin_ips",
    ] {
        assert!(said.contains(wrong), "{wrong}:\n{said}");
    }
    // Where there is no mesh, there is nothing of it.
    server.configure(json!({ "mesh": { "enabled": false, "admin_token": null, "allowed_admin_ips": [] } }));
    server.restart().await;
    let admin = server.setup().await;
    for path in ["/api/mesh", "/api/mesh/enrolments", "/v1/models"] {
        let response = admin.raw(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    assert_eq!(admin.mesh().await.unwrap_err().code(), "MESH_OFF");
}
