//! What builds keep for later ones: how much it may be, what goes, and who sees it.

use ids::{NodeId, ProjectId};
use serde_json::json;
use testkit::{Browser, Client, PATIENCE, TestServer, wait_some, wait_until};

use crate::apps::{deploy, node_app, project_with};
use crate::{BUILD, server};

const MEGABYTE: u64 = 1 << 20;

/// A project whose every build leaves so much in its cache, and says what it found there.
async fn hoarder(client: &Client, name: &str, megabytes: u64, seconds: &str) -> ProjectId {
    let build = format!(
        "sh -c 'ls $XDG_CACHE_HOME; sleep {seconds}; head -c {megabytes}M /dev/zero > $XDG_CACHE_HOME/of-{name}'"
    );
    let create = api::ProjectCreate { name: name.into(), build_command: Some(build), ..Default::default() };
    project_with(client, create).await
}

async fn node(client: &Client) -> NodeId {
    client.nodes().await.unwrap()[0].id.clone()
}

fn names(caches: &[api::BuildCache]) -> Vec<&str> {
    caches.iter().filter_map(|cache| cache.project_name.as_deref()).collect()
}

/// The caches, once those of these projects are there and measured.
async fn measured(client: &Client, wanted: &[&str]) -> api::BuildCacheList {
    let node = node(client).await;
    wait_some(&format!("{wanted:?} have caches"), PATIENCE, async || {
        let list = client.caches(&node).await.unwrap();
        let mut found = names(&list.caches);
        found.sort_unstable();
        (found == wanted).then_some(list)
    })
    .await
}

fn on_disk(server: &TestServer, id: &ProjectId) -> bool {
    let cache = server.data_dir().join("node/groups").join(id.as_str()).join("cache");
    std::fs::read_dir(cache).is_ok_and(|mut entries| entries.next().is_some())
}

#[tokio::test]
async fn caches_are_kept_below_their_limit() {
    let server = server().config(json!({"limits": {"cache_mb": 24, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let cheap = hoarder(&client, "cheap", 10, "0").await;
    let dear = hoarder(&client, "dear", 10, "3").await;
    deploy(&client, &dear, node_app("1")).await;
    deploy(&client, &cheap, node_app("1")).await;
    let list = measured(&client, &["cheap", "dear"]).await;
    assert_eq!(list.limit_bytes, 24 * MEGABYTE);
    assert!((20 * MEGABYTE..22 * MEGABYTE).contains(&list.bytes), "{list:?}");
    let of = |name: &str| list.caches.iter().find(|cache| cache.project_name.as_deref() == Some(name)).unwrap();
    assert!(of("dear").rebuild_seconds.unwrap() >= 3.0 && of("cheap").rebuild_seconds.unwrap() < 3.0, "{list:?}");
    assert!(of("dear").last_used_at < of("cheap").last_used_at, "{list:?}");
    // What was used last, and is made again at once, has to be a little older to go before the other one.
    wait_until("the cheap one would go first", PATIENCE, async || {
        measured(&client, &["cheap", "dear"]).await.would_free.first() == Some(&cheap)
    })
    .await;
    let third = hoarder(&client, "third", 10, "0").await;
    deploy(&client, &third, node_app("1")).await;
    measured(&client, &["dear", "third"]).await;
    assert!(!on_disk(&server, &cheap) && on_disk(&server, &dear) && on_disk(&server, &third));

    // The next build begins with nothing, and the one after it with what that one kept.
    let cold = deploy(&client, &cheap, node_app("2")).await;
    let says = async |deployment: &api::Deployment| {
        client.log(&deployment.id).await.unwrap().iter().any(|line| line.text == "of-cheap")
    };
    assert!(!says(&cold).await);
    // One that is larger than all may be goes, too.
    let huge = hoarder(&client, "huge", 30, "0").await;
    deploy(&client, &huge, node_app("1")).await;
    wait_until("it is gone", PATIENCE, async || !on_disk(&server, &huge)).await;
}

#[tokio::test]
async fn caches_are_shown_pruned_and_cleared() {
    let mut server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let (one, two) = (hoarder(&client, "one", 4, "0").await, hoarder(&client, "two", 6, "0").await);
    deploy(&client, &one, node_app("1")).await;
    deploy(&client, &two, node_app("1")).await;
    let before = measured(&client, &["one", "two"]).await;
    // What is known of them is known to the next life as well.
    server.kill();
    server.restart().await;
    let list = measured(&client, &["one", "two"]).await;
    let facts = |list: &api::BuildCacheList| {
        let fact = |cache: &api::BuildCache| (cache.project_id.clone(), cache.last_used_at.clone(), cache.bytes);
        let mut facts = list.caches.iter().map(fact).collect::<Vec<_>>();
        facts.sort();
        facts
    };
    assert_eq!(facts(&before), facts(&list));
    let node = node(&client).await;
    let prune = |dry_run, bytes| api::BuildCachePrune { dry_run, bytes, project_id: None };
    let would = client.cache_prune(&node, &prune(true, None)).await.unwrap();
    assert_eq!((would.freed.len(), would.bytes, would.dry_run), (2, list.bytes, true));
    assert!(on_disk(&server, &one) && on_disk(&server, &two));
    let some = client.cache_prune(&node, &prune(true, Some(1))).await.unwrap();
    assert_eq!(some.freed.len(), 1);

    // One that a build works with stays.
    let busy = hoarder(&client, "busy", 1, "86400").await;
    let update = api::ProjectUpdate {
        build_command: Some("sh -c 'echo x > $XDG_CACHE_HOME/x; sleep 86400'".into()),
        ..api::ProjectUpdate::default()
    };
    client.project_update(&two, &update).await.unwrap();
    let building = client.upload(&two, node_app("2")).await.unwrap();
    wait_until("it is in use", PATIENCE, async || client.project_cache(&two).await.unwrap().in_use).await;
    assert_eq!(client.project_cache_clear(&two).await.unwrap_err().code(), "CACHE_IN_USE");
    let freed = client.cache_prune(&node, &prune(false, None)).await.unwrap();
    assert_eq!(names(&freed.freed), ["one"]);
    assert!(!on_disk(&server, &one) && on_disk(&server, &two));
    client.deployment_cancel(&building.id).await.unwrap();
    wait_until("it is cleared", PATIENCE, async || match client.project_cache_clear(&two).await {
        Ok(cleared) => cleared.bytes >= 6 * MEGABYTE,
        Err(failure) => panic_unless(failure.code() == "CACHE_IN_USE"),
    })
    .await;
    assert!(!on_disk(&server, &two));
    assert_eq!(client.project_cache(&two).await.unwrap().bytes, 0);
    assert_eq!(client.project_cache_clear(&busy).await.unwrap().freed, []);

    let none = api::BuildCachePrune { project_id: Some("none".into()), ..api::BuildCachePrune::default() };
    assert_eq!(client.cache_prune(&node, &none).await.unwrap_err().code(), "NOT_FOUND");
    assert_eq!(client.caches("01j9z3k4w5x6y7z8a9b0c1d2e3").await.unwrap_err().code(), "NOT_FOUND");
    let both = api::BuildCachePrune { project_id: Some("one".into()), bytes: Some(1), dry_run: true };
    assert_eq!(client.cache_prune(&node, &both).await.unwrap_err().code(), "INVALID_REQUEST");
}

fn panic_unless(expected: bool) -> bool {
    assert!(expected);
    false
}

/// A build that outgrows its disk because of its cache begins with an empty one the next time.
#[tokio::test]
async fn a_cache_that_leaves_its_build_no_room_is_cleared() {
    let server = server().config(json!({"limits": {"build_disk_mb": 64, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let id = hoarder(&client, "full", 80, "3").await;
    // Counted while the build sleeps the next time.
    let first = client.upload(&id, node_app("1")).await.unwrap();
    let first = client.wait_settled(&first.id, BUILD).await;
    if first.failure_code.is_none() {
        let second = client.upload(&id, node_app("2")).await.unwrap();
        assert_eq!(client.wait_settled(&second.id, BUILD).await.failure_code.as_deref(), Some("DISK_FULL"));
    }
    wait_until("the cache is cleared", PATIENCE, async || !on_disk(&server, &id)).await;
    let update = api::ProjectUpdate { build_command: Some("true".into()), ..api::ProjectUpdate::default() };
    client.project_update(&id, &update).await.unwrap();
    deploy(&client, &id, node_app("3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_in_a_browser() {
    let server = server().config(json!({"limits": {"cache_mb": 32, "settle_ms": 0}})).start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let (shop, blog) = (hoarder(&client, "shop", 12, "0").await, hoarder(&client, "blog", 8, "0").await);
    deploy(&client, &shop, node_app("1")).await;
    deploy(&client, &blog, node_app("1")).await;
    measured(&client, &["blog", "shop"]).await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 1400).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;

    page.goto(&format!("{}/servers/{}", server.api_url(), node(&client).await)).await;
    page.wait_for("document.querySelectorAll('[data-testid=cache]').length === 2", PATIENCE).await;
    page.screenshot("caches-1-node").await;
    page.click("[data-testid=prune]").await;
    page.wait_for("document.querySelectorAll('[data-testid=would-free] li').length === 2", PATIENCE).await;
    page.screenshot("caches-2-what-would-be-freed").await;
    page.fill_field("Free at least (MB)", "1").await;
    page.wait_for("document.querySelectorAll('[data-testid=would-free] li').length === 1", PATIENCE).await;
    page.fill_field("Free at least (MB)", "").await;
    page.wait_for("document.querySelectorAll('[data-testid=would-free] li').length === 2", PATIENCE).await;
    page.resize(390, 844).await;
    page.screenshot("caches-3-phone").await;
    page.press("Escape").await;
    let overflow = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(overflow).await, 0, "the page fits a phone");

    page.resize(1280, 1000).await;
    page.goto(&format!("{}/projects/{shop}/settings", server.api_url())).await;
    page.wait_for_text("12.0 MB", PATIENCE).await;
    page.eval("document.querySelector('[data-testid=clear-cache]').scrollIntoView({block: 'center'})").await;
    page.screenshot("caches-4-project").await;
    page.click("[data-testid=clear-cache]").await;
    page.click("[data-testid=clear-cache-confirm]").await;
    page.wait_for("document.querySelector('[data-testid=clear-cache]')?.disabled", PATIENCE).await;
    assert!(!on_disk(&server, &shop) && on_disk(&server, &blog));

    page.goto(&format!("{}/servers/{}", server.api_url(), node(&client).await)).await;
    page.click("[data-testid=prune]").await;
    page.click("[data-testid=prune-confirm]").await;
    page.wait_for_text("Nothing is kept", PATIENCE).await;
    assert!(!on_disk(&server, &blog));
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn caches_go_when_the_disk_runs_out() {
    let mut server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let id = hoarder(&client, "one", 2, "0").await;
    deploy(&client, &id, node_app("1")).await;
    measured(&client, &["one"]).await;
    // More than any disk has, so that none of it is free.
    server.configure(json!({"limits": {"disk_reserve_mb": 1 << 30}}));
    server.restart().await;
    wait_until("it is gone", PATIENCE, async || !on_disk(&server, &id)).await;
    assert_eq!(server.app("one.localhost").get("/").await.unwrap().version(), Some("1"));
}
