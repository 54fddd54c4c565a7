//! The mesh as people see it in the dashboard.

use std::time::Duration;

use testkit::{Browser, ColorScheme, FetchingOllama, LlamaOptions, LlamaServer, Page};

use super::roles::Services;
use super::{MODEL, Stand, server};

const PASSWORD: &str = "correct horse battery";
const SOON: Duration = Duration::from_secs(60);
const PHONE: (u32, u32) = (390, 800);
const DESK: (u32, u32) = (1280, 860);

/// In both themes and as wide as a phone, and that it fits there.
async fn pictures(page: &Page, name: &str) {
    page.screenshot(format!("mesh-{name}-light")).await;
    page.color_scheme(ColorScheme::Dark).await;
    drawn(page).await;
    page.screenshot(format!("mesh-{name}-dark")).await;
    page.color_scheme(ColorScheme::Light).await;
    page.resize(PHONE.0, PHONE.1).await;
    drawn(page).await;
    let over = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(over).await, 0, "{name} fits a phone");
    page.screenshot(format!("mesh-{name}-phone")).await;
    page.resize(DESK.0, DESK.1).await;
}

/// What was changed is on the screen.
async fn drawn(page: &Page) {
    page.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))").await;
    page.wait_for("document.getAnimations().every((it) => it.playState !== 'running')", SOON).await;
}

async fn text_of(page: &Page, test_id: &str) -> String {
    let js = format!("document.querySelector('[data-testid={test_id}]')?.innerText ?? ''");
    page.eval(&js).await.as_str().unwrap().to_owned()
}

async fn machine_is(page: &Page, state: &str) {
    let js = format!("document.querySelector('[data-testid=enrolment-state]')?.dataset.state === '{state}'");
    page.wait_for(&js, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_enrolled_approved_asked_and_suspended() {
    let (server, llama) = (server().start().await, LlamaServer::start(MODEL).await);
    let admin = server.client();
    admin.setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    admin.grant("ada", 2_500_000).await.unwrap();
    let stand = Stand { ada: admin.clone(), admin, server };
    let url = stand.server.api_url();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    page.sign_in(&url, "ada", PASSWORD).await;

    page.goto(&format!("{url}/models")).await;
    page.wait_for_text("No machine serves a model yet", SOON).await;
    pictures(&page, "empty").await;
    page.goto(&format!("{url}/models/machines?new")).await;
    page.wait_for("document.querySelector('[data-testid=add-machine-form] input')", SOON).await;
    page.fill("[data-testid=add-machine-form] input", "ada-desk").await;
    page.click("[data-testid=make-registration]").await;
    page.wait_for("document.querySelector('[data-testid=registration-token]')", SOON).await;
    let token = text_of(&page, "registration-token").await;
    let token = token.lines().next().unwrap().trim().to_owned();
    stand.server.secrets().remember(&token);
    let mut agent = stand.agent("ada-desk", &token, &llama);
    agent.start();
    page.wait_for("document.querySelector('[data-testid=registration]')?.dataset.registered === 'true'", SOON).await;
    let fingerprint = text_of(&page, "fingerprint").await;
    agent.says(fingerprint.trim()).await;
    pictures(&page, "registered").await;

    // A guide names the page by this path.
    page.goto(&format!("{url}/portal/coordinator-ops")).await;
    page.wait_for("document.querySelector('[data-testid=pending][data-name=ada-desk] [data-testid=approve]')", SOON)
        .await;
    assert_eq!(text_of(&page, "fingerprint").await.trim(), fingerprint.trim());
    pictures(&page, "operations").await;
    page.click("[data-testid=approve]").await;
    page.wait_for("document.querySelector('[data-testid=decided][data-name=ada-desk]')", SOON).await;
    page.wait_for("document.querySelector('[data-testid=ledger-verdict]')?.dataset.good === 'true'", SOON).await;

    page.goto(&format!("{url}/models")).await;
    page.wait_for(
        &format!("[...document.querySelectorAll('select option')].some((it) => it.value === '{MODEL}')"),
        SOON,
    )
    .await;
    page.fill("textarea[aria-label=Message]", "Which city is the capital of France? Answer with one word.").await;
    page.click("[data-testid=send]").await;
    page.wait_for(
        "[...document.querySelectorAll('[data-testid=turn]')].some((it) => it.dataset.state === 'done')",
        SOON,
    )
    .await;
    // Which words it finds is left to chance here.
    assert!(text_of(&page, "answer").await.trim().len() > 2, "{}", text_of(&page, "answer").await);
    page.wait_for("document.querySelector('[data-testid=cost]')?.innerText.match(/0[.]00/)", SOON).await;
    pictures(&page, "playground").await;
    page.click("[data-testid=why-here]").await;
    page.wait_for(
        "document.querySelector('[data-testid=candidate][data-node=ada-desk]')?.dataset.chosen === 'true'",
        SOON,
    )
    .await;
    pictures(&page, "why").await;

    // What her own programs need, with a token that is shown once.
    page.goto(&format!("{url}/models/connect")).await;
    page.wait_for(
        &format!("document.querySelector('[data-testid=snippet-python-openai]')?.innerText.includes('{MODEL}')"),
        SOON,
    )
    .await;
    page.click("[data-testid=connect-token]").await;
    page.fill("[role=dialog] input", "ide").await;
    page.click("[role=dialog] button[type=submit]").await;
    page.wait_for("document.querySelector('[data-testid=new-token]')", SOON).await;
    let token = text_of(&page, "new-token").await;
    stand.server.secrets().remember(token.trim());
    page.click("[role=dialog] .justify-end button").await;
    let carries = format!(
        "document.querySelector('[data-testid=snippet-python-openai]')?.innerText.includes('{}')",
        token.trim()
    );
    page.wait_for(&carries, SOON).await;
    let asked = reqwest::Client::new().get(format!("{url}/v1/models")).bearer_auth(token.trim()).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    pictures(&page, "connect").await;

    page.goto(&format!("{url}/models/usage")).await;
    page.wait_for("document.querySelector('[data-testid=completion-state]')?.dataset.state === 'done'", SOON).await;
    page.wait_for("document.querySelectorAll('[data-testid=entry]').length === 3", SOON).await;
    pictures(&page, "usage").await;
    page.goto(&format!("{url}/models/machines")).await;
    machine_is(&page, "active").await;
    page.wait_for_text("Online", SOON).await;
    pictures(&page, "machines").await;

    page.goto(&format!("{url}/models/operations")).await;
    page.wait_for("document.querySelector('[data-testid=topology] [data-testid=topology-ada-desk]')", SOON).await;
    pictures(&page, "topology").await;
    page.click("[data-testid=suspend]").await;
    page.wait_for_text("ada-desk is suspended.", SOON).await;
    page.goto(&format!("{url}/models/machines")).await;
    machine_is(&page, "suspended").await;
    page.goto(&format!("{url}/models")).await;
    page.wait_for_text("No machine serves a model yet", SOON).await;
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companys_models_are_offered_checked_and_asked() {
    let (server, key) = (server().start().await, testkit::random_secret());
    let company = LlamaOptions { api_key: Some(key.clone()), ..LlamaOptions::default() };
    let company = LlamaServer::start_with(MODEL, company).await;
    server.secrets().remember(&key);
    let admin = server.client();
    admin.setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    admin.grant("ada", 1_000_000).await.unwrap();
    let url = server.api_url();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    page.sign_in(&url, "ada", PASSWORD).await;
    page.goto(&format!("{url}/models/operations")).await;
    page.wait_for("document.querySelector('[data-testid=provider-add]')", SOON).await;
    pictures(&page, "providers-none").await;
    page.click("[data-testid=provider-add]").await;
    page.wait_for("document.querySelector('[data-testid=provider-form]')", SOON).await;
    // Nothing is sent before it is sound.
    page.click("[data-testid=provider-save]").await;
    page.wait_for("document.querySelector('[role=dialog] [aria-invalid=true]')", SOON).await;
    pictures(&page, "provider-wrong").await;
    for (field, text) in [
        ("name", "llama"),
        ("url", company.url().as_str()),
        ("key", key.as_str()),
        ("model-name", MODEL),
        ("model-context", "2048"),
        ("model-input", "20"),
        ("model-output", "60"),
    ] {
        page.fill(&format!("[data-testid=provider-{field}]"), text).await;
    }
    pictures(&page, "provider-form").await;
    page.click("[data-testid=provider-save]").await;
    page.wait_for("document.querySelector('[data-testid=provider-row][data-name=llama]')", SOON).await;
    page.click("[data-testid=provider-check]").await;
    page.wait_for("document.querySelector('[data-testid=provider-check-result]')?.dataset.ok === 'true'", SOON).await;
    pictures(&page, "providers").await;
    page.goto(&format!("{url}/models")).await;
    page.wait_for("document.querySelector('[data-testid=model-hosted]')?.innerText.includes('llama')", SOON).await;
    page.fill("textarea[aria-label=Message]", "Say hello.").await;
    page.click("[data-testid=send]").await;
    let done = "[...document.querySelectorAll('[data-testid=turn]')].some((it) => it.dataset.state === 'done')";
    page.wait_for(done, SOON).await;
    page.wait_for_text("hosted: llama", SOON).await;
    pictures(&page, "hosted").await;
    page.goto(&format!("{url}/models/operations")).await;
    page.wait_for("document.querySelector('[data-testid=provider-remove]')", SOON).await;
    page.click("[data-testid=provider-remove]").await;
    page.wait_for("document.querySelector('[data-testid=provider-remove-confirm]')", SOON).await;
    page.click("[data-testid=provider-remove-confirm]").await;
    page.wait_for("!document.querySelector('[data-testid=provider-row]')", SOON).await;
    assert!(admin.provider_list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_mesh_the_page_says_how_to_have_one() {
    let server = testkit::TestServer::builder(super::program()).start().await;
    server.client().setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    page.sign_in(&server.api_url(), "ada", PASSWORD).await;
    page.goto(&format!("{}/models", server.api_url())).await;
    page.wait_for_text("The mesh is switched off", SOON).await;
    pictures(&page, "off").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_by_itself_shows_the_mesh_alone() {
    let (services, ollama) = (Services::start(PASSWORD).await, FetchingOllama::start().await);
    let url = services.portal.url();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(DESK.0, DESK.1).await;
    let at_models = "location.pathname === '/models'";
    page.sign_in_to(&url, "admin", PASSWORD, at_models).await;
    page.wait_for_text("No machine serves a model yet", SOON).await;
    let links = "[...document.querySelector('nav[aria-label=Main]').querySelectorAll('a')].map((it) => it.innerText.trim()).join()";
    assert_eq!(page.eval(links).await, "Models,Settings");
    page.goto(&format!("{url}/projects")).await;
    page.wait_for(at_models, SOON).await;

    // A token for programs, with limits.
    page.goto(&format!("{url}/settings")).await;
    page.wait_for_text("API tokens", SOON).await;
    pictures(&page, "portal-settings").await;

    // An order to a machine, at the control plane's pages.
    let created = services.admin.enrol("ada-desk").await.unwrap();
    let mut agent = services.agent("ada-desk", &created.registration_token, &[]);
    agent.with_arguments(&["--ollama", ollama.url(), "--allow-pulls"]);
    agent.start();
    services.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    let url = services.control_plane.url();
    let signed_in = services.control_plane.client();
    signed_in.login("admin", PASSWORD).await.unwrap();
    assert_eq!(signed_in.mesh().await.unwrap().balance, 0);
    // The browser is signed in at every port of the host.
    page.goto(&format!("{url}/models/operations")).await;
    page.wait_for("document.querySelector('[data-testid=pull-open]')", SOON).await;
    page.click("[data-testid=pull-open]").await;
    page.wait_for("document.querySelector('[data-testid=pull-model]')", SOON).await;
    page.fill("[data-testid=pull-model]", "small").await;
    page.click("[data-testid=pull-send]").await;
    page.wait_for("document.querySelector('[data-testid=pull][data-model=small]')?.dataset.state === 'running'", SOON)
        .await;
    pictures(&page, "pull").await;
    ollama.go_on();
    page.wait_for("document.querySelector('[data-testid=pull][data-model=small]')?.dataset.state === 'done'", SOON)
        .await;
    assert!(page.errors().is_empty(), "{:?}", page.errors());
}
