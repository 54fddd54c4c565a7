use ids::DeploymentState;
use std::time::Duration;
use testkit::*;

const BIN: &str = "/tmp/tk_nanoscale";

async fn create(client: &Client, name: &str, repo: &Repo) -> api::ProjectCreated {
    client
        .project_create(&api::ProjectCreate {
            name: name.into(),
            repo_url: Some(repo.url().into()),
            env_vars: vec![api::EnvVarInput { key: "SECRET".into(), value: random_secret() }],
            ..Default::default()
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn life() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    let mut server = TestServer::builder(BIN).git_allow(git.host()).start().await;
    eprintln!("{} {}", server.api_url(), server.edge_addr());
    let client = server.setup().await;
    eprintln!("{:?} {:?}", client.me().await, client.nodes().await.map(|nodes| nodes.len()));
    let token = client.token_create("x").await.unwrap();
    let bot = client.with_token(&token.token);
    let mut events = client.events(None).await.unwrap();
    let made = create(&bot, "hello", &repo).await;
    let deployment = made.deployment.unwrap();
    let mut log = client.follow_log(&deployment.id, None).await.unwrap();
    let live = client.wait_for(&deployment.id, DeploymentState::Live, PATIENCE).await;
    let lines = log.collect().await;
    eprintln!("{live:#?}\n{}", lines.iter().map(|l| format!("{} {}", l.stream, l.text)).collect::<Vec<_>>().join("\n"));
    assert!(log.said_end());
    eprintln!("{:?}", events.next().await);
    let app = server.app(&made.project.domain);
    eprintln!("{}", app.get("/").await.unwrap().text());
    let load = Load::start(&app);
    load.wait_for_version("1.0.0").await;
    repo.commit_version("2.0.0");
    let second = client.redeploy("hello").await.unwrap();
    client.wait_for(&second.id, DeploymentState::Live, PATIENCE).await;
    load.wait_for_version("2.0.0").await;
    let report = load.stop().await;
    eprintln!("{report}");
    report.assert_clean();
    eprintln!("{:?}", client.project_logs("hello", &LogsQuery::default()).await.unwrap().len());
    server.terminate();
    server.restart().await;
    app.wait_for_version("2.0.0", PATIENCE).await;
    client.me().await.unwrap();
    server.kill();
    assert_eq!(client.me().await.unwrap_err().status, 0);
    server.restart().await;
    app.wait_for_version("2.0.0", PATIENCE).await;
    assert_eq!(server.secrets().found_in(&server.output()), [""; 0]);
    eprintln!("secrets {}", server.secrets().all().len());
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.goto(&server.api_url()).await;
    page.screenshot("tmp").await;
    page.goto(&made.project.url).await;
    eprintln!("{}", page.text("body").await);
}

#[tokio::test]
async fn python_and_static() {
    let git = GitServer::start().await;
    let server = TestServer::builder(BIN)
        .git_allow(git.host())
        .database(Database::Postgres(Postgres::shared().database()))
        .start()
        .await;
    let client = server.setup().await;
    for name in ["hello-python", "static-site"] {
        let repo = git.repo_from_example(name, name);
        let made = create(&client, name, &repo).await;
        let live = client.wait_for(&made.deployment.unwrap().id, DeploymentState::Live, Duration::from_secs(60)).await;
        eprintln!("{name} {:?} {}", live.duration_ms, server.app(&made.project.domain).get("/").await.unwrap().text());
    }
    assert_eq!(client.project_delete("static-site").await.unwrap() / 100, 2);
    client.wait_deleted("static-site", PATIENCE).await;
}
