//! Plots of machines and projects in a real browser. Screenshots go to the artifacts.

use testkit::{Browser, ColorScheme, PATIENCE, Page, wait_until};

use crate::apps::{deploy, node_app_with, project};
use crate::{BUILD, server};

/// Computes for a while now and then.
const BUSY: &str = "setInterval(() => { for (const end = Date.now() + 40; Date.now() < end; ); }, 200);";

async fn overflow(page: &Page) -> serde_json::Value {
    page.eval("Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)").await
}

/// Plots in which something has the colour of the first or second line.
const DRAWN: &str = "[...document.querySelectorAll('[data-testid=metrics] canvas')].filter(canvas => { \
    const brush = document.createElement('canvas').getContext('2d', {willReadFrequently: true}); \
    const colours = ['--accent-strong', '--good'].map(name => { \
      brush.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name); \
      brush.fillRect(0, 0, 1, 1); \
      return brush.getImageData(0, 0, 1, 1).data; }); \
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; \
    const off = (at, [red, green, blue]) => \
      Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue); \
    for (let at = 0; at < data.length; at += 4) \
      if (data[at + 3] > 100 && colours.some(colour => off(at, colour) < 40)) return true; \
    return false; }).length";

/// What a screen reader hears of the plots.
const HEARD: &str = "[...document.querySelectorAll('[data-testid=metrics] [role=img]')].map(it => it.ariaLabel).join()";

async fn choose(page: &Page, range: &str) {
    page.click(&format!("[data-testid=range-{}]", range)).await;
    page.wait_for(&format!("document.querySelector('[data-testid=metrics]').dataset.range === '{range}'"), PATIENCE)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_project_are_plotted_live_and_in_the_past() {
    let server = server().start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let shop = project(&client, "shop").await;
    deploy(&client, &shop, node_app_with("1", BUSY)).await;
    let node = client.nodes().await.unwrap().remove(0);
    wait_until("there is a history", PATIENCE, async || {
        let metrics = client.project_metrics(&shop, "1h").await.unwrap();
        metrics.processes.first().is_some_and(|web| web.samples.len() > 1)
    })
    .await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 1100).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.goto(&format!("{}/servers/{}", server.api_url(), node.id)).await;
    page.wait_for(&format!("{DRAWN} === 4"), BUILD).await;
    page.screenshot("metrics-1-server").await;
    let before = page.eval(HEARD).await;
    page.wait_for(&format!("{HEARD} !== {before}"), BUILD).await;
    for range in ["1h", "24h", "30d"] {
        choose(&page, range).await;
        // One sample of a day or a month may be half a pixel at the edge.
        page.wait_for(&format!("{DRAWN} >= 1"), BUILD).await;
        page.screenshot(format!("metrics-2-server-{range}")).await;
    }
    assert!(page.url().await.ends_with("?range=30d"));

    page.goto(&format!("{}/projects/{shop}?range=1h", server.api_url())).await;
    page.wait_for(&format!("{DRAWN} === 3"), BUILD).await;
    assert!(page.eval(HEARD).await.as_str().unwrap().contains("CPU use over the last hour, now web "));
    page.screenshot("metrics-3-project").await;
    page.color_scheme(ColorScheme::Dark).await;
    choose(&page, "10m").await;
    page.wait_for(&format!("{DRAWN} === 3"), PATIENCE).await;
    page.screenshot("metrics-4-project-dark").await;
    page.resize(390, 1400).await;
    assert_eq!(overflow(&page).await, 0, "the project fits a phone");
    page.goto(&format!("{}/servers/{}?range=1h", server.api_url(), node.id)).await;
    page.wait_for(&format!("{DRAWN} === 4"), BUILD).await;
    assert_eq!(overflow(&page).await, 0, "the server fits a phone");
    page.screenshot("metrics-5-server-phone-dark").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
