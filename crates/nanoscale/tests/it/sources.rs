//! Where an app can come from: branches, tags, commits, subdirectories of a real git server; and what it can be written in.

mod languages;
mod monorepos;

use ids::{DeploymentState, SourceKind, Trigger};
use testkit::{Browser, Client, Database, GitServer, Postgres, TestServer, example, random_secret, wait_until};

use crate::apps::{archive_of, deploy, project, project_with};
use crate::{BUILD, server};

struct Fixture {
    git: GitServer,
    server: TestServer,
    client: Client,
    password: String,
}

async fn fixture() -> Fixture {
    let git = GitServer::start().await;
    let server = server().git_allow(git.host()).start().await;
    let (client, password) = (server.client(), random_secret());
    client.setup("admin", &password, server.setup_code()).await.unwrap();
    Fixture { git, server, client, password }
}

impl Fixture {
    async fn live(&self, create: api::ProjectCreate) -> api::Deployment {
        let made = self.client.project_create(&create).await.unwrap();
        self.client.wait_for(&made.deployment.unwrap().id, DeploymentState::Live, BUILD).await
    }

    async fn failed(&self, create: api::ProjectCreate) -> api::Deployment {
        let made = self.client.project_create(&create).await.unwrap();
        self.client.wait_for(&made.deployment.unwrap().id, DeploymentState::Failed, BUILD).await
    }
}

fn from(name: &str, url: &str) -> api::ProjectCreate {
    api::ProjectCreate { name: name.into(), repo_url: Some(url.into()), ..api::ProjectCreate::default() }
}

#[tokio::test]
async fn hello_node_from_a_git_server() {
    let fixture = fixture().await;
    let repo = fixture.git.repo_from_example("hello", "hello-node");
    let sha = repo.commit_as("Grace Hopper", "grace@example.com", "Say hello\n\nAnd more.");
    let deployment = fixture.live(from("hello", repo.url())).await;
    assert_eq!(deployment.trigger, Trigger::Create);
    let commit = deployment.commit.unwrap();
    assert_eq!((commit.sha, commit.message.as_str(), commit.author.as_str()), (sha, "Say hello", "Grace Hopper"));

    let app = fixture.server.app("hello.localhost");
    assert!(app.get("/").await.unwrap().text().contains("Hello from NanoScale"));
    let mut socket = app.websocket("/ws").await.unwrap();
    for text in ["one", "zwei", &"x".repeat(100_000)] {
        assert_eq!(socket.echo(text).await.unwrap(), Some(()));
    }

    let log = fixture.client.log(&deployment.id).await.unwrap();
    let place =
        |text: &str| log.iter().position(|line| line.text.contains(text)).unwrap_or_else(|| panic!("{text}: {log:#?}"));
    let order = ["fetch:", "commit ", "plan: node", "run: $ ", "probe: "].map(place);
    assert!(order.is_sorted(), "{order:?}");

    let next = repo.commit_version("2");
    let second = fixture.client.redeploy("hello").await.unwrap();
    fixture.client.wait_for(&second.id, DeploymentState::Live, BUILD).await;
    assert_eq!(app.get("/").await.unwrap().version(), Some("2"));
    assert_eq!(fixture.client.deployment_get(&second.id).await.unwrap().commit.unwrap().sha, next);
}

#[tokio::test]
async fn hello_python_and_a_static_site() {
    let fixture = fixture().await;
    let python = fixture.git.repo_from_example("python", "hello-python");
    let deployment = fixture.live(from("python", python.url())).await;
    assert_eq!(deployment.plan.unwrap().kind, "python");
    assert!(fixture.server.app("python.localhost").get("/").await.unwrap().text().contains("version="));

    let site = fixture.git.repo_from_example("site", "static-site");
    site.write(".env", "SECRET=1").write("about/.env", "SECRET=2").commit("Files that are nobody's business");
    let deployment = fixture.live(from("site", site.url())).await;
    assert_eq!(deployment.plan.unwrap().kind, "static");
    let app = fixture.server.app("site.localhost");
    let index = app.get("/").await.unwrap();
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html")));
    assert_eq!(app.get("/about/").await.unwrap().status, 200);
    assert_eq!(app.get("/no-such-page").await.unwrap().status, 404);
    for hidden in [
        "/.env",
        "/%2eenv",
        "/about/../.env",
        "/..%2f..%2fetc/passwd",
        "/about%2f.env",
        "/about%2F%2Eenv",
        "/about%2f..%2f.env",
        "/about/%00",
        "/%00.env",
    ] {
        let reply = app.get(hidden).await.unwrap();
        assert!(reply.status >= 400 && !reply.text().contains("SECRET"), "{hidden}: {}", reply.status);
    }
}

#[tokio::test]
async fn a_branch_a_tag_a_commit_and_a_subdirectory() {
    let fixture = fixture().await;
    let repo = fixture.git.repo("mono");
    repo.copy(&example("static-site")).commit("Something else at the top");
    std::fs::create_dir_all(repo.path().join("apps/web")).unwrap();
    for file in std::fs::read_dir(example("hello-node")).unwrap().flatten() {
        std::fs::copy(file.path(), repo.path().join("apps/web").join(file.file_name())).unwrap();
    }
    let version = |version: &str| repo.commit_file("apps/web/version.txt", version, &format!("Version {version}"));
    let oldest = version("1");
    version("2");
    repo.tag("v2").tag_annotated("v2-annotated", "two");
    repo.branch("feature/x");
    version("3");
    repo.checkout("main");
    version("4");
    let in_directory = |name: &str, branch: Option<&str>| api::ProjectCreate {
        branch: branch.map(str::to_owned),
        root_directory: Some("apps/web".into()),
        ..from(name, repo.url())
    };
    for (name, branch, version) in [
        ("default", None, "4"),
        ("branch", Some("feature/x"), "3"),
        ("tag", Some("v2"), "2"),
        ("annotated", Some("v2-annotated"), "2"),
    ] {
        fixture.live(in_directory(name, branch)).await;
        let reply = fixture.server.app(format!("{name}.localhost")).get("/").await.unwrap();
        assert_eq!(reply.version(), Some(version), "{name}");
    }
    let redeploy = api::Redeploy { commit: Some(oldest), if_changed: false };
    let older = fixture.client.redeploy_with("default", &redeploy).await.unwrap();
    fixture.client.wait_for(&older.id, DeploymentState::Live, BUILD).await;
    assert_eq!(fixture.server.app("default.localhost").get("/").await.unwrap().version(), Some("1"));
    let plan = api::PlanRequest { repo_url: repo.url().into(), branch: None, root_directory: Some("apps/web".into()) };
    let plan = fixture.client.project_plan(&plan).await.unwrap();
    assert_eq!((plan.kind.as_str(), plan.run_command.as_deref()), ("node", Some("node server.js")));
}

#[tokio::test]
async fn what_cannot_be_fetched_says_why() {
    let fixture = fixture().await;
    let repo = fixture.git.repo_from_example("hello", "hello-node");
    let private = fixture.git.repo_from_example("private", "hello-node");
    private.require("deploy", "s3cret-password");
    let gone = "0123456789012345678901234567890123456789";
    let with_branch = api::ProjectCreate { branch: Some("no-such-branch".into()), ..from("a", repo.url()) };
    let with_directory = api::ProjectCreate { root_directory: Some("no/such".into()), ..from("b", repo.url()) };
    let missing = repo.url().replace("hello", "no-such-repository");
    for (create, code) in [
        (with_branch, "REF_NOT_FOUND"),
        (with_directory, "ROOT_DIRECTORY_MISSING"),
        (from("c", private.url()), "REPO_PRIVATE"),
        (from("d", &missing), "REPO_NOT_FOUND"),
    ] {
        let failed = fixture.failed(create).await;
        assert_eq!(failed.failure_code.as_deref(), Some(code), "{:?} {:?}", failed.reason, failed.last_lines);
    }
    fixture.live(from("e", repo.url())).await;
    let request = api::Redeploy { commit: Some(gone.into()), if_changed: false };
    let failed = fixture.client.redeploy_with("e", &request).await.unwrap();
    let failed = fixture.client.wait_for(&failed.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("COMMIT_NOT_FOUND"), "{:?}", failed.last_lines);
    let short = api::Redeploy { commit: Some("abc".into()), if_changed: false };
    assert_eq!(fixture.client.redeploy_with("e", &short).await.unwrap_err().code(), "INVALID_COMMIT");
}

#[tokio::test]
async fn an_uploaded_directory_with_its_own_commands() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, archive_of(&example("hello-node"))).await;
    assert_eq!(server.app("hello.localhost").get("/healthz").await.unwrap().status, 200);

    let create = api::ProjectCreate {
        name: "made".into(),
        build_command: Some("mkdir -p 'out dir' && echo '<h1>built $HOME</h1>' > 'out dir/index.html'".into()),
        run_command: Some("python3 -m http.server --bind 127.0.0.1 $PORT".into()),
        output_directory: Some("out dir".into()),
        ..api::ProjectCreate::default()
    };
    let made = project_with(&client, create).await;
    deploy(&client, &made, crate::apps::archive(&[("README.md", "x")])).await;
    assert!(server.app("made.localhost").get("/").await.unwrap().text().contains("built $HOME"));
    // The same upload again, without sending it.
    let again = client.redeploy(&made).await.unwrap();
    client.wait_for(&again.id, DeploymentState::Live, BUILD).await;
}

fn repository(url: &str) -> api::ProjectUpdate {
    api::ProjectUpdate { repo_url: Some(url.into()), ..api::ProjectUpdate::default() }
}

#[tokio::test]
async fn a_project_of_uploads_becomes_one_of_git_and_back() {
    let fixture = fixture().await;
    let (client, app) = (&fixture.client, fixture.server.app("hello.localhost"));
    let repo = fixture.git.repo_from_example("hello", "hello-node");
    repo.commit_version("from-main");
    repo.branch("next");
    repo.commit_version("from-next");
    let id = project(client, "hello").await;
    deploy(client, &id, crate::apps::node_app("uploaded")).await;

    // Nothing there yet to lose, and nothing to check.
    assert_eq!(client.project_update(&id, &repository("")).await.unwrap().source, SourceKind::Upload);
    let update = api::ProjectUpdate { branch: Some("next".into()), ..repository(repo.url()) };
    let updated = client.project_update(&id, &update).await.unwrap();
    assert_eq!((updated.source, updated.branch.as_deref()), (SourceKind::Git, Some("next")));
    let deployment = client.redeploy(&id).await.unwrap();
    let deployment = client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    assert_eq!((deployment.branch.as_deref(), deployment.commit.is_some()), (Some("next"), true));
    assert_eq!(app.get("/").await.unwrap().version(), Some("from-next"));

    let refused = client.project_update(&id, &repository("  ")).await.unwrap_err();
    assert_eq!((refused.status, refused.code(), refused.field()), (400, "INVALID_REPO_URL", Some("repo_url")));
    assert_eq!(client.project_get(&id).await.unwrap().repo_url.as_deref(), Some(repo.url()));

    deploy(client, &id, crate::apps::node_app("uploaded again")).await;
    assert_eq!(client.project_get(&id).await.unwrap().source, SourceKind::Upload);
    assert_eq!(client.project_update(&id, &repository(repo.url())).await.unwrap().source, SourceKind::Git);
}

/// A rule that was changed afterwards is for what is set from then on.
#[tokio::test]
async fn a_repository_is_checked_again_only_when_it_or_its_branch_changes() {
    let mut fixture = fixture().await;
    let repo = fixture.git.repo_from_example("hello", "hello-node");
    let id = fixture.live(from("hello", repo.url())).await.project_id;
    fixture.server.configure(serde_json::json!({"git": {"allow_hosts": []}}));
    fixture.server.restart().await;
    let client = &fixture.client;
    let path = api::ProjectUpdate { health_path: Some("/healthz".into()), ..api::ProjectUpdate::default() };
    let same = api::ProjectUpdate { repo_url: Some(repo.url().into()), ..path };
    assert_eq!(client.project_update(&id, &same).await.unwrap().health_path.as_deref(), Some("/healthz"));
    let branch = api::ProjectUpdate { branch: Some("next".into()), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &branch).await.unwrap_err().code(), "INSECURE_REPO_URL");
    let other = repository(&format!("{}x", repo.url()));
    assert_eq!(client.project_update(&id, &other).await.unwrap_err().code(), "INSECURE_REPO_URL");
}

/// As rows of an earlier version may be.
#[tokio::test]
async fn a_deployment_without_a_source_fails_and_says_so() {
    let git = GitServer::start().await;
    let database = Postgres::shared().database();
    let server = server().git_allow(git.host()).database(Database::Postgres(database.clone())).start().await;
    let client = server.setup().await;
    let repo = git.repo_from_example("hello", "hello-node");
    let build_command = Some("until [ -e /cache/go ]; do sleep 0.05; done".into());
    let made = client.project_create(&api::ProjectCreate { build_command, ..from("hello", repo.url()) }).await.unwrap();
    let (id, first) = (made.project.id, made.deployment.unwrap().id);
    let second = client.redeploy(&id).await.unwrap().id;
    Postgres::shared().psql(&database, "update projects set repo_url = null");
    for deployment in [&first, &second] {
        let failed = client.wait_for(deployment, DeploymentState::Failed, BUILD).await;
        assert_eq!(failed.failure_code.as_deref(), Some("NO_SOURCE"));
        assert!(failed.reason.unwrap().contains("repo_url"));
    }
    assert_eq!(client.redeploy(&id).await.unwrap_err().code(), "NO_SOURCE");
}

#[tokio::test]
async fn a_procfile_is_explained_and_mistakes_in_it_are_told() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "processes").await;
    let procfile = |text: &'static str| {
        crate::apps::archive(&[
            ("Procfile", text),
            ("main.js", MAIN),
            ("work.js", "setInterval(() => {}, 1e6)"),
            ("migrate.js", ""),
            ("clean.js", ""),
        ])
    };
    let text = "web: node main.js\nworker: node work.js\nrelease: node migrate.js\ncron-clean: @daily node clean.js\n";
    let live = deploy(&client, &id, procfile(text)).await;
    let plan = live.plan.unwrap();
    for part in
        ["run `node main.js`", "process worker `node work.js`", "release `node migrate.js`", "schedule cron-clean"]
    {
        assert!(plan.reasons.iter().any(|reason| reason.starts_with(part)), "{part}: {:#?}", plan.reasons);
    }
    for (text, part) in [
        ("web: node main.js\nWorker: x\n", "`Worker` in the Procfile"),
        ("web: node main.js\ncron: 61 * * * * x\n", "the schedule `61 * * * *`"),
    ] {
        let failed = crate::apps::deploy_failing(&client, &id, procfile(text)).await;
        assert_eq!(failed.failure_code.as_deref(), Some("NO_PLAN"));
        assert!(failed.reason.as_ref().is_some_and(|reason| reason.contains(part)), "{:?}", failed.reason);
    }
}

const MAIN: &str = "require('node:http').createServer((q, r) => r.end('up')).listen(process.env.PORT, '127.0.0.1');";

#[tokio::test]
async fn a_missing_tool_comes_with_how_to_get_it() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "pipenv").await;
    let files = [("Pipfile", "[packages]\n"), ("Pipfile.lock", "{}"), ("main.py", "")];
    let failed = crate::apps::deploy_failing(&client, &id, crate::apps::archive(&files)).await;
    assert_eq!(failed.failure_code.as_deref(), Some("MISSING_TOOLCHAIN"));
    let reason = failed.reason.unwrap();
    assert!(reason.contains("no `pipenv`") && reason.contains("apt-get install pipenv"), "{reason}");
}
