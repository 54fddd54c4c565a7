//! Machines as a person sees them in the dashboard.

use std::time::Duration;

use ids::NodeStatus;
use link::KeyPair;
use testkit::{Browser, Client, Clock, ColorScheme, GitServer, Page, TestNode, TestServer, wait_until};

use crate::apps::{deploy, node_app_with, project_with};
use crate::joining::said;
use crate::{BUILD, SHOWN, join, machine, server, wait_for_status};

const PASSWORD: &str = "correct horse battery";
/// Several samples of a machine that gives one every ten seconds.
const PLOTTED: Duration = Duration::from_secs(60);

async fn sign_in(server: &TestServer, browser: &Browser) -> (Client, Page) {
    let client = server.client();
    client.setup("ada", PASSWORD, server.setup_code()).await.unwrap();
    let page = browser.page().await;
    page.resize(1280, 900).await;
    page.sign_in(&server.api_url(), "ada", PASSWORD).await;
    (client, page)
}

async fn assert_fits(page: &Page, what: &str) {
    let overflow = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(overflow).await, 0, "{what} fits a phone");
}

/// What a page tells when an app's network, or that of another test, comes or goes on this machine is no error of it.
fn assert_no_errors(page: &Page, expected: &[&str]) {
    let is_expected =
        |error: &String| error.contains("ERR_NETWORK_CHANGED") || expected.iter().any(|it| error.contains(it));
    let errors = page.errors().into_iter().filter(|error| !is_expected(error));
    assert_eq!(errors.collect::<Vec<_>>(), [""; 0]);
}

/// Waits until everything has its dark colour.
async fn darken(page: &Page) {
    page.color_scheme(ColorScheme::Dark).await;
    page.wait_for("document.documentElement.dataset.theme === 'dark'", SHOWN).await;
    page.wait_for("document.getAnimations().every((it) => it instanceof CSSAnimation)", SHOWN).await;
    page.eval("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))").await;
}

/// Asks for a command in the dialog, and takes the token out of it.
async fn invite(page: &Page, name: &str, labels: &str) -> String {
    page.click("[data-testid=add-server]").await;
    page.fill("[data-testid=add-server-form] input", name).await;
    page.fill("[data-testid=add-server-form] input[placeholder*=region]", labels).await;
    page.click("[data-testid=make-command]").await;
    let command = page.text("[data-testid=join-command] code").await;
    let token = command.split_whitespace().last().unwrap();
    assert!(token.starts_with("nsj_"), "{command}");
    let install = page.text("[data-testid=install-command] code").await;
    assert!(install.contains("| sh") && install.contains(token), "{install}");
    token.to_owned()
}

async fn wait_for_badge(page: &Page, status: &str) {
    let js = format!("document.querySelector('h1 [data-testid=node-status]')?.dataset.state === '{status}'");
    page.wait_for(&js, SHOWN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_added_used_drained_and_removed_in_a_browser() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.commit_version("1");
    let server = server().git_allow(git.host()).start().await;
    let browser = Browser::start().await;
    let (client, page) = sign_in(&server, &browser).await;
    page.goto(&format!("{}/servers", server.api_url())).await;
    page.wait_for_text("Everything runs on this one machine", SHOWN).await;
    page.screenshot("machines-01-alone").await;

    an_invitation_is_revoked(&page).await;
    let node = a_machine_arrives(&server, &page).await;
    it_is_renamed(&page, &client, &node).await;
    it_is_granted(&page, &client, &node).await;
    let project = something_is_deployed_there(&server, &client, &page, repo.url()).await;
    its_plot_moves(&server, &page, &node).await;
    it_is_drained(&server, &page, &node, &project).await;
    it_is_removed(&server, &page, &node, &project).await;
    // A browser tells of every refusal: there was no such user, the server was in use, and is gone.
    assert_no_errors(&page, &["400", "409", "404"]);
}

async fn an_invitation_is_revoked(page: &Page) {
    invite(page, "spare", "").await;
    page.wait_for_text("orchestrator.bind_address", SHOWN).await;
    page.screenshot("machines-02-dialog").await;
    page.press("Escape").await;
    page.wait_for("document.querySelectorAll('[data-testid=join-token]').length === 1", SHOWN).await;
    page.screenshot("machines-03-open-invitation").await;
    page.click("[data-testid=join-token] button").await;
    page.click("[data-testid=revoke-confirm]").await;
    page.wait_for("document.querySelectorAll('[data-testid=join-token]').length === 0", SHOWN).await;
}

async fn a_machine_arrives(server: &TestServer, page: &Page) -> TestNode {
    let token = invite(page, "worker", "region=eu, gpu").await;
    let mut node = machine();
    node.join(&token, server.api_port()).await;
    page.wait_for("document.querySelector('[data-testid=arrival]')?.dataset.step === 'online'", SHOWN).await;
    page.screenshot("machines-04-arrived").await;
    page.click("[data-testid=open-node]").await;
    wait_for_badge(page, "online").await;
    node
}

async fn it_is_renamed(page: &Page, client: &Client, node: &TestNode) {
    page.fill("[data-testid=node-form] input", "berlin").await;
    page.fill("[data-testid=node-form] input[placeholder*=region]", "region=eu-central").await;
    page.click("[data-testid=access-everybody]").await;
    page.click("[data-testid=node-save]").await;
    page.wait_for("document.querySelector('h1').innerText.includes('berlin')", SHOWN).await;
    let shown = client.node_get(node.id()).await.unwrap();
    assert_eq!((shown.name.as_str(), shown.access), ("berlin", ids::NodeAccess::Everybody));
    assert_eq!(shown.labels, [("region".to_owned(), "eu-central".to_owned())].into());
}

async fn it_is_granted(page: &Page, client: &Client, node: &TestNode) {
    let names = "[data-testid=node-form] input[placeholder*=alice]";
    page.click("[data-testid=access-granted]").await;
    page.fill(names, "ada, nobody").await;
    page.click("[data-testid=node-save]").await;
    page.wait_for_text("give user names of this cloud", SHOWN).await;
    page.screenshot("machines-10-no-such-user").await;
    page.fill(names, "ada").await;
    page.click("[data-testid=node-save]").await;
    let granted = async || client.node_get(node.id()).await.unwrap();
    wait_until("it is granted", SHOWN, async || granted().await.granted_to == ["ada"]).await;
    assert_eq!(granted().await.access, ids::NodeAccess::Granted);
}

async fn something_is_deployed_there(server: &TestServer, client: &Client, page: &Page, repo: &str) -> ids::ProjectId {
    page.goto(&format!("{}/projects/new", server.api_url())).await;
    page.fill("input[type=url]", repo).await;
    page.choose("[data-testid=choose-node]", "berlin · region=eu-central").await;
    page.screenshot("machines-05-choose").await;
    page.click("form button[type=submit]").await;
    page.wait_for("location.pathname.includes('/deployments/')", SHOWN).await;
    let project = client.project_get("hello").await.unwrap().id;
    page.goto(&format!("{}/projects/{project}", server.api_url())).await;
    let running = "document.querySelector('[data-testid=project-server] [data-state=ready]')";
    page.wait_for(running, BUILD).await;
    assert!(page.text("[data-testid=project-server]").await.contains("berlin"));
    page.screenshot("machines-06-project").await;
    let app = server.app("hello.localhost");
    wait_until("the app is reached", SHOWN, async || {
        app.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;
    project
}

async fn its_plot_moves(server: &TestServer, page: &Page, node: &TestNode) {
    page.goto(&format!("{}/servers/{}", server.api_url(), node.id())).await;
    page.wait_for("document.querySelector('[data-testid=workload] a')?.innerText === 'hello'", SHOWN).await;
    page.wait_for("document.querySelector('.plot canvas')", PLOTTED).await;
    page.eval("void (window.plotted = document.querySelector('.plot canvas').toDataURL())").await;
    page.wait_for("document.querySelector('.plot canvas').toDataURL() !== window.plotted", PLOTTED).await;
    page.screenshot("machines-07-server").await;
    page.eval("window.scrollTo(0, document.body.scrollHeight)").await;
    darken(page).await;
    page.screenshot("machines-08-server-dark").await;
    page.color_scheme(ColorScheme::Light).await;
}

async fn it_is_drained(server: &TestServer, page: &Page, node: &TestNode, project: &ids::ProjectId) {
    // Its volume binds the project to the machine.
    let volume = api::Volume { name: "data".into(), path: "/data".into(), size_mb: None };
    let update = api::ProjectUpdate { volumes: Some(vec![volume]), ..api::ProjectUpdate::default() };
    let client = server.client();
    client.login("ada", PASSWORD).await.unwrap();
    client.project_update(project, &update).await.unwrap();
    page.click("[data-testid=drain-node]").await;
    page.click("[data-testid=drain-confirm]").await;
    wait_for_badge(page, "draining").await;
    page.eval("window.scrollTo(0, 0)").await;
    page.screenshot("machines-09-draining").await;
    page.click("[data-testid=resume-node]").await;
    wait_for_badge(page, "online").await;
    page.click("[data-testid=drain-node]").await;
    page.click("[data-testid=drain-confirm]").await;
    wait_for_badge(page, "draining").await;
    assert_eq!(client.node_get(node.id()).await.unwrap().status, NodeStatus::Draining);
}

async fn it_is_removed(server: &TestServer, page: &Page, node: &TestNode, project: &ids::ProjectId) {
    page.click("[data-testid=remove-node]").await;
    let locked = "document.querySelector('[data-testid=remove-node-confirm]')?.disabled";
    page.wait_for(locked, SHOWN).await;
    page.fill("[role=alertdialog] input", "berlin").await;
    page.click("[data-testid=remove-node-confirm]").await;
    // Not yet: it says what would be lost.
    page.wait_for("document.querySelector('[data-testid=in-use] li')?.innerText.includes('hello')", SHOWN).await;
    page.wait_for(locked, SHOWN).await;
    page.screenshot("machines-10-in-use").await;
    page.click("[data-testid=in-use] input[type=checkbox]").await;
    page.click("[data-testid=remove-node-confirm]").await;
    page.wait_for("location.pathname === '/servers'", SHOWN).await;
    page.wait_for("document.querySelectorAll('[data-testid=node]').length === 1", SHOWN).await;
    wait_until("its key opens nothing", SHOWN, async || node.output().contains("was removed from the cluster")).await;
    page.goto(&format!("{}/projects/{project}", server.api_url())).await;
    page.wait_for_text("has been removed", SHOWN).await;
    page.screenshot("machines-11-nowhere").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_nobody_used_in_time_is_made_anew() {
    let clock = Clock::new();
    let server = server().clock(&clock).start().await;
    let browser = Browser::start().await;
    let (_, page) = sign_in(&server, &browser).await;
    page.goto(&format!("{}/servers", server.api_url())).await;
    let first = invite(&page, "worker", "").await;
    clock.set(601);
    page.wait_for_text("has expired", SHOWN).await;
    page.screenshot("machines-30-expired").await;
    page.click("[data-testid=make-another]").await;
    let command = page.text("[data-testid=join-command] code").await;
    assert!(!command.contains(&first), "{command}");
    let mut node = machine();
    node.join(command.split_whitespace().last().unwrap(), server.api_port()).await;
    page.wait_for("document.querySelector('[data-testid=arrival]')?.dataset.step === 'online'", SHOWN).await;
    page.wait_for_text("worker is here and online", SHOWN).await;
    assert_no_errors(&page, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_each_server_is_told_in_a_word_and_live() {
    let server = server().start().await;
    let browser = Browser::start().await;
    let (client, page) = sign_in(&server, &browser).await;
    let berlin = join(&server, &client, machine(), "berlin").await;
    let mut paris = join(&server, &client, machine(), "paris").await;
    let labels = [("region", "eu"), ("disk", "ssd")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    client.node_update(berlin.id(), &api::NodeUpdate { labels: Some(labels), ..Default::default() }).await.unwrap();
    let project = crate::project_on(&client, "hello", &paris).await;
    crate::apps::deploy(&client, &project, crate::apps::node_app("1")).await;
    let token = client.join_token(&api::JoinTokenCreate::default()).await.unwrap().token.parse().unwrap();
    client.cluster_join(&said(&token, &KeyPair::generate().unwrap(), "oslo")).await.unwrap();

    page.goto(&format!("{}/servers", server.api_url())).await;
    let told = |name: &str, status: &str| {
        format!("document.querySelector('[data-name={name}] [data-testid=node-status]')?.dataset.state === '{status}'")
    };
    for (name, status) in [("berlin", "online"), ("paris", "online"), ("oslo", "joining")] {
        page.wait_for(&told(name, status), SHOWN).await;
    }
    page.wait_for("document.querySelector('[data-name=paris] ul a')?.innerText === 'hello'", SHOWN).await;
    paris.kill();
    page.wait_for(&told("paris", "unreachable"), SHOWN).await;
    client.node_drain(berlin.id()).await.unwrap();
    page.wait_for(&told("berlin", "draining"), SHOWN).await;
    page.screenshot("machines-20-states").await;
    darken(&page).await;
    page.screenshot("machines-21-states-dark").await;
    page.color_scheme(ColorScheme::Light).await;

    // The project says what that means.
    page.goto(&format!("{}/projects/{project}", server.api_url())).await;
    page.wait_for("document.querySelector('[data-testid=server-away]')?.innerText.includes('unreachable')", SHOWN)
        .await;
    page.screenshot("machines-22-away").await;
    page.resize(390, 800).await;
    assert_fits(&page, "the project").await;
    page.goto(&format!("{}/servers", server.api_url())).await;
    page.wait_for(&told("paris", "unreachable"), SHOWN).await;
    assert_fits(&page, "the list").await;
    page.screenshot("machines-23-phone").await;
    invite(&page, "", "").await;
    assert_fits(&page, "the dialog").await;
    page.screenshot("machines-24-phone-dialog").await;
    page.goto(&format!("{}/servers/{}", server.api_url(), paris.id())).await;
    wait_for_badge(&page, "unreachable").await;
    assert_fits(&page, "the server").await;
    page.screenshot("machines-25-phone-server").await;

    paris.start().await;
    wait_for_badge(&page, "online").await;
    wait_for_status(&client, &paris, NodeStatus::Online).await;
    assert_no_errors(&page, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_another_replica_is_chosen_in_a_browser() {
    let server = server().start().await;
    let browser = Browser::start().await;
    let (client, page) = sign_in(&server, &browser).await;
    let one = join(&server, &client, machine(), "one").await;
    let create = api::ProjectCreate {
        name: "hello".into(),
        node_id: Some(one.id().to_string()),
        replicas: Some(2),
        ..api::ProjectCreate::default()
    };
    let project = project_with(&client, create).await;
    deploy(&client, &project, node_app_with("1", r#"console.log("I am " + process.hrtime.bigint());"#)).await;
    wait_until("there are two", BUILD, async || {
        client.project_get(&project).await.unwrap().placements.iter().filter(|it| it.ready).count() == 2
    })
    .await;
    page.goto(&format!("{}/projects/{project}/logs", server.api_url())).await;
    let said = "document.querySelector('[data-testid=runtime-log]').innerText.match(/I am [0-9]+/)?.[0]";
    page.wait_for(said, SHOWN).await;
    page.eval(&format!("void (window.said = {said})")).await;
    let here = client.nodes().await.unwrap().into_iter().find(|node| node.embedded).unwrap().name;
    page.choose("[data-testid=log-server]", &here).await;
    page.wait_for(&format!("{said} && {said} !== window.said"), SHOWN).await;
    page.screenshot("machines-11-log-of-a-replica").await;
    page.resize(390, 844).await;
    assert_fits(&page, "the log of a project on several servers").await;
    page.screenshot("machines-12-log-phone").await;
    assert_no_errors(&page, &[]);
}
