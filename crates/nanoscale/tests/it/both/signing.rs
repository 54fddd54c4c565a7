//! Keys of tokens that others verify.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, random_secret};

use crate::server;

async fn kids(client: &Client) -> Vec<String> {
    client.jwks().await.unwrap().keys.into_iter().map(|key| key.kid).collect()
}

#[tokio::test]
async fn public_keys_are_published_and_nothing_else_of_them() {
    let mut server = server().start().await;
    let response = server.client().raw(Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "public, max-age=3600");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let set: Value = response.json().await.unwrap();
    let [key] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    let mut members = key.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    members.sort_unstable();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&json!("RSA"), &json!("sig"), &json!("RS256")));
    let kid = key["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid.len(), 43, "a SHA-256 in base64url");
    // It is kept, sealed.
    server.restart().await;
    assert_eq!(kids(&server.client()).await, [kid]);
}

#[tokio::test]
async fn of_ten_at_once_all_see_the_same_first_key() {
    let server = server().start().await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = server.client();
        readers.spawn(async move { kids(&client).await });
    }
    let mut seen = Vec::new();
    while let Some(kids) = readers.join_next().await {
        seen.push(kids.unwrap());
    }
    assert!(seen.iter().all(|kids| kids == &seen[0] && kids.len() == 1), "{seen:?}");
}

#[tokio::test]
async fn a_new_key_signs_and_the_one_before_stays_for_a_while() {
    let server = server().start().await;
    let superadmin = server.setup().await;
    let admin = superadmin.sign_in_another("ada", "admin").await;
    let user = superadmin.sign_in_another("bob", "user").await;
    let first = kids(&server.client()).await;
    assert_eq!(user.signing_key_list().await.unwrap_err().code(), "ADMIN_ONLY");
    assert_eq!(user.signing_key_rotate(false).await.unwrap_err().code(), "ADMIN_ONLY");
    assert_eq!(admin.signing_key_rotate(false).await.unwrap_err().code(), "SUPERADMIN_ONLY");
    assert_eq!(kids(&server.client()).await, first);

    let keys = superadmin.signing_key_rotate(false).await.unwrap();
    let [active, retired] = keys.as_slice() else { panic!("{keys:?}") };
    assert!(active.is_active && !active.is_configured && active.accepted_until.is_none(), "{active:?}");
    assert!(!retired.is_active && retired.id == first[0] && retired.accepted_until.is_some(), "{retired:?}");
    assert_eq!(kids(&server.client()).await, [active.id.clone(), retired.id.clone()]);
    assert_eq!(admin.signing_key_list().await.unwrap().len(), 2);

    let keys = superadmin.signing_key_rotate(true).await.unwrap();
    assert_eq!(kids(&server.client()).await, [keys[0].id.clone()]);
    let audit: Value = superadmin.raw(Method::GET, "/api/audit").send().await.unwrap().json().await.unwrap();
    let rotations = audit["events"].as_array().unwrap().iter().filter(|event| event["action"] == "signing_key.rotated");
    assert_eq!(rotations.count(), 2, "{audit}");
}

/// A key of openssl's and its public half.
fn pair(directory: &std::path::Path) -> (String, String) {
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let private = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    std::fs::write(directory.join("key.pem"), &private).unwrap();
    (private, openssl(&["pkey", "-in", "key.pem", "-pubout"]))
}

#[tokio::test]
async fn a_configured_key_is_used_and_one_that_it_replaces_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let (private, public) = pair(directory.path());
    let (other, _) = pair(directory.path());
    let one_line = |pem: &str| pem.replace('\n', "\\n");
    let tokens = json!({"private_key": one_line(&private), "public_key": one_line(&public), "key_id": "2026-11"});
    let mut server = server().config(json!({ "tokens": tokens })).start().await;
    let superadmin = server.setup().await;
    assert_eq!(kids(&superadmin).await, ["2026-11"]);
    assert_eq!(superadmin.signing_key_rotate(false).await.unwrap_err().code(), "KEY_CONFIGURED");
    assert!(superadmin.signing_key_list().await.unwrap()[0].is_configured);

    server.terminate();
    server.configure(json!({"tokens": {"private_key": one_line(&other), "public_key": null, "key_id": "2026-12"}}));
    server.restart().await;
    assert_eq!(kids(&superadmin).await, ["2026-12", "2026-11"]);

    // What is wrong with it is told at the start, with everything else.
    server.terminate();
    server.configure(json!({
        "tokens": {"public_key": one_line(&public), "terminal_expiry_ms": 0}, "limits": {"drain_seconds": -1}
    }));
    let told = server.start_in_vain();
    for part in
        ["tokens.public_key (JWT_PUBLIC_KEY): is not the public half", "TERMINAL_TOKEN_EXPIRY_MS", "drain_seconds"]
    {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    // Without it the server has one of its own again.
    server.configure(json!({
        "tokens": {"private_key": null, "public_key": null, "key_id": null, "terminal_expiry_ms": 60_000},
        "limits": {"drain_seconds": 1}
    }));
    server.restart().await;
    let now = kids(&superadmin).await;
    assert_eq!((now.len(), now[1].as_str()), (3, "2026-12"), "{now:?}");
}

#[tokio::test]
async fn a_token_for_a_workspace_that_is_not_there_is_404() {
    let server = server().start().await;
    let admin = server.setup().await;
    let missing = "01j9z3k4w5x6y7z8a9b0c1d2e3".parse().unwrap();
    assert_eq!(admin.terminal_token_create(&missing).await.err().unwrap().status, 404);
    let malformed = admin.raw(Method::POST, "/api/terminal/token").json(&json!({"workspace_id": random_secret()}));
    assert_eq!(malformed.send().await.unwrap().status(), 400);
}
