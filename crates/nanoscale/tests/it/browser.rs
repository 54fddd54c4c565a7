//! The main job in a real browser: what a person does, and what they see. Screenshots go to the artifacts.

use std::time::Duration;

use testkit::{Browser, GitServer, Page};

use crate::{BUILD, server};

async fn state_is(page: &Page, state: &str) {
    page.wait_for(
        &format!("document.querySelector('[data-testid=deployment-state]')?.dataset.state === '{state}'"),
        BUILD,
    )
    .await;
}

async fn log_says(page: &Page, text: &str) {
    let js = format!("document.querySelector('[data-testid=deployment-log]')?.innerText.includes({text:?})");
    page.wait_for(&js, BUILD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_deploy_break_fix_and_roll_back() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello-node", "hello-node");
    repo.commit_version("1");
    let server = server().git_allow(git.host()).start().await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 860).await;

    // The printed link carries the code in its fragment.
    page.goto(&format!("{}/setup#code={}", server.api_url(), server.setup_code())).await;
    page.wait_for("document.querySelector('[data-testid=setup-form]')", BUILD).await;
    page.fill("input[name=username]", "ada").await;
    page.fill("input[name=password]", "correct horse battery").await;
    page.screenshot("1-setup.png").await;
    page.click("[data-testid=setup-form] button[type=submit]").await;
    page.click("[data-testid=new-project]").await;

    page.fill_field("Git URL", repo.url()).await;
    page.click("form button[type=submit]").await;
    state_is(&page, "live").await;
    log_says(&page, "run: $ node server.js").await;
    page.screenshot("2-live.png").await;
    let project = page.eval("location.pathname.split('/deployments')[0]").await.as_str().unwrap().to_owned();
    assert!(!page.eval("location.href").await.as_str().unwrap().contains(server.setup_code()));

    let visitor = browser.page().await;
    let host = format!("http://hello-node.localhost:{}/", server.edge_addr().port());
    visitor.goto(&host).await;
    visitor.wait_for_text("version=1", BUILD).await;
    let link = page.eval("document.querySelector('[data-testid=open-app]')?.href").await;
    assert_eq!(link, host.as_str());

    // A broken build: the visitor notices nothing.
    repo.write("package.json", r#"{"scripts":{"start":"node server.js","build":"echo about to break && exit 7"}}"#)
        .commit_version("2");
    page.goto(&format!("{}{project}", server.api_url())).await;
    page.click("[data-testid=redeploy]").await;
    page.wait_for("document.querySelector('section[aria-label=\"The last deployment failed\"]')", BUILD).await;
    page.wait_for_text("about to break", BUILD).await;
    page.screenshot("3-failed.png").await;
    visitor.goto(&host).await;
    visitor.wait_for_text("version=1", BUILD).await;

    repo.write("package.json", r#"{"scripts":{"start":"node server.js"}}"#).commit_version("3");
    page.goto(&format!("{}{project}", server.api_url())).await;
    page.click("[data-testid=redeploy]").await;
    // Told by the event stream, without a reload.
    page.wait_for("!document.querySelector('section[aria-label=\"The last deployment failed\"]')", BUILD).await;
    server.app("hello-node.localhost").wait_for_version("3", BUILD).await;
    visitor.goto(&host).await;
    visitor.wait_for_text("version=3", BUILD).await;

    page.goto(&format!("{}{project}/deployments", server.api_url())).await;
    page.click("[data-testid=pin-release]").await;
    page.wait_for("document.querySelector('[data-testid=pinned]')", BUILD).await;
    page.click("[data-testid=rollback-deployment]").await;
    page.wait_for_text("No difference but the code.", BUILD).await;
    page.screenshot("4-before-rollback.png").await;
    page.click("[data-testid=rollback-confirm]").await;
    testkit::wait_until("the first version is back", BUILD, async || {
        server.app("hello-node.localhost").get("/").await.is_ok_and(|reply| reply.text().contains("version=1"))
    })
    .await;
    page.screenshot("4-rolled-back.png").await;

    page.goto(&format!("{}/", server.api_url())).await;
    page.wait_for("document.querySelector('[data-testid=project-status]')?.dataset.state === 'live'", BUILD).await;
    page.screenshot("5-projects.png").await;
    page.press("Control+k").await;
    page.wait_for("document.querySelector('[data-testid=palette]')", Duration::from_secs(5)).await;
    page.resize(390, 800).await;
    page.goto(&format!("{}{project}", server.api_url())).await;
    page.wait_for("document.querySelector('[data-testid=project-status]')", BUILD).await;
    let overflow =
        page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await;
    assert_eq!(overflow, 0, "the page fits a phone");
    page.screenshot("6-phone.png").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
