//! A workspace as a person sees it: opened, typed into, left and come back to, stopped and started.

use ids::WorkspaceState;
use testkit::{Browser, GitServer, Page};

use crate::{BUILD, server};

const PASSWORD: &str = "correct horse battery";

/// What the terminals on the page show.
const SCREEN: &str = "[...document.querySelectorAll('[data-testid=terminal]')].filter((it) => it.offsetWidth > 0).map((it) => it.querySelector('.xterm-rows')?.innerText ?? '').join('\\n')";

pub(crate) async fn state_is(page: &Page, state: &str) {
    let js = format!("document.querySelector('[data-testid=workspace-state]')?.dataset.state === '{state}'");
    page.wait_for(&js, BUILD).await;
}

/// Waits for a terminal that can be typed into, which has the focus then.
pub(crate) async fn terminal(page: &Page) {
    let open = "[...document.querySelectorAll('[data-testid=terminal]')].some((it) => it.offsetWidth > 0 && it.dataset.link === 'open')";
    page.wait_for(open, BUILD).await;
    page.wait_for("document.activeElement?.classList.contains('xterm-helper-textarea')", BUILD).await;
    page.wait_for(&format!("{SCREEN}?.trim()"), BUILD).await;
}

pub(crate) async fn shows(page: &Page, text: &str) {
    page.wait_for(&format!("{SCREEN}?.includes('{text}')"), BUILD).await;
}

pub(crate) async fn run(page: &Page, command: &str) {
    page.type_text(command).await;
    page.press("Enter").await;
}

async fn overflow(page: &Page) -> serde_json::Value {
    page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_opened_typed_into_left_stopped_started_and_deleted() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("site", "static-site");
    let server = server().git_allow(git.host()).start().await;
    let admin = server.client();
    admin.setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    let create = api::ProjectCreate { name: "site".into(), repo_url: Some(repo.url().into()), ..Default::default() };
    admin.project_create(&create).await.unwrap();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 860).await;
    page.sign_in(&server.api_url(), "ada", PASSWORD).await;

    page.goto(&format!("{}/workspaces", server.api_url())).await;
    page.wait_for_text("Open your first workspace", BUILD).await;
    page.click("[data-testid=new-workspace]").await;
    page.fill("input[placeholder='fix/login']", "try/this").await;
    page.click("[data-testid=create-workspace]").await;
    page.wait_for("document.querySelector('[data-testid=boot-steps], [data-testid=desk]')", BUILD).await;
    state_is(&page, "running").await;
    terminal(&page).await;
    run(&page, "git branch --show-current; ls").await;
    shows(&page, "try/this").await;
    shows(&page, "index.html").await;
    run(&page, "echo kept > note.txt; echo answer-$((6*7))").await;
    shows(&page, "answer-42").await;
    page.screenshot("workspaces-1-terminal").await;

    // The terminal goes on while nobody looks.
    let address = page.url().await;
    run(&page, "sleep 1; echo went-$((40-1))").await;
    page.goto(&format!("{}/workspaces", server.api_url())).await;
    page.wait_for("document.querySelectorAll('[data-testid=workspace]').length === 1", BUILD).await;
    page.screenshot("workspaces-2-list").await;
    page.goto(&address).await;
    terminal(&page).await;
    shows(&page, "answer-42").await;
    shows(&page, "went-39").await;
    assert_eq!(page.eval("document.querySelectorAll('[data-testid=terminal-tab]').length").await, 1);

    // Two of them side by side.
    page.click("[data-testid=split-terminal]").await;
    page.wait_for("document.querySelectorAll('[data-testid=terminal][data-link=open]').length === 2", BUILD).await;
    page.wait_for("document.querySelectorAll('[data-testid=terminal-tab]').length === 2", BUILD).await;
    page.screenshot("workspaces-3-split").await;
    page.resize(390, 800).await;
    assert_eq!(overflow(&page).await, 0, "the page fits a phone");
    page.screenshot("workspaces-4-phone").await;
    page.resize(1280, 860).await;

    page.click("[data-testid=stop-workspace]").await;
    page.click("[data-testid=stop-confirm]").await;
    state_is(&page, "stopped").await;
    page.screenshot("workspaces-5-stopped").await;
    page.click("[data-testid=restart-workspace]").await;
    state_is(&page, "running").await;
    terminal(&page).await;
    run(&page, "cat note.txt; git status --short").await;
    shows(&page, "?? note.txt").await;

    page.click("[data-testid=workspace-info]").await;
    page.wait_for("document.querySelectorAll('[role=dialog] [data-testid=metrics] canvas').length === 3", BUILD).await;
    let api::Workspace { id, name, .. } = admin.workspace_list("").await.unwrap().remove(0);
    let used = admin.workspace_metrics(&id, "10m").await.unwrap().processes;
    assert_eq!(used.iter().map(|it| it.process.as_str()).collect::<Vec<_>>(), ["workspace"]);
    assert!(used[0].samples.iter().all(|sample| sample.memory_bytes > 1 << 20), "{used:?}");
    page.screenshot("workspaces-7-info").await;
    page.click_text("button", "Delete…").await;
    page.fill("[role=alertdialog] input", &name).await;
    page.click("[data-testid=delete-confirm]").await;
    page.wait_for_text("Open your first workspace", BUILD).await;
    // The page that was left may just have asked for it once more.
    let errors =
        page.errors().into_iter().filter(|error| !(error.contains("404") && error.contains("/api/workspaces/")));
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_to_sleep_says_so_is_kept_awake_and_woken() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("site", "static-site");
    let server = server().git_allow(git.host()).start().await;
    let ada = server.client();
    ada.setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    let create = api::ProjectCreate { name: "site".into(), repo_url: Some(repo.url().into()), ..Default::default() };
    let project = ada.project_create(&create).await.unwrap().project.id;
    let create = api::WorkspaceCreate {
        project_id: project.to_string(),
        idle_timeout_seconds: Some(20),
        ..api::WorkspaceCreate::default()
    };
    let workspace = ada.workspace_create(&create).await.unwrap();
    ada.workspace_in(&workspace.id, WorkspaceState::Running).await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 860).await;
    page.sign_in(&server.api_url(), "ada", PASSWORD).await;
    let address = format!("{}/workspaces/{}", server.api_url(), workspace.id);
    page.goto(&address).await;
    terminal(&page).await;
    run(&page, "sleep 1000").await;
    let menu = "document.querySelector('[data-testid=sleep-menu]')";
    page.wait_for(&format!("{menu}?.textContent.includes('Sleeps in ')"), BUILD).await;
    page.click("[data-testid=sleep-menu]").await;
    let reason = "document.querySelector('[data-testid=sleep-reason]')?.textContent";
    page.wait_for(&format!("{reason}?.includes('nothing was typed')"), BUILD).await;
    page.screenshot("sleep-1-menu").await;
    page.press("Escape").await;

    // The warning, on every page.
    let banner = "document.querySelector('[data-testid=sleep-banner]')";
    page.wait_for(banner, BUILD).await;
    page.screenshot("sleep-2-banner").await;
    page.resize(390, 800).await;
    page.color_scheme(testkit::ColorScheme::Dark).await;
    assert_eq!(overflow(&page).await, 0, "the page fits a phone");
    page.screenshot("sleep-3-phone-dark").await;
    page.click("[data-testid=stay-until-done]").await;
    page.wait_for(&format!("!{banner} && {menu}?.textContent.includes('Kept awake')"), BUILD).await;
    page.resize(1280, 860).await;
    page.color_scheme(testkit::ColorScheme::Light).await;
    page.click("[data-testid=sleep-menu]").await;
    page.wait_for(&format!("{reason}?.includes('sleep 1000')"), BUILD).await;
    page.screenshot("sleep-4-kept").await;
    page.press("Escape").await;
    let kept = ada.workspace_get(&workspace.id).await.unwrap().idle.unwrap();
    assert_eq!(kept.kept_awake_by.unwrap().command.as_deref(), Some("sleep 1000"));

    page.click("[data-testid=sleep-menu]").await;
    page.click("[data-testid=let-sleep]").await;
    page.goto(&format!("{}/projects", server.api_url())).await;
    page.wait_for(banner, BUILD).await;
    page.screenshot("sleep-5-elsewhere").await;
    ada.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    page.goto(&address).await;
    state_is(&page, "stopped").await;
    page.wait_for_text("Asleep", BUILD).await;
    page.wait_for(&format!("!{banner}"), BUILD).await;
    page.screenshot("sleep-6-asleep").await;
    page.eval("document.querySelector('[data-testid=restart-workspace]').focus()").await;
    page.press("Enter").await;
    terminal(&page).await;
    page.click("[data-testid=workspace-info]").await;
    page.wait_for_text("Whatever runs then", BUILD).await;
    page.screenshot("sleep-7-settings").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
