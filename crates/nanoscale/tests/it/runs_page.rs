//! Workers, schedules and commands as a person sees them.

use testkit::Browser;

use crate::apps::{archive, deploy, project};
use crate::{BUILD, server};

const PROCFILE: &str = "web: python3 -m http.server $PORT --bind 127.0.0.1
worker: sh -c 'while true; do sleep 1; done'
cron-beat: 0 3 * * * sh -c 'echo a beat; sleep 1; echo the end'
";

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_run_now_and_its_log_and_outcome_appear() {
    let server = server().start().await;
    let admin = server.client();
    admin.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let id = project(&admin, "clock").await;
    deploy(&admin, &id, archive(&[("index.html", "tick"), ("Procfile", PROCFILE)])).await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 860).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;

    page.goto(&format!("{}/projects/{id}", server.api_url())).await;
    let both = "document.querySelectorAll('[data-testid=process-state][data-state=ready]').length === 2";
    page.wait_for(both, BUILD).await;
    page.screenshot("runs-1-overview").await;

    page.goto(&format!("{}/projects/{id}/runs", server.api_url())).await;
    page.wait_for_text("At 03:00 (UTC)", BUILD).await;
    page.click("[data-testid=run-now]").await;
    page.wait_for("document.querySelector('[data-testid=run-log]')?.innerText.includes('a beat')", BUILD).await;
    // Told by the event stream, without a reload.
    page.wait_for("document.querySelector('[data-testid=run-state]')?.dataset.state === 'succeeded'", BUILD).await;
    page.wait_for("document.querySelector('[data-testid=run-log]')?.innerText.includes('the end')", BUILD).await;
    page.screenshot("runs-2-log").await;

    page.goto(&format!("{}/projects/{id}/runs", server.api_url())).await;
    page.click("[data-testid=run-command]").await;
    page.fill_field("Command", "sh -c 'echo broken; exit 7'").await;
    page.click("[data-testid=run-start]").await;
    page.wait_for("document.querySelector('[data-testid=run-state]')?.dataset.state === 'failed'", BUILD).await;
    page.wait_for_text("exit code 7", BUILD).await;

    page.goto(&format!("{}/projects/{id}/runs", server.api_url())).await;
    page.click("[data-testid=add-schedule]").await;
    page.fill_field("Name", "nightly").await;
    page.fill_field("Schedule", "0 25 * * *").await;
    page.fill_field("Command", "true").await;
    page.click("[data-testid=schedule-save]").await;
    page.wait_for("document.querySelector('[data-testid=schedule-form] [aria-invalid]')", BUILD).await;
    page.fill_field("Schedule", "@daily").await;
    page.click("[data-testid=schedule-save]").await;
    page.wait_for("document.querySelectorAll('[data-testid=schedule]').length === 2", BUILD).await;
    page.click("[data-testid=schedule-enabled]").await;
    page.wait_for_text("switched off", BUILD).await;
    page.screenshot("runs-3-schedules").await;
    page.resize(390, 800).await;
    let overflow =
        page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await;
    assert_eq!(overflow, 0, "the page fits a phone");
    page.screenshot("runs-4-phone").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
