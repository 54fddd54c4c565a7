//! Notification channels in a real browser. Screenshots go to the artifacts.

use testkit::{Browser, ColorScheme, PATIENCE, Page, Receiver};

use crate::apps::{archive, deploy_failing, project};
use crate::server;

async fn overflow(page: &Page) -> serde_json::Value {
    page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await
}

async fn outcome_is(page: &Page, ok: bool) {
    page.wait_for(&format!("document.querySelector('[data-testid=test-outcome]')?.dataset.ok === '{ok}'"), PATIENCE)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_added_tested_and_seen_to_tell() {
    let receiver = Receiver::start().await;
    let server = server().notification_allow(receiver.host()).start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let shop = project(&client, "shop").await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.click("nav[aria-label=Main] a[href='/notifications']").await;
    page.wait_for_text("Nobody is told of anything yet", PATIENCE).await;
    page.screenshot("notifications-1-empty").await;

    page.click("[data-testid=add-channel]").await;
    page.click("[data-testid=channel-form] button[type=submit]").await;
    page.wait_for_text("Give the channel a name.", PATIENCE).await;
    page.screenshot("notifications-2-missing").await;
    page.fill_field("Name", "Ops team").await;
    page.fill_field("Webhook URL", "https://10.0.0.1/services/x").await;
    page.click("[data-testid=channel-form] button[type=submit]").await;
    page.wait_for_text("lies in a private range", PATIENCE).await;
    page.screenshot("notifications-3-refused").await;
    page.fill_field("Webhook URL", &receiver.slack_url()).await;
    page.click("[data-testid=channel-form] button[type=submit]").await;
    page.wait_for_text("Ops team is there", PATIENCE).await;
    receiver.answer_with(404, &[], "no_service", 1);
    page.click("[role=dialog] [data-testid=send-test]").await;
    outcome_is(&page, false).await;
    page.wait_for_text("no_service", PATIENCE).await;
    page.screenshot("notifications-4-test-failed").await;
    page.click("[role=dialog] [data-testid=send-test]").await;
    outcome_is(&page, true).await;
    page.screenshot("notifications-5-test-passed").await;
    page.press("Escape").await;

    // Told by the event stream, without a reload.
    receiver.answer_with(503, &[("retry-after", "3600")], "down for a while", 1);
    deploy_failing(&client, &shop, archive(&[("README.md", "x")])).await;
    page.wait_for("document.querySelector('[data-testid=delivery-state]')?.dataset.state === 'pending'", PATIENCE)
        .await;
    page.wait_for_text("down for a while", PATIENCE).await;
    page.screenshot("notifications-6-trying-again").await;
    page.click("[data-testid=channel] a").await;
    page.wait_for_text("next in", PATIENCE).await;
    page.screenshot("notifications-7-channel").await;
    page.click("[data-testid=retry-delivery]").await;
    page.wait_for("document.querySelector('[data-testid=delivery-state]')?.dataset.state === 'delivered'", PATIENCE)
        .await;
    assert!(!page.eval("document.body.innerHTML").await.as_str().unwrap().contains("/services/"));

    page.click("[data-testid=edit-channel]").await;
    page.fill_field("Name", "Operations").await;
    page.click("[data-testid=channel-form] button[type=submit]").await;
    page.wait_for("document.querySelector('h1')?.innerText.includes('Operations')", PATIENCE).await;
    page.click("[data-testid=switch-channel]").await;
    page.wait_for_text("It is switched off", PATIENCE).await;
    page.color_scheme(ColorScheme::Dark).await;
    page.resize(390, 800).await;
    assert_eq!(overflow(&page).await, 0, "the channel fits a phone");
    page.screenshot("notifications-8-phone-dark").await;
    page.goto(&format!("{}/notifications", server.api_url())).await;
    page.wait_for_text("switched off", PATIENCE).await;
    assert_eq!(overflow(&page).await, 0, "the list fits a phone");
    page.screenshot("notifications-9-phone-list").await;
    page.click("[data-testid=add-channel]").await;
    page.click("[data-testid=kind-email]").await;
    page.screenshot("notifications-10-phone-email").await;
    page.click("[data-testid=kind-webhook]").await;
    page.screenshot("notifications-11-phone-webhook").await;
    page.press("Escape").await;
    page.resize(1280, 900).await;
    page.click("[data-testid=channel] a").await;
    page.click("[data-testid=remove-channel]").await;
    page.click("[data-testid=remove-confirm]").await;
    page.wait_for_text("Nobody is told of anything yet", PATIENCE).await;
    page.screenshot("notifications-12-removed-dark").await;
    // The refused address is the one request that shall have failed.
    let errors = page.errors().into_iter().filter(|error| !error.contains("400")).collect::<Vec<_>>();
    assert_eq!(errors, Vec::<String>::new());
}
