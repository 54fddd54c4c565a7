use std::time::Duration;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::workspace::Workspace;
use ids::{WorkspaceId, WorkspaceState};
use serde_json::{Value, json};
use store::WorkspaceChange;

use super::*;
use crate::caller::Caller;
use crate::config::TokenConfig;
use crate::platform::identity::Credential;
use crate::platform::vault::KeyRing;

fn tokens() -> TokenConfig {
    TokenConfig { key: None, terminal: Duration::from_secs(3600), callback: Duration::from_secs(86_400) }
}

async fn signing(directory: &std::path::Path, tokens: TokenConfig) -> Signing {
    let store = Store::open(&format!("sqlite:{}", directory.join("test.db").display())).await.unwrap();
    let config = Arc::new(crate::config::test_config(directory, tokens));
    let vault = Arc::new(Vault::new(&KeyRing::generate()).unwrap());
    Signing::new(store.clone(), vault, Identity::new(store, config.clone(), None), config)
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn packed(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_made_for_and_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let signing = signing(directory.path(), tokens()).await;
    let made = signing.issue(Audience::Terminal, "me", json!({"workspace": "w"})).await.unwrap();
    let (header, claims) = (part(&made.token, 0), part(&made.token, 1));
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!(signing.accepted().await.unwrap()[0].id)));
    assert_eq!(claims["iss"], "https://api.example.com");
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!("workspace-terminal"), &json!("me")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!(made.expires_at, claims["exp"].as_i64().unwrap() * 1000);
    let verify = async |token: &str| signing.verify::<Value>(Audience::Terminal, token).await;
    let (subject, own) = verify(&made.token).await.unwrap();
    assert_eq!((subject.as_str(), &own["workspace"]), ("me", &json!("w")));

    assert!(signing.verify::<Value>(Audience::Callback, &made.token).await.is_err());
    let mut parts = made.token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let mut bent = claims.clone();
    bent["sub"] = json!("you");
    let joined = |header: &str, claims: &str, signature: &str| format!("{header}.{claims}.{signature}");
    for forged in [
        joined(&parts[0], &packed(&bent), &parts[2]),
        joined(&packed(&json!({"alg": "none", "kid": header["kid"]})), &parts[1], ""),
        joined(&packed(&json!({"alg": "HS256", "kid": header["kid"]})), &parts[1], &parts[2]),
        joined(&packed(&json!({"alg": "RS256", "kid": "another"})), &parts[1], &parts[2]),
        joined(&packed(&json!({"alg": "RS256"})), &parts[1], &parts[2]),
        joined(&parts[0], &parts[1], ""),
        String::new(),
        "a.b.c".to_owned(),
    ] {
        assert!(verify(&forged).await.is_err(), "{forged}");
    }
    // A key of somebody else's under our id.
    let other = SigningKey::generate().unwrap();
    let named = Header { kid: header["kid"].as_str().map(str::to_owned), ..Header::new(Algorithm::RS256) };
    let foreign = jsonwebtoken::encode(&named, &claims, &EncodingKey::from_rsa_der(&other.private_der)).unwrap();
    assert!(verify(&foreign).await.is_err());
    // Ours, but run out, or of another issuer.
    let own = signing.active().await.unwrap();
    for (member, value) in [("exp", json!(now_ms() / 1000 - 1)), ("iss", json!("https://api.example.org"))] {
        let mut claims = claims.clone();
        claims[member] = value;
        parts[1] = packed(&claims);
        let token = jsonwebtoken::encode(&named, &claims, &EncodingKey::from_rsa_der(&own.private_der)).unwrap();
        assert!(verify(&token).await.is_err(), "{member}");
    }
}

#[tokio::test]
async fn tokens_outlive_a_new_key_unless_they_are_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let signing = signing(directory.path(), tokens()).await;
    let by = User { id: ids::UserId::new(), username: "ada".into(), role: "superadmin".into() };
    let issue = async || signing.issue(Audience::Terminal, "me", json!({})).await.unwrap().token;
    let verify = async |token: &str| signing.verify::<Value>(Audience::Terminal, token).await.is_ok();
    let first = issue().await;
    signing.rotate(&by, false).await.unwrap();
    let second = issue().await;
    assert_ne!(part(&first, 0)["kid"], part(&second, 0)["kid"]);
    assert!(verify(&first).await && verify(&second).await);
    signing.rotate(&by, true).await.unwrap();
    let third = issue().await;
    assert!(!verify(&first).await && !verify(&second).await && verify(&third).await);
    // One that retired longer ago than any token lives is not published, and forgotten with the next.
    let longer_ago = |days: i64| now_ms() - days * 86_400_000 - 1000;
    let mut tx = signing.store.write().await.unwrap();
    let new = signing.stored(&SigningKey::generate().unwrap()).unwrap();
    tx.signing_key_activate(&new, longer_ago(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(signing.accepted().await.unwrap().len(), 1);
    assert!(!verify(&third).await);
    assert_eq!(signing.rotate(&by, false).await.unwrap().len(), 2);
    assert_eq!(signing.store.read().await.unwrap().signing_keys().await.unwrap().len(), 2);
}

/// A user and their workspace, in the database.
async fn workspace(signing: &Signing, name: &str) -> (User, Workspace) {
    let (user, node) =
        (User { id: ids::UserId::new(), username: name.into(), role: "user".into() }, ids::NodeId::new());
    let mut tx = signing.store.write().await.unwrap();
    tx.user_insert(&user, "", 0).await.unwrap();
    let here = domain::node::Node {
        id: node.clone(),
        name: name.into(),
        embedded: true,
        state: ids::NodeState::Active,
        public_key: None,
        labels: std::collections::BTreeMap::new(),
        owner: None,
        access: ids::NodeAccess::Everybody,
        granted_to: Vec::new(),
        created_at: 0,
        last_seen_at: None,
    };
    tx.node_insert(&here).await.unwrap();
    let project = domain::project::Project {
        id: ids::ProjectId::new(),
        name: name.into(),
        slug: name.into(),
        node_id: node.clone(),
        source: ids::SourceKind::Upload,
        runtime: domain::project::RuntimeSettings::default(),
        placing: domain::project::Placing::default(),
        settings: domain::project::ProjectSettings::default(),
        port: if name == "ada" { 3100 } else { 3101 },
        upload: None,
        deleting: false,
        created_by: user.id.clone(),
        created_at: 0,
        updated_at: 0,
    };
    tx.project_insert(&project).await.unwrap();
    let workspace = Workspace {
        id: WorkspaceId::new(),
        project_id: project.id,
        owner_id: user.id.clone(),
        node_id: node,
        name: name.into(),
        branch: None,
        new_branch: None,
        state: WorkspaceState::Creating,
        state_since: 0,
        attempt: 1,
        generation: 1,
        steps: "[]".into(),
        failure: None,
        memory_mb: 1024,
        idle_timeout_seconds: 0,
        awake: domain::idle::Awake::default(),
        shutdown_deadline: None,
        created_at: 0,
        updated_at: 0,
    };
    tx.workspace_insert(&workspace).await.unwrap();
    tx.commit().await.unwrap();
    (user, workspace)
}

async fn session(signing: &Signing, user: &User, hash: &str) -> Caller {
    let mut tx = signing.store.write().await.unwrap();
    tx.session_insert(&ids::SessionId::new(), &user.id, hash, now_ms(), now_ms() + 60_000).await.unwrap();
    tx.commit().await.unwrap();
    Caller { user: user.clone(), credential: Credential::Session(hash.to_owned()) }
}

#[tokio::test]
async fn a_terminals_token_is_its_owners_and_dies_with_the_sign_in() {
    let directory = tempfile::tempdir().unwrap();
    let signing = signing(directory.path(), tokens()).await;
    let ((ada, hers), (bob, his)) = (workspace(&signing, "ada").await, workspace(&signing, "bob").await);
    let (first, second) = (session(&signing, &ada, "first").await, session(&signing, &ada, "second").await);
    let made = signing.terminal_issue(&first, &hers.id).await.unwrap();
    assert_eq!(made.workspace_url, format!("https://ws-{}.example.com", hers.id));
    let claims = part(&made.token, 1);
    assert_eq!((&claims["sub"], &claims["workspace"]), (&json!(ada.id), &json!(hers.id)));
    assert!(!made.token.contains("first") && !claims["sid"].as_str().unwrap().contains("first"));
    let (caller, id) = signing.terminal_caller(&made.token).await.unwrap();
    assert_eq!((caller.user, id), (ada.clone(), hers.id.clone()));
    let code = |error: Error| error.told().0.to_owned();
    assert_eq!(code(signing.terminal_issue(&first, &his.id).await.err().unwrap()), "NOT_FOUND");
    assert_eq!(code(signing.terminal_issue(&first, &WorkspaceId::new()).await.err().unwrap()), "NOT_FOUND");
    // Ours by its signature, but made for what is not theirs.
    let sid = signing.identity.sign_in_name(&first.credential).await.unwrap();
    for (subject, workspace, sid) in [
        (&ada.id, his.id.as_str(), sid.as_str()),
        (&bob.id, hers.id.as_str(), sid.as_str()),
        (&ada.id, "nonsense", sid.as_str()),
        (&ada.id, hers.id.as_str(), "session:01j9z3k4w5x6y7z8a9b0c1d2e3"),
        (&ada.id, hers.id.as_str(), "nonsense"),
    ] {
        let own = json!({ "workspace": workspace, "sid": sid });
        let token = signing.issue(Audience::Terminal, subject.as_str(), own).await.unwrap().token;
        assert!(signing.terminal_caller(&token).await.is_err(), "{subject} {workspace} {sid}");
    }
    // Signing out elsewhere changes nothing, here everything.
    signing.identity.logout(Some("second")).await.unwrap();
    assert!(signing.terminal_issue(&second, &hers.id).await.is_err());
    assert!(signing.terminal_caller(&made.token).await.is_ok());
    signing.identity.logout(Some("first")).await.unwrap();
    assert_eq!(code(signing.terminal_caller(&made.token).await.err().unwrap()), "INVALID_TOKEN");

    let third = session(&signing, &ada, "third").await;
    for (state, allowed) in [
        (WorkspaceState::Running, true),
        (WorkspaceState::Recovery, true),
        (WorkspaceState::Stopping, false),
        (WorkspaceState::Stopped, false),
    ] {
        let mut tx = signing.store.write().await.unwrap();
        let now = tx.workspace(&hers.id).await.unwrap().unwrap();
        let from = (now.state, now.attempt);
        assert!(tx.workspace_transition(&hers.id, from, state, WorkspaceChange::None, now_ms()).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(signing.terminal_issue(&third, &hers.id).await.is_ok(), allowed, "{state}");
    }
}
