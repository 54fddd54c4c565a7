//! The server's page, as a person sees it.

use serde_json::json;
use testkit::{Browser, ColorScheme};

use super::{append, python};
use crate::{BUILD, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_filters_and_follows_what_a_machine_logs() {
    let directory = tempfile::tempdir().unwrap();
    let lines = (0..320).map(|n| python(n / 10, &format!("step {n} of the machine's first start"))).collect::<String>();
    append(directory.path(), "cloud-init.log", &lines);
    let warning = "2024-06-04 08:22:40,000 - util.py[WARNING]: no swap was made\n";
    append(directory.path(), "cloud-init.log", warning);
    let server = server().config(json!({"machine_logs": {"cloud_init_dir": directory.path()}}));
    let server = server.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").start().await;
    let admin = server.client();
    admin.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let node = admin.nodes().await.unwrap().remove(0).id;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 1000).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.goto(&format!("{}/servers/{node}", server.api_url())).await;
    page.wait_for("document.querySelector('[data-testid=system-info]')?.innerText.includes('Kernel')", BUILD).await;
    let says = async |text: &str| {
        let js = format!("document.querySelector('[data-testid=machine-log]')?.innerText.includes({text:?})");
        page.wait_for(&js, BUILD).await;
    };
    says("no swap was made").await;
    page.wait_for("document.querySelector('[data-testid=machine-log-state]')?.innerText === 'Live'", BUILD).await;
    page.screenshot("machine-1-page").await;
    let to_logs = "document.querySelector('[data-testid=machine-log]').scrollIntoView({block: 'center'})";
    page.eval(to_logs).await;
    page.screenshot("machine-2-logs").await;
    // Older lines come before, page by page, until there are none.
    page.choose("select[aria-label=Source]", "cloud-init").await;
    says("step 319").await;
    page.click("[data-testid=machine-log-older]").await;
    says("step 50 ").await;
    page.click("[data-testid=machine-log-older]").await;
    says("step 0 ").await;
    page.wait_for("document.querySelector('[data-testid=machine-log-older]') === null", BUILD).await;
    assert_eq!(page.count("[data-testid=machine-log-line]").await, 321);
    // What comes is there at once.
    append(directory.path(), "cloud-init.log", &python(59, "step 320 comes"));
    says("step 320 comes").await;
    page.choose("select[aria-label=Level]", "Warnings and worse").await;
    page.wait_for("document.querySelectorAll('[data-testid=machine-log-line]').length === 1", BUILD).await;
    page.choose("select[aria-label=Level]", "Information and worse").await;
    page.fill("[aria-label='Search the logs']", "STEP 12").await;
    page.wait_for("document.querySelectorAll('[data-testid=machine-log-line]').length === 11", BUILD).await;
    page.fill("[aria-label='Search the logs']", "nobody wrote this").await;
    says("No line matches").await;
    page.choose("select[aria-label=Source]", "Containers").await;
    page.wait_for(
        "document.querySelector('[data-testid=machine-log-unavailable]')?.innerText.includes('Docker')",
        BUILD,
    )
    .await;
    page.fill("[aria-label='Search the logs']", "").await;
    page.choose("select[aria-label=Source]", "cloud-init").await;
    says("step 320 comes").await;
    page.resize(390, 800).await;
    page.color_scheme(ColorScheme::Dark).await;
    page.eval(to_logs).await;
    page.screenshot("machine-3-phone-dark").await;
    let overflow =
        page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await;
    assert_eq!(overflow, 0, "the page fits a phone");
    page.eval("document.querySelector('[data-testid=system-info]').scrollIntoView()").await;
    page.screenshot("machine-4-phone-system").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
