//! What a machine has to prove, and what it is refused for.

use std::time::{Duration, SystemTime};

use link::KeyPair;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use testkit::Meddler;

use super::Stand;

/// A machine that says what it likes.
struct Machine<'a> {
    stand: &'a Stand,
    key: KeyPair,
    http: reqwest::Client,
}

impl<'a> Machine<'a> {
    fn new(stand: &'a Stand) -> Self {
        Self { stand, key: KeyPair::generate().unwrap(), http: reqwest::Client::new() }
    }

    fn body(&self, node_id: &str, token: Option<&str>) -> Vec<u8> {
        let mut body = json!({ "agentId": node_id, "publicKey": self.key.public(), "os": "linux", "version": "1" });
        if let Some(token) = token {
            body["registrationToken"] = token.into();
        }
        body.to_string().into_bytes()
    }

    fn signature(&self, body: &[u8], now: SystemTime) -> HeaderMap {
        let authority = self.stand.server.mesh_url("coordinator").replace("http://", "");
        let message = signatures::Message {
            method: &reqwest::Method::POST,
            authority: &authority,
            path: "/register",
            query: None,
            body,
        };
        signatures::sign(&message, &self.key.public().to_string(), &self.key, "mesh-v1", now).unwrap()
    }

    async fn send(&self, headers: HeaderMap, body: &[u8]) -> (u16, String, String) {
        let url = format!("{}/register", self.stand.server.mesh_url("coordinator"));
        let response = self.http.post(url).headers(headers).body(body.to_vec()).send().await.unwrap();
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (status, text("error"), text("reason"))
    }

    /// A second later than the start of the server, whose memory of signatures begins there.
    async fn register(&self, node_id: &str, token: Option<&str>) -> (u16, String, String) {
        let body = self.body(node_id, token);
        testkit::wait_some("the server takes signatures", testkit::PATIENCE, async || {
            let answer = self.send(self.signature(&body, SystemTime::now()), &body).await;
            (answer.1 != "signature_before_start").then_some(answer)
        })
        .await
    }
}

fn dormant(reason: &str) -> (u16, String, String) {
    (403, "node_not_activated".into(), reason.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_the_token_that_its_owner_got_and_keeps_to_its_key() {
    let stand = Stand::new().await;
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let other = stand.ada.enrol("ada-rack").await.unwrap();
    let coordinator = api::EnrolmentCreate {
        node_id: "ada-brain".into(),
        kind: Some(ids::MeshNodeKind::Coordinator),
        device_id: None,
    };
    let coordinator = stand.ada.enrolment_create(&coordinator).await.unwrap();
    let (machine, thief) = (Machine::new(&stand), Machine::new(&stand));
    let token = created.registration_token.as_str();
    assert_eq!(machine.register("nobody-knows", Some(token)).await, dormant("node_not_enrolled"));
    assert_eq!(machine.register("ada-%", Some(token)).await, dormant("node_not_enrolled"));
    assert_eq!(machine.register("ada-desk", None).await, dormant("registration_token_required"));
    assert_eq!(machine.register("ada-desk", Some("wrong")).await, dormant("registration_token_invalid"));
    let others = Some(other.registration_token.as_str());
    assert_eq!(machine.register("ada-desk", others).await, dormant("registration_token_invalid"));
    let theirs = Some(coordinator.registration_token.as_str());
    assert_eq!(machine.register("ada-brain", theirs).await, dormant("node_kind_mismatch"));
    assert_eq!(machine.register("ada-desk", Some(token)).await, dormant("node_pending_coordinator_approval"));
    // From now on it is known by its key, with its token or without.
    assert_eq!(machine.register("ada-desk", None).await, dormant("node_pending_coordinator_approval"));
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    assert_eq!(machine.register("ada-desk", None).await.0, 200);
    assert_eq!(thief.register("ada-desk", None).await, dormant("registration_token_required"));
    assert_eq!(thief.register("ada-desk", Some(token)).await, dormant("key_mismatch"));
    // One key is one machine.
    assert_eq!(machine.register("ada-rack", others).await, dormant("key_mismatch"));
    stand.admin.enrolment_decide(&created.enrolment.id, "reject").await.unwrap();
    assert_eq!(machine.register("ada-desk", Some(token)).await, dormant("node_suspended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_now_by_its_key_is_refused_by_a_code_of_its_own() {
    let stand = Stand::new().await;
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let (machine, other) = (Machine::new(&stand), Machine::new(&stand));
    let token = Some(created.registration_token.as_str());
    assert_eq!(machine.register("ada-desk", token).await, dormant("node_pending_coordinator_approval"));
    let body = machine.body("ada-desk", token);
    let code = async |headers: HeaderMap, body: &[u8]| {
        let (status, code, _) = machine.send(headers, body).await;
        assert_eq!(status, 401, "{code}");
        code
    };
    let now = SystemTime::now();
    assert_eq!(code(HeaderMap::new(), &body).await, "signature_missing");
    let (late, early) = (now - Duration::from_secs(61), now + Duration::from_secs(62));
    assert_eq!(code(machine.signature(&body, late), &body).await, "signature_expired");
    assert_eq!(code(machine.signature(&body, early), &body).await, "signature_not_yet_valid");
    let altered = String::from_utf8(body.clone()).unwrap().replace("linux", "Linux").into_bytes();
    assert_eq!(code(machine.signature(&body, now), &altered).await, "signature_digest");
    // The other's signature over the same words.
    assert_eq!(code(other.signature(&body, now), &body).await, "signature_unknown_key");
    let mut mixed = machine.signature(&body, now);
    mixed.insert("signature", other.signature(&body, now)["signature"].clone());
    assert_eq!(code(mixed, &body).await, "signature_invalid");
    let mut reordered = machine.signature(&body, now);
    let input = reordered["signature-input"].to_str().unwrap();
    let input = input.replace("\"@method\" \"@authority\"", "\"@authority\" \"@method\"");
    reordered.insert("signature-input", input.parse().unwrap());
    assert_eq!(code(reordered, &body).await, "signature_components");
    // A header that says where it came from changes nothing.
    let mut forged = HeaderMap::new();
    forged.insert("x-real-ip", "127.0.0.1".parse().unwrap());
    assert_eq!(code(forged, &body).await, "signature_missing");
    // Who may take part does so once by each signature.
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    assert_eq!(machine.register("ada-desk", token).await.0, 200);
    let once = machine.signature(&body, SystemTime::now());
    assert_eq!(machine.send(once.clone(), &body).await.0, 200);
    assert_eq!(code(once, &body).await, "signature_replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_before_a_restart_is_worth_nothing_after_it() {
    let mut stand = Stand::new().await;
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    let token = created.registration_token.clone();
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    let (body, headers, key) = {
        let machine = Machine::new(&stand);
        let token = Some(token.as_str());
        assert_eq!(machine.register("ada-desk", token).await.0, 200);
        let body = machine.body("ada-desk", token);
        (body.clone(), machine.signature(&body, SystemTime::now()), machine.key)
    };
    stand.server.restart().await;
    let machine = Machine { stand: &stand, key, http: reqwest::Client::new() };
    let (status, code, _) = machine.send(headers, &body).await;
    assert_eq!((status, code.as_str()), (401, "signature_before_start"));
    assert_eq!(machine.register("ada-desk", Some(&token)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_portal_is_away_those_that_it_knew_go_on() {
    let mut stand = Stand::new().await;
    let portal = Meddler::before(stand.server.mesh_url("portal").replace("http://", "").parse().unwrap()).await;
    stand.server.configure(json!({ "mesh": { "portal_url": portal.url() } }));
    stand.server.restart().await;
    let (desk, rack) = (stand.ada.enrol("ada-desk").await.unwrap(), stand.ada.enrol("ada-rack").await.unwrap());
    stand.admin.enrolment_decide(&desk.enrolment.id, "approve").await.unwrap();
    stand.admin.enrolment_decide(&rack.enrolment.id, "approve").await.unwrap();
    let (known, new) = (Machine::new(&stand), Machine::new(&stand));
    // Once another one has registered, signatures are taken: `known` is asked for its token once, and is known by that.
    let first = stand.ada.enrol("ada-first").await.unwrap();
    stand.admin.enrolment_decide(&first.enrolment.id, "approve").await.unwrap();
    assert_eq!(Machine::new(&stand).register("ada-first", Some(&first.registration_token)).await.0, 200);
    assert_eq!(known.register("ada-desk", Some(&desk.registration_token)).await.0, 200);
    portal.cut();
    assert_eq!(known.register("ada-desk", None).await.0, 200);
    // It is the machine that is known, which is the one with the key.
    assert_eq!(new.register("ada-desk", None).await, dormant("portal_validation_unreachable"));
    let token = Some(rack.registration_token.as_str());
    assert_eq!(new.register("ada-rack", token).await, dormant("portal_validation_unreachable"));
    portal.mend();
    assert_eq!(new.register("ada-rack", token).await.0, 200);
    stand.admin.enrolment_decide(&desk.enrolment.id, "suspend").await.unwrap();
    assert_eq!(known.register("ada-desk", None).await, dormant("node_suspended"));
    portal.cut();
    assert_eq!(known.register("ada-desk", None).await, dormant("portal_validation_unreachable"));
}
