//! What a person shares of a workspace in the dashboard, and what others see of it.

use testkit::{Browser, ColorScheme, Page};

use crate::{BUILD, Stand};

const PHONE: (u32, u32) = (390, 800);
const DESK: (u32, u32) = (1280, 860);

/// What the terminal that is watched, or the first one in view, shows.
const SCREEN: &str = "[...document.querySelectorAll('.xterm-rows')].find((it) => it.offsetWidth > 0)?.innerText ?? ''";

async fn shows(page: &Page, text: &str) {
    page.wait_for(&format!("({SCREEN}).includes('{text}')"), BUILD).await;
}

async fn run(page: &Page, command: &str) {
    page.type_text(command).await;
    page.press("Enter").await;
}

/// What was changed is on the screen.
async fn drawn(page: &Page) {
    page.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))").await;
    page.wait_for("document.getAnimations().every((it) => it.playState !== 'running')", BUILD).await;
}

/// In both themes and as wide as a phone, and that it fits there.
async fn pictures(page: &Page, name: &str) {
    page.screenshot(format!("{name}-light")).await;
    page.color_scheme(ColorScheme::Dark).await;
    drawn(page).await;
    page.screenshot(format!("{name}-dark")).await;
    page.color_scheme(ColorScheme::Light).await;
    page.resize(PHONE.0, PHONE.1).await;
    drawn(page).await;
    let over = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(over).await, 0, "{name} fits a phone");
    page.screenshot(format!("{name}-phone")).await;
    page.resize(DESK.0, DESK.1).await;
    drawn(page).await;
}

/// A signed-in browser in a terminal that can be typed into.
async fn desk(stand: &Stand, browser: &Browser, workspace: &api::Workspace) -> Page {
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    page.sign_in(&stand.server.api_url(), "admin", &stand.password).await;
    page.goto(&format!("{}/workspaces/{}", stand.server.api_url(), workspace.id)).await;
    page.wait_for("document.activeElement?.classList.contains('xterm-helper-textarea')", BUILD).await;
    page.wait_for(&format!("({SCREEN}).trim()"), BUILD).await;
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_opened_by_link_and_closed_again() {
    let stand = Stand::new().await;
    let browser = Browser::start().await;
    let workspace = stand.open().await;
    let page = desk(&stand, &browser, &workspace).await;
    page.click("[data-testid=ports]").await;
    page.wait_for("document.querySelector('[data-testid=no-ports]')", BUILD).await;
    pictures(&page, "sharing-1-no-ports").await;
    page.press("Escape").await;
    page.wait_for("document.activeElement?.dataset.testid === 'ports'", BUILD).await;
    page.click("[data-testid=terminal]").await;
    run(&page, "python3 -m http.server 8123 --bind 127.0.0.1").await;
    shows(&page, "Serving HTTP").await;

    page.click("[data-testid=ports]").await;
    let access = |now: &str| format!("document.querySelector('[data-testid=port-access]')?.dataset.access === '{now}'");
    page.wait_for(&access("private"), BUILD).await;
    let way_in = page.eval("document.querySelector('[data-testid=workspace-port]').getAttribute('href')").await;
    assert!(way_in.as_str().unwrap().ends_with("/ports/8123/open"), "{way_in}");
    page.click("[data-testid=port-access]").await;
    pictures(&page, "sharing-2-access").await;
    page.click("[data-testid=access-link]").await;
    page.wait_for("document.activeElement?.dataset.testid === 'confirm-access'", BUILD).await;
    page.screenshot("sharing-3-question").await;
    page.press("Enter").await;
    page.wait_for(&access("link"), BUILD).await;
    let link = page.text("[data-testid=port-link]").await;
    pictures(&page, "sharing-4-link").await;

    // Who has it needs no account.
    let other = browser.page().await;
    other.goto(&link).await;
    other.wait_for_text("README.md", BUILD).await;

    page.click("[data-testid=port-access]").await;
    page.click("[data-testid=access-private]").await;
    page.wait_for(&access("private"), BUILD).await;
    other.goto(&link).await;
    other.wait_for("!document.body.innerText.includes('README.md')", BUILD).await;
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_watched_by_a_link_until_that_is_taken_back() {
    let stand = Stand::new().await;
    let browser = Browser::start().await;
    let workspace = stand.open().await;
    let page = desk(&stand, &browser, &workspace).await;
    run(&page, "echo before-$((40+2))").await;
    shows(&page, "before-42").await;
    page.click("[data-testid=terminal-menu]").await;
    page.click("[data-testid=share-terminal]").await;
    page.choose("[data-testid=link-lifetime]", "7 days").await;
    page.click("[data-testid=make-link]").await;
    let link = page.text("[data-testid=terminal-link-url]").await;
    page.wait_for("document.querySelector('[data-testid=terminal-link]')", BUILD).await;
    pictures(&page, "sharing-5-terminal").await;
    page.press("Escape").await;

    let other = browser.page().await;
    other.resize(DESK.0, DESK.1).await;
    other.goto(&link).await;
    shows(&other, "before-42").await;
    other.wait_for_text("7 days", BUILD).await;
    page.wait_for("document.activeElement?.classList.contains('xterm-helper-textarea')", BUILD).await;
    run(&page, "ls --color=always /usr | head; printf 'now-%s\\n' $((6*7))").await;
    shows(&other, "now-42").await;
    // Typing there does nothing: had it come through, it would stand before what its owner types next.
    other.click("[data-testid=watched] .xterm").await;
    run(&other, "stranger").await;
    run(&page, "echo after-$((6*7))").await;
    shows(&other, "after-42").await;
    assert_eq!(other.eval(&format!("({SCREEN}).includes('stranger')")).await, false);
    pictures(&other, "sharing-6-watched").await;
    other.resize(PHONE.0, PHONE.1).await;
    other.click("[data-testid=readable]").await;
    drawn(&other).await;
    other.screenshot("sharing-6-watched-phone-readable").await;
    assert_eq!(other.errors(), Vec::<String>::new());

    page.click("[data-testid=terminal-menu]").await;
    page.click("[data-testid=share-terminal]").await;
    page.click("[data-testid=take-back]").await;
    other.wait_for("document.querySelector('[data-testid=link-not-good]')", BUILD).await;
    pictures(&other, "sharing-7-taken-back").await;
    page.wait_for("!document.querySelector('[data-testid=terminal-link]')", BUILD).await;
    page.screenshot("sharing-8-no-links").await;

    // By another link they see how it ends.
    page.click("[data-testid=make-link]").await;
    let link = page.text("[data-testid=terminal-link-url]").await;
    page.press("Escape").await;
    page.wait_for("document.activeElement?.classList.contains('xterm-helper-textarea')", BUILD).await;
    let last = browser.page().await;
    last.resize(DESK.0, DESK.1).await;
    last.goto(&link).await;
    shows(&last, "after-42").await;
    run(&page, "exit 3").await;
    last.wait_for_text("It ended with exit code 3.", BUILD).await;
    pictures(&last, "sharing-8-ended").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_in_a_project_is_told_as_it_happens() {
    let stand = Stand::new().await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    page.sign_in(&stand.server.api_url(), "admin", &stand.password).await;
    page.goto(&format!("{}/projects/{}/activity", stand.server.api_url(), stand.project)).await;
    page.wait_for("document.querySelector('[data-testid=activity-kind]')", BUILD).await;
    let workspace = stand.open().await;
    let told = |kind: &str| format!("document.querySelector('[data-testid=activity][data-kind=\"{kind}\"]')");
    page.wait_for(&told("workspace.created"), BUILD).await;
    stand.client.workspace_stop(&workspace.id).await.unwrap();
    page.wait_for(&told("workspace.stopped"), BUILD).await;
    pictures(&page, "sharing-9-activity").await;

    page.choose("[data-testid=activity-kind]", "Workspaces created").await;
    page.wait_for(&format!("!{} && {}", told("workspace.stopped"), told("workspace.created")), BUILD).await;
    page.click("[data-testid=activity] a").await;
    page.wait_for_text("What happened", BUILD).await;
    page.wait_for(&told("workspace.stopped"), BUILD).await;
    pictures(&page, "sharing-10-workspace").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
