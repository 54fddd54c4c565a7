//! The binary as a person at a shell has it.

mod disk;
mod jobs;
mod machine;
mod metrics;
mod monorepo;
mod runtime;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use testkit::{Client, PATIENCE, Receiver, TestServer, example};

use crate::{program, server};

fn nanoscale(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn no_or_contradictory_arguments_are_a_usage_error() {
    for arguments in [&[][..], &["--role", "orchestrator", "migrate"], &["--role", "nonsense"], &["no-such-command"]] {
        let output = nanoscale(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains("--help") || text(&output).contains("Usage"), "{}", text(&output));
    }
    // The guide's word for `serve`.
    let role = nanoscale(&["--role", "orchestrator", "--config", "/no/such/file.json"]).output().unwrap();
    assert!(role.status.code() == Some(1) && text(&role).contains("/no/such/file.json"), "{}", text(&role));
    let version = nanoscale(&["--version"]).output().unwrap();
    assert_eq!(text(&version).trim(), format!("nanoscale {}", env!("CARGO_PKG_VERSION")));
    assert!(text(&nanoscale(&["completions", "bash"]).output().unwrap()).contains("_nanoscale"));
}

#[test]
fn a_configuration_is_checked_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    let check = |json: &str| {
        std::fs::write(&file, json).unwrap();
        nanoscale(&["config", "check", "--config"]).arg(&file).env("HOME", "/nonexistent").output().unwrap()
    };
    let bad =
        check(r#"{"orchestrator":{"bind_address":"x","base_domain":"a/b"},"limits":{"drain_seconds":"x"},"oops":1}"#);
    assert!(!bad.status.success());
    for path in ["orchestrator.bind_address", "orchestrator.base_domain", "limits.drain_seconds", "oops"] {
        assert!(text(&bad).contains(path), "{}", text(&bad));
    }
    let defaults = nanoscale(&["config", "default"]).output().unwrap();
    let good = check(&String::from_utf8(defaults.stdout).unwrap());
    assert!(good.status.success(), "{}", text(&good));
    let start = nanoscale(&["serve", "--config"]).arg("/no/such/file.json").output().unwrap();
    assert_eq!(start.status.code(), Some(1));
    assert!(text(&start).contains("/no/such/file.json"));
}

#[test]
fn keys_setup_and_migrate() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        nanoscale(arguments).current_dir(directory.path()).env("HOME", directory.path()).output().unwrap()
    };
    assert!(run(&["keys", "generate", "--out", "keys.json"]).status.success());
    let again = run(&["keys", "generate", "--out", "keys.json"]);
    assert!(!again.status.success() && text(&again).contains("never overwritten"));

    let mut setup = nanoscale(&["setup"])
        .current_dir(directory.path())
        .env("HOME", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let data = directory.path().join("data");
    write!(setup.stdin.take().unwrap(), "{}\n\n\nexample.com\n", data.display()).unwrap();
    assert!(setup.wait().unwrap().success());
    let file: Value = serde_json::from_slice(&std::fs::read(directory.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(file["orchestrator"]["base_domain"], "example.com");
    let migrate = run(&["migrate", "--config", "config.json"]);
    assert!(migrate.status.success(), "{}", text(&migrate));
    assert!(data.join("server/nanoscale.db").is_file());
}

/// A shell of somebody who is signed in.
struct Shell<'a> {
    server: &'a TestServer,
    token: String,
    home: tempfile::TempDir,
}

impl Shell<'_> {
    async fn run(&self, directory: &Path, arguments: &[&str]) -> Output {
        self.run_with(directory, arguments, "").await
    }

    /// At a terminal, of which script(1) makes one.
    async fn at_terminal(&self, arguments: &[&str], typed: &str) -> Output {
        let program = nanoscale(arguments);
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let line = words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(self.home.path())
            .env("SHELL", "/bin/sh")
            .env("HOME", self.home.path())
            .env("NANOSCALE_URL", self.server.api_url())
            .env("NANOSCALE_TOKEN", &self.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let typed = typed.to_owned();
        tokio::task::spawn_blocking(move || {
            child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        })
        .await
        .unwrap()
    }

    /// With something on standard input.
    async fn run_with(&self, directory: &Path, arguments: &[&str], input: &str) -> Output {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = self.command(directory, arguments);
        command.stdin(std::fs::File::open(&file).unwrap());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = nanoscale(arguments);
        command
            .current_dir(directory)
            .env("HOME", self.home.path())
            .env("NANOSCALE_URL", self.server.api_url())
            .env("NANOSCALE_TOKEN", &self.token)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

async fn shell<'a>(server: &'a TestServer, admin: &Client) -> Shell<'a> {
    let token = admin.token_create("shell").await.unwrap().token;
    Shell { server, token, home: tempfile::tempdir().unwrap() }
}

#[tokio::test]
async fn deploy_logs_env_and_rollback_from_a_shell() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let work = tempfile::tempdir().unwrap();
    let app = work.path().join("hello-node");
    std::fs::create_dir(&app).unwrap();
    for file in std::fs::read_dir(example("hello-node")).unwrap().flatten() {
        std::fs::copy(file.path(), app.join(file.file_name())).unwrap();
    }
    std::fs::write(app.join(".gitignore"), "secret.txt\n").unwrap();
    std::fs::write(app.join("secret.txt"), "not for upload").unwrap();
    std::fs::write(app.join("version.txt"), "1").unwrap();

    let deployed = shell.run(work.path(), &["deploy", "./hello-node"]).await;
    assert!(deployed.status.success(), "{}", text(&deployed));
    assert!(text(&deployed).contains("run: $ node server.js"), "{}", text(&deployed));
    assert!(text(&deployed).contains("http://hello-node.localhost"), "{}", text(&deployed));
    let visitor = server.app("hello-node.localhost");
    assert_eq!(visitor.get("/").await.unwrap().version(), Some("1"));
    let project = admin.project_get("hello-node").await.unwrap();
    let release = server.data_dir().join("node/groups").join(project.id.as_str()).join("releases");
    let release = release.join(project.live_deployment.unwrap().id.as_str());
    assert!(release.join("server.js").is_file() && !release.join("secret.txt").exists());

    let set = shell.run(&app, &["env", "set", "hello-node", "GREETING=from the shell"]).await;
    assert!(set.status.success(), "{}", text(&set));
    assert!(text(&shell.run(&app, &["env", "list", "hello-node"]).await).contains("GREETING"));
    std::fs::write(app.join("version.txt"), "2").unwrap();
    let second = shell.run(&app, &["deploy"]).await;
    assert!(second.status.success(), "{}", text(&second));
    assert_eq!(visitor.get("/").await.unwrap().version(), Some("2"));

    std::fs::rename(app.join("server.js"), app.join("moved.js")).unwrap();
    let broken = shell.run(&app, &["deploy"]).await;
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken));
    assert_eq!(visitor.get("/").await.unwrap().version(), Some("2"));

    let back = shell.run(&app, &["rollback", "hello-node"]).await;
    assert!(back.status.success(), "{}", text(&back));
    assert!(text(&back).contains("Rolling back to deployment 1,"), "{}", text(&back));
    assert_eq!(visitor.get("/").await.unwrap().version(), Some("1"));
    let logs = shell.run(&app, &["logs", "hello-node"]).await;
    assert!(logs.status.success() && !logs.stdout.is_empty(), "{}", text(&logs));
    let listed = shell.run(&app, &["deployment", "list", "hello-node", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["deployments"].as_array().unwrap().len(), 4);

    let id = listed["deployments"][1]["id"].as_str().unwrap();
    for name in [&["hello-node/3"][..], &["hello-node", "3"], &["hello-node/#3"], &[id]] {
        let shown = shell.run(&app, &[&["deployment", "show"], name].concat()).await;
        assert!(shown.status.success() && text(&shown).contains(id), "{name:?}: {}", text(&shown));
        assert!(text(&shown).contains("hello-node") && !text(&shown).contains(project.id.as_str()), "{}", text(&shown));
    }
    let first = text(&shell.run(&app, &["deployment", "show", "hello-node/1"]).await);
    assert!(first.lines().any(|line| line.starts_with("steps") && line.contains("start ")), "{first}");
    let unknown = shell.run(&app, &["deployment", "show", "hello-node"]).await;
    assert!(text(&unknown).contains("hello-node/NUMBER"), "{}", text(&unknown));
    let node = &admin.nodes().await.unwrap()[0];
    let shown = text(&shell.run(&app, &["project", "show", "hello-node"]).await);
    assert!(shown.contains(&node.name) && !shown.contains(node.id.as_str()), "{shown}");
    let shown = text(&shell.run(&app, &["node", "show", &node.name]).await);
    assert!(shown.contains("hello-node  ") && !shown.contains(project.id.as_str()), "{shown}");
    let nowhere = shell.run(&app, &["deploy", "/nonexistent"]).await;
    assert!(text(&nowhere).contains("the directory /nonexistent does not exist"), "{}", text(&nowhere));

    let gone = shell.run(&app, &["project", "delete", "hello-node", "--yes"]).await;
    assert!(gone.status.success(), "{}", text(&gone));
    let missing = shell.run(&app, &["project", "show", "hello-node"]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("error:"), "{}", text(&missing));
}

#[tokio::test]
async fn a_rollback_says_first_what_it_changes() {
    let server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let admin = server.setup().await;
    let token = admin.token_create("shell").await.unwrap().token;
    let shell = Shell { server: &server, token, home: tempfile::tempdir().unwrap() };
    let here = shell.home.path();
    let id = crate::apps::project(&admin, "shop").await;
    admin.env_put(&id, &[("GREETING", Some("first-greeting"))]).await.unwrap();
    let first = crate::apps::deploy(&admin, &id, crate::apps::node_app("1")).await;
    admin.env_put(&id, &[("GREETING", Some("second-greeting"))]).await.unwrap();
    crate::apps::deploy(&admin, &id, crate::apps::node_app("2")).await;

    let diff = shell.run(here, &["rollback", "shop", "--diff"]).await;
    assert!(diff.status.success(), "{}", text(&diff));
    let said = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert!(said.contains("A rollback would go to deployment 1,") && said.contains("from deployment 2,"), "{said}");
    assert!(said.contains("~ env.GREETING\n") && !said.contains("-greeting"), "{said}");
    let plan = shell.run(here, &["rollback", "shop", "--to", "1", "--diff", "--json"]).await;
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["to"]["deployment_id"], first.id.as_str());
    assert_eq!(plan["changes"], json!([{"what": "env.GREETING", "change": "changed"}]));
    assert_eq!(admin.deployment_list(&id).await.unwrap().len(), 2, "nothing was done");

    // At a terminal it asks, and takes anything but a yes as a no.
    let asked = shell.at_terminal(&["rollback", "shop"], "\n").await;
    assert!(!asked.status.success() && text(&asked).contains("Go on?"), "{}", text(&asked));
    assert!(text(&asked).contains("nothing was changed"), "{}", text(&asked));
    assert_eq!(admin.deployment_list(&id).await.unwrap().len(), 2);
    let yes = shell.at_terminal(&["rollback", "shop"], "y\n").await;
    assert!(yes.status.success() && text(&yes).contains("~ env.GREETING"), "{}", text(&yes));
    let forward = shell.at_terminal(&["rollback", "shop", "--yes"], "").await;
    assert!(forward.status.success() && !text(&forward).contains("Go on?"), "{}", text(&forward));
    assert_eq!(server.app("shop.localhost").get("/").await.unwrap().version(), Some("2"));

    let pinned = shell.run(here, &["release", "pin", "shop", "1"]).await;
    assert!(pinned.status.success(), "{}", text(&pinned));
    let listed = text(&shell.run(here, &["release", "list", "shop"]).await);
    assert!(listed.contains("pinned") && listed.contains("live"), "{listed}");
    assert!(shell.run(here, &["release", "unpin", "shop", first.id.as_str()]).await.status.success());
    let listed = shell.run(here, &["release", "list", "shop", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["releases"][1]["pinned"], false);
    let unknown = shell.run(here, &["release", "pin", "shop", "7"]).await;
    assert!(text(&unknown).contains("no release `7` is kept"), "{}", text(&unknown));
    let kept = shell.run(here, &["project", "update", "shop", "--releases-kept", "9"]).await;
    assert!(text(&kept).contains("releases kept  9"), "{}", text(&kept));
}

#[tokio::test]
async fn notification_channels_from_a_shell() {
    let receiver = Receiver::start().await;
    let server = server().notification_allow(receiver.host()).start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str], input: &str| {
        let output = shell.run_with(here, arguments, input).await;
        (output.status.code(), text(&output))
    };
    assert!(run(&["notify", "list"], "").await.1.contains("notify add"));
    let (code, said) = run(&["notify", "add", "slack", "team"], "").await;
    assert!(code == Some(1) && said.contains("standard input"), "{said}");
    let (code, said) = run(&["notify", "add", "slack", "team"], &receiver.slack_url()).await;
    assert!(code == Some(0) && said.contains("notify test 'team'"), "{said}");
    std::fs::write(here.join("secret"), "a signing secret\n").unwrap();
    let add = ["notify", "add", "webhook", "hook", "--event", "deployment.live", "--secret-file", "secret"];
    let (code, said) = run(&add, &format!("{}\n", receiver.url())).await;
    assert_eq!(code, Some(0), "{said}");
    let add = ["notify", "add", "email", "mail", "--host", "10.0.0.1", "--from", "a@example.com", "--to", "b"];
    let (code, said) = run(&add, "").await;
    assert!(code == Some(1) && said.contains("`b` is no e-mail address"), "{said}");

    let (_, said) = run(&["notify", "list"], "").await;
    assert!(said.contains("team") && said.contains("hook") && said.contains(&receiver.host()), "{said}");
    let (code, said) = run(&["notify", "test", "hook"], "").await;
    assert!(code == Some(0) && said.contains("took the test"), "{said}");
    assert!(receiver.received()[0].is_signed_by("a signing secret"));
    receiver.answer_with(403, &[], "action_prohibited", 1);
    let (code, said) = run(&["notify", "test", "team"], "").await;
    assert!(code == Some(1) && said.contains("action_prohibited"), "{said}");

    let update = ["notify", "update", "team", "--name", "crew", "--event", "deployment.failed", "--disable"];
    assert_eq!(run(&update, "").await.0, Some(0));
    let (_, said) = run(&["notify", "show", "crew"], "").await;
    assert!(said.contains("deployment.failed") && !said.contains("crash_loop"), "{said}");
    assert_eq!(run(&["notify", "update", "crew", "--enable"], "").await.0, Some(0));
    assert_eq!(run(&["project", "create", "shop"], "").await.0, Some(0));
    std::fs::create_dir(here.join("empty")).unwrap();
    std::fs::write(here.join("empty/README.md"), "x").unwrap();
    let before = receiver.received().len();
    run(&["deploy", "empty", "--project", "shop"], "").await;
    receiver.wait_for(before + 1, PATIENCE).await;
    let (_, said) = run(&["notify", "deliveries", "crew"], "").await;
    assert!(said.contains("shop: deployment 1 failed"), "{said}");
    assert_eq!(run(&["notify", "remove", "crew"], "").await.0, Some(0));
    let (code, said) = run(&["notify", "show", "crew"], "").await;
    assert!(code == Some(1) && said.contains("notify list"), "{said}");
}
