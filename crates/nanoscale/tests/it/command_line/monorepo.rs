//! Deploying a project of a monorepo only when something of it changed.

use serde_json::Value;
use testkit::GitServer;

use super::{shell, text};
use crate::server;

#[tokio::test]
async fn a_redeploy_says_what_changed_or_that_nothing_did() {
    let git = GitServer::start().await;
    let server = server().git_allow(git.host()).start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let repo = git.repo("mono");
    repo.write("packages/shop/index.html", "shop 1").commit("One package");

    let root = ["--repo", repo.url(), "--root", "packages/shop"];
    let create =
        [&["project", "create", "shop"], &root[..], &["--watch", "packages/shop/**", "--watch", "*.lock"]].concat();
    let created = shell.run(here, &create).await;
    assert!(created.status.success(), "{}", text(&created));
    let shown = text(&shell.run(here, &["project", "show", "shop"]).await);
    assert!(shown.contains("packages/shop/**, *.lock"), "{shown}");

    repo.commit_file("README.md", "Hello", "Say hello");
    let again = shell.run(here, &["redeploy", "shop", "--if-changed"]).await;
    assert!(again.status.success(), "{}", text(&again));
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(
        said.starts_with("Nothing to deploy: nothing that matches packages/shop/**, *.lock changed between"),
        "{said}"
    );
    let json = shell.run(here, &["redeploy", "shop", "--if-changed", "--json"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["deployed"], false);

    let bad = shell.run(here, &["project", "update", "shop", "--watch", "packages/[shop"]).await;
    assert!(!bad.status.success() && text(&bad).contains("`packages/[shop` cannot be watched"), "{}", text(&bad));
    let update = shell.run(here, &["project", "update", "shop", "--no-watch"]).await;
    assert!(update.status.success() && !text(&update).contains("*.lock"), "{}", text(&update));

    repo.commit_file("packages/shop/index.html", "shop 2", "Another shop");
    let deployed = shell.run(here, &["redeploy", "shop", "--if-changed"]).await;
    assert!(deployed.status.success(), "{}", text(&deployed));
    assert!(text(&deployed).contains("→ watch: `packages/shop/index.html` changed between"), "{}", text(&deployed));
}
