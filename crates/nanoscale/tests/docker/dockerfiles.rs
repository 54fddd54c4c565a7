//! From a Dockerfile to an app that answers.

use ids::{Builder, DeploymentState, Outward};
use testkit::{AppImage, Client, Docker, Elsewhere, GitServer, Registry, TestServer, wait_until};

use crate::apps::{archive, project_with};
use crate::images::log_of;
use crate::{BUILD, server};

/// An image to build upon, which only the engine has.
fn base(docker: &Docker) -> String {
    let name = format!("{}:1", docker.name("base"));
    docker.app(&name, AppImage { expose: &[], ..AppImage::default() });
    name
}

fn app(base: &str, version: &str, lines: &str) -> Vec<u8> {
    let text = format!(
        "FROM {base} AS made\nENV VERSION={version}\nRUN echo made > /tmp/made\n\nFROM {base}\nENV VERSION={version}\n\
         COPY --from=made /tmp/made /www/made\nCOPY . /www/\n{lines}\nEXPOSE 8080\n"
    );
    archive(&[("Dockerfile", &text), (".dockerignore", "secret.txt\n"), ("secret.txt", "x"), ("page.txt", "a page")])
}

async fn upload(client: &Client, id: &ids::ProjectId, archive: Vec<u8>) -> api::Deployment {
    let deployment = client.upload(id, archive).await.unwrap();
    client.wait_settled(&deployment.id, BUILD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_is_built_run_rolled_back_and_removed() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let base = base(docker);
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let env_vars = [("TOKEN", "hunter2-very-secret"), ("OTHER", "not-declared-at-all")];
    let env_vars = env_vars.map(|(key, value)| api::EnvVarInput { key: key.into(), value: value.into() }).to_vec();
    let create = api::ProjectCreate { name: "hello".into(), env_vars, ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    let first = upload(&client, &id, app(&base, "1", "ARG TOKEN\nRUN echo token $TOKEN other $OTHER")).await;
    let log = log_of(&client, &first).await;
    assert_eq!(first.state, DeploymentState::Live, "{first:?}\n{log}");
    assert!(log.contains("plan: dockerfile: `Dockerfile` is there") && log.contains("Step 1/"), "{log}");
    assert!(log.contains("token [TOKEN] other\n"), "{log}");
    let app_at = server.app("hello.localhost");
    for (path, text) in [("/", "version=1\n"), ("/made", "made\n"), ("/page.txt", "a page")] {
        assert_eq!(app_at.get(path).await.unwrap().text(), text, "{path}");
    }
    assert_eq!(app_at.get("/secret.txt").await.unwrap().status, 404);
    let second = upload(&client, &id, app(&base, "2", "")).await;
    assert_eq!(second.state, DeploymentState::Live, "{second:?}");
    assert_eq!(app_at.get("/").await.unwrap().version(), Some("2"));

    let broken = upload(&client, &id, app(&base, "3", "RUN echo no such thing >&2; exit 3")).await;
    assert_eq!(broken.failure_code.as_deref(), Some("BUILD_FAILED"), "{broken:?}");
    assert!(broken.last_lines.iter().any(|line| line.contains("no such thing")), "{broken:?}");
    assert_eq!(app_at.get("/").await.unwrap().version(), Some("2"));

    let back = client.rollback(&id, Some(&first.id)).await.unwrap();
    client.wait_for(&back.id, DeploymentState::Live, BUILD).await;
    assert_eq!(app_at.get("/").await.unwrap().version(), Some("1"));
    assert_eq!(client.project_delete(&id).await.unwrap(), 204);
    wait_until("neither containers nor images are left", BUILD, async || {
        let images = docker.run(&["images", "--format", "{{.Repository}}"]);
        docker.containers(&[&format!("label=nanoscale.group={id}")]).is_empty() && !images.contains(id.as_str())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_commands_reach_what_the_project_may_and_the_engine_fetches_nothing_for_it() {
    let (docker, registry, elsewhere) = (Docker::shared(), Registry::open(), Elsewhere::new());
    let base = base(docker);
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let network = |outward| Some(api::NetworkSettings { outward, ..api::NetworkSettings::default() });
    let create = api::ProjectCreate { name: "hello".into(), network: network(Outward::None), ..Default::default() };
    let id = project_with(&client, create).await;
    let ask =
        format!("RUN echo world $(nc -w 3 {} {} </dev/null || echo refused)", elsewhere.address(), elsewhere.port());
    for (outward, line) in [(Outward::None, "world refused\n"), (Outward::Open, "world hello\n")] {
        let update = api::ProjectUpdate { network: network(outward), ..api::ProjectUpdate::default() };
        client.project_update(&id, &update).await.unwrap();
        // Another step each time: the engine would not do again what it did before.
        let deployment = upload(&client, &id, app(&base, "1", &format!("ENV OUTWARD={outward}\n{ask}"))).await;
        let log = log_of(&client, &deployment).await;
        assert_eq!(deployment.state, DeploymentState::Live, "{deployment:?}\n{log}");
        assert!(log.contains(line), "{log}");
    }
    let update = api::ProjectUpdate { builder: Some(Builder::Dockerfile), ..api::ProjectUpdate::default() };
    client.project_update(&id, &update).await.unwrap();
    for (lines, code) in [
        ("ADD http://127.0.0.1:1/x /x", "REMOTE_ADD_REFUSED"),
        ("COPY --from=10.0.0.1:5000/x /x /x", "PRIVATE_HOST"),
        ("COPY --from=nanoscale-0/x:y /x /x", "INVALID_IMAGE"),
    ] {
        let refused = upload(&client, &id, app(&base, "1", lines)).await;
        assert_eq!(refused.failure_code.as_deref(), Some(code), "{refused:?}");
    }
    // Where nobody asked for the Dockerfile, the language decides.
    let update = api::ProjectUpdate { builder: Some(Builder::Auto), ..api::ProjectUpdate::default() };
    client.project_update(&id, &update).await.unwrap();
    let refused = upload(&client, &id, app(&base, "1", "RUN --mount=type=cache,target=/c true")).await;
    assert_eq!(refused.failure_code.as_deref(), Some("NO_PLAN"), "{refused:?}");
    assert!(log_of(&client, &refused).await.contains("`Dockerfile` is not used: the Dockerfile says `RUN --mount`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_cancelled() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let base = base(docker);
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let id = project_with(&client, api::ProjectCreate { name: "hello".into(), ..Default::default() }).await;
    let deployment = client.upload(&id, app(&base, "1", "RUN echo begun; sleep 86400")).await.unwrap();
    wait_until("it is under way", BUILD, async || log_of(&client, &deployment).await.contains("begun\n")).await;
    client.deployment_cancel(&deployment.id).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Cancelled, BUILD).await;
    let sleeps = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.contains("echo begun; sleep 86400")).count()
    };
    wait_until("nothing of it runs", BUILD, async || {
        sleeps() == 0 && docker.containers(&[&format!("label=nanoscale.group={id}")]).is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_the_language_decides_unless_the_project_does() {
    let git = GitServer::start().await;
    let repo = git.repo_from_example("hello", "hello-node");
    repo.write("Dockerfile", "FROM scratch\n").commit("A Dockerfile");
    let server = TestServer::builder(crate::program()).git_allow(git.host()).start().await;
    let client = server.setup().await;
    let create =
        api::ProjectCreate { name: "hello".into(), repo_url: Some(repo.url().into()), ..api::ProjectCreate::default() };
    let made = client.project_create(&create).await.unwrap();
    let live = client.wait_for(&made.deployment.unwrap().id, DeploymentState::Live, BUILD).await;
    assert!(log_of(&client, &live).await.contains("`Dockerfile` is not used: this node has no container engine"));
    let update = api::ProjectUpdate { builder: Some(Builder::Dockerfile), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&made.project.id, &update).await.unwrap().builder, Builder::Dockerfile);
    let failed = client.redeploy(&made.project.id).await.unwrap();
    let failed = client.wait_settled(&failed.id, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("NO_DOCKER"), "{failed:?}");
    let update =
        api::ProjectUpdate { dockerfile_path: Some("none/Dockerfile".into()), ..api::ProjectUpdate::default() };
    client.project_update(&made.project.id, &update).await.unwrap();
    let failed = client.redeploy(&made.project.id).await.unwrap();
    let failed = client.wait_settled(&failed.id, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("DOCKERFILE_MISSING"), "{failed:?}");
}
