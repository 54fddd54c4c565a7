//! From an image in a registry to an app that answers.

use ids::{DeploymentState, SourceKind};
use testkit::{AppImage, Client, Docker, Registry};

use crate::{BUILD, server};

/// A project of this image, and its first deployment, whatever becomes of it.
pub(crate) async fn create(client: &Client, name: &str, image: &str) -> (ids::ProjectId, api::Deployment) {
    create_with(client, api::ProjectCreate { name: name.into(), image: Some(image.into()), ..Default::default() }).await
}

pub(crate) async fn create_with(client: &Client, create: api::ProjectCreate) -> (ids::ProjectId, api::Deployment) {
    let made = client.project_create(&create).await.unwrap();
    let deployment = client.wait_settled(&made.deployment.unwrap().id, BUILD).await;
    (made.project.id, deployment)
}

pub(crate) async fn log_of(client: &Client, deployment: &api::Deployment) -> String {
    let lines = client.log(&deployment.id).await.unwrap();
    lines.into_iter().map(|line| line.text + "\n").collect()
}

/// Makes an image, gives it to the registry, and says what it is called there.
pub(crate) fn publish(docker: &Docker, registry: &Registry, name: &str, image: AppImage<'_>) -> String {
    let local = docker.name("app");
    docker.app(&local, image);
    registry.take(docker, &local, name);
    docker.run(&["rmi", "--force", &local]);
    registry.image(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_answers_logs_and_goes_without_a_trace() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let image = publish(docker, &registry, "hello:1", AppImage::default());
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let capability = client.nodes().await.unwrap().remove(0).capabilities.into_iter().find(|it| it.name == "docker");
    let capability = capability.unwrap();
    assert!(capability.enabled && capability.detail.starts_with("Docker 2"), "{capability:?}");

    let (id, deployment) = create(&client, "hello", &image).await;
    let log = log_of(&client, &deployment).await;
    assert_eq!(deployment.state, DeploymentState::Live, "{deployment:?}\n{log}");
    let reply = server.app("hello.localhost").get("/").await.unwrap();
    assert_eq!((reply.status, reply.version()), (200, Some("1")));
    assert!(log.contains("visitors are sent to port 8080: the one that the image exposes"), "{log}");
    assert!(log.contains("@sha256:") && log.contains("Pulling from hello"), "{log}");
    assert!(log.contains("version 1 listens"), "what the app said before it was ready: {log}");
    let project = client.project_get(&id).await.unwrap();
    assert_eq!((project.source, project.image.as_deref()), (SourceKind::Image, Some(image.as_str())));
    // One that runs, and one that holds its network; neither is what its image could make of itself.
    let workload = format!("label=nanoscale.workload={}", deployment.id);
    assert_eq!(docker.containers(&[&workload]).len(), 2);

    assert_eq!(client.project_delete(&id).await.unwrap(), 204);
    testkit::wait_until("containers and image are gone", BUILD, async || {
        let images = docker.run(&["images", "--format", "{{.Repository}}"]);
        docker.containers(&[&workload]).is_empty() && !images.contains(id.as_str())
    })
    .await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_says_why() {
    let (docker, open, closed) = (Docker::shared(), Registry::open(), Registry::closed());
    let server = crate::server(docker, &open)
        .config(serde_json::json!({"images": {"allow_hosts": [open.host(), closed.host()]}}))
        .start()
        .await;
    let client = server.setup().await;
    let secret = publish(docker, &closed, "secret:1", AppImage::default());
    let (_, missing) = create(&client, "missing", &open.image("nothing:9")).await;
    assert_eq!(missing.failure_code.as_deref(), Some("IMAGE_NOT_FOUND"), "{missing:?}");
    let (id, refused) = create(&client, "refused", &secret).await;
    assert_eq!(refused.failure_code.as_deref(), Some("IMAGE_UNAUTHORIZED"), "{refused:?}");

    // With the right password it goes; a wrong one is told like none.
    let credentials = |password: &str| api::ProjectUpdate {
        registry_username: Some("user".into()),
        registry_password: Some(password.into()),
        ..api::ProjectUpdate::default()
    };
    client.project_update(&id, &credentials("wrong-password")).await.unwrap();
    let again = client.redeploy(&id).await.unwrap();
    let again = client.wait_settled(&again.id, BUILD).await;
    assert_eq!(again.failure_code.as_deref(), Some("IMAGE_UNAUTHORIZED"), "{again:?}");
    server.secrets().remember(closed.password());
    let project = client.project_update(&id, &credentials(closed.password())).await.unwrap();
    assert!(project.has_registry_password && project.registry_username.as_deref() == Some("user"));
    assert!(!serde_json::to_string(&project).unwrap().contains(closed.password()));
    let again = client.redeploy(&id).await.unwrap();
    let again = client.wait_settled(&again.id, BUILD).await;
    assert_eq!(again.state, DeploymentState::Live, "{again:?}");
    assert_eq!(server.app("refused.localhost").get("/").await.unwrap().status, 200);

    // A password is for one registry: naming another one forgets it.
    let elsewhere = api::ProjectUpdate { image: Some(open.image("secret:1")), ..api::ProjectUpdate::default() };
    let project = client.project_update(&id, &elsewhere).await.unwrap();
    assert!(!project.has_registry_password && project.registry_username.is_none());
}

#[tokio::test]
async fn names_and_places_are_checked_before_anything_is_made() {
    let server = testkit::TestServer::builder(crate::program()).start().await;
    let client = server.setup().await;
    let create = |image: &str, repo: Option<&str>| api::ProjectCreate {
        name: "hello".into(),
        image: Some(image.into()),
        repo_url: repo.map(str::to_owned),
        ..api::ProjectCreate::default()
    };
    for (create, code) in [
        (create("Not An Image", None), "INVALID_IMAGE"),
        (create("https://ghcr.io/owner/app", None), "INVALID_IMAGE"),
        (create("127.0.0.1:5000/app", None), "PRIVATE_HOST"),
        (create("169.254.169.254/latest", None), "PRIVATE_HOST"),
        (create("app", Some("https://git.example.com/a/b.git")), "TWO_SOURCES"),
        (
            api::ProjectCreate { registry_password: Some("secret-word".into()), ..create("192.0.2.1/app", None) },
            "PRIVATE_HOST",
        ),
    ] {
        assert_eq!(client.project_create(&create).await.unwrap_err().code(), code);
    }
    let capability = client.nodes().await.unwrap().remove(0).capabilities.into_iter().find(|it| it.name == "docker");
    let capability = capability.unwrap();
    assert!(!capability.enabled && capability.detail.contains("apt-get install docker.io"), "{capability:?}");
}

#[tokio::test]
async fn a_node_without_an_engine_says_what_to_install() {
    let registry = Registry::open();
    let server = testkit::TestServer::builder(crate::program());
    let server = server.config(serde_json::json!({"images": {"allow_hosts": [registry.host()]}})).start().await;
    let client = server.setup().await;
    let (_, failed) = create(&client, "hello", &registry.image("hello")).await;
    assert_eq!(failed.failure_code.as_deref(), Some("NO_DOCKER"), "{failed:?}");
    assert!(failed.reason.unwrap().contains("install and start Docker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_a_browser() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let image = publish(docker, &registry, "hello:1", AppImage::default());
    let server = server(docker, &registry).start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let browser = testkit::Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 900).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.goto(&format!("{}/projects/new", server.api_url())).await;
    page.click("[data-testid=source-image]").await;
    page.fill_field("Image", &image).await;
    page.fill_field("Project name", "hello").await;
    page.screenshot("image-1-new").await;
    page.click("form button[type=submit]").await;
    page.wait_for("document.querySelector('[data-testid=deployment-state]')?.dataset.state === 'live'", BUILD).await;
    page.screenshot("image-2-live").await;
    assert_eq!(server.app("hello.localhost").get("/").await.unwrap().version(), Some("1"));
    let project = client.project_list().await.unwrap().remove(0);
    page.goto(&format!("{}/projects/{}/settings", server.api_url(), project.id)).await;
    page.fill("[data-testid=registry-user]", "robot").await;
    page.fill("[data-testid=registry-password]", "a-password-of-a-robot").await;
    server.secrets().remember("a-password-of-a-robot");
    page.click_text("button", "Save changes").await;
    testkit::wait_until("it is stored", BUILD, async || {
        client.project_get(&project.id).await.unwrap().has_registry_password
    })
    .await;
    page.wait_for("document.querySelector('[data-testid=registry-password]')?.placeholder.startsWith('stored')", BUILD)
        .await;
    page.screenshot("image-3-settings").await;
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_on_the_command_line() {
    use std::io::Write;
    let (docker, registry) = (Docker::shared(), Registry::closed());
    let image = publish(docker, &registry, "hello:1", AppImage::default());
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    server.secrets().remember(registry.password());
    let token = client.token_create("shell").await.unwrap().token;
    let nanoscale = |arguments: &[&str], input: &str| {
        let mut child = std::process::Command::new(crate::program())
            .args(arguments)
            .env_clear()
            .env("NANOSCALE_URL", server.api_url())
            .env("NANOSCALE_TOKEN", &token)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    let create = ["project", "create", "hello", "--image", &image, "--registry-user", "user"];
    let said = nanoscale(&create, &format!("{}\n", registry.password()));
    assert!(said.contains("ready: visitors are sent here now"), "{said}");
    let shown = nanoscale(&["project", "show", "hello"], "");
    assert!(shown.contains(&image) && shown.contains("registry user"), "{shown}");
    let update = ["project", "update", "hello", "--builder", "native", "--dockerfile", "deploy/Dockerfile"];
    let shown = nanoscale(&update, "");
    assert!(shown.contains("native") && shown.contains("deploy/Dockerfile"), "{shown}");
}
