use ids::DeploymentState;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::wait_some;

use crate::apps::{archive, deploy, project_with};
use crate::{BUILD, server};

/// Writes what it got into the response as JSON, and what the build got into a file.
fn tell_app() -> Vec<u8> {
    let server = "const http = require('node:http'), fs = require('node:fs');\
        const at_build = fs.readFileSync('built.json', 'utf8');\
        http.createServer((q, r) => r.end(JSON.stringify({ run: process.env, build: JSON.parse(at_build) }))).listen(process.env.PORT);";
    let build = "require('node:fs').writeFileSync('built.json', JSON.stringify(process.env)); console.log('the key is ' + process.env.SECRET);";
    archive(&[
        ("package.json", r#"{"scripts":{"start":"node server.js","build":"node build.js"}}"#),
        ("server.js", server),
        ("build.js", build),
    ])
}

pub(crate) const ODD: [(&str, &str); 5] = [
    ("SECRET", "hunter2-very-secret"),
    ("DOLLAR", "a$HOME$(id)`id`$$"),
    ("QUOTES", "it's \"quoted\" \\ back"),
    ("LINES", "-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----\n"),
    ("UNICODE", "Größe 🦀 \u{202e}x"),
];

#[tokio::test]
async fn values_reach_build_and_process_byte_for_byte_and_nobody_else() {
    let server = server().start().await;
    let client = server.setup().await;
    let env_vars = ODD.map(|(key, value)| api::EnvVarInput { key: key.into(), value: value.into() }).to_vec();
    let create = api::ProjectCreate { name: "tell".into(), env_vars, ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    let deployment = deploy(&client, &id, tell_app()).await;
    let told: Value = serde_json::from_str(&server.app("tell.localhost").get("/").await.unwrap().text()).unwrap();
    for (key, value) in ODD {
        assert_eq!(told["run"][key], value, "{key} at run time");
        assert_eq!(told["build"][key], value, "{key} at build time");
    }
    // Nothing of the server's own environment came along.
    assert!(told["run"].get("NANOSCALE_SETUP_CODE").is_none());
    for path in [
        format!("/api/projects/{id}"),
        "/api/projects".into(),
        format!("/api/projects/{id}/env"),
        format!("/api/projects/{id}/deployments"),
        format!("/api/deployments/{}", deployment.id),
        format!("/api/deployments/{}/log", deployment.id),
        format!("/api/projects/{id}/logs"),
        "/api/nodes".into(),
    ] {
        let text = client.raw(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("hunter2") && !text.contains("abcdefgh"), "{path}: {text}");
    }
    let log = client.log(&deployment.id).await.unwrap();
    assert!(log.iter().any(|line| line.text == "the key is [SECRET]"), "{log:#?}");
    assert!(!server.output().contains("hunter2"));
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let cmdline = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&cmdline).contains("hunter2-very-secret"), "{process:?}");
    }
    files_hold_no_secret(&server.data_dir(), "hunter2");
}

/// Sealed in the database, in no other file of ours but the release that the build itself wrote into.
pub(crate) fn files_hold_no_secret(directory: &std::path::Path, secret: &str) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.ends_with("node/groups") || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files_hold_no_secret(&path, secret);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", path.display());
        }
    }
}

#[tokio::test]
async fn the_set_is_written_whole_and_values_can_be_kept() {
    let server = server().start().await;
    let client = server.setup().await;
    let env_vars = vec![
        api::EnvVarInput { key: "KEPT".into(), value: "kept-value".into() },
        api::EnvVarInput { key: "GONE".into(), value: "gone-value".into() },
    ];
    let create = api::ProjectCreate { name: "tell".into(), env_vars, ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    deploy(&client, &id, tell_app()).await;
    let listed = client.env_put(&id, &[("KEPT", None), ("NEW", Some("new-value"))]).await.unwrap();
    assert_eq!(listed.iter().map(|var| var.key.as_str()).collect::<Vec<_>>(), ["KEPT", "NEW"]);
    assert_eq!(client.env_put(&id, &[("UNKNOWN", None)]).await.unwrap_err().code(), "ENV_VALUE_MISSING");
    assert_eq!(
        client.env_put(&id, &[("A", Some("1")), ("A", Some("2"))]).await.unwrap_err().code(),
        "DUPLICATE_ENV_KEY"
    );

    let again = client.redeploy(&id).await.unwrap();
    client.wait_for(&again.id, DeploymentState::Live, BUILD).await;
    let read = async || -> Value {
        serde_json::from_str(&server.app("tell.localhost").get("/").await.unwrap().text()).unwrap()
    };
    let told = read().await;
    assert_eq!((&told["run"]["KEPT"], &told["run"]["NEW"]), (&json!("kept-value"), &json!("new-value")));
    assert!(told["run"].get("GONE").is_none());
    // A rollback brings the environment of its release back.
    let back = client.rollback(&id, None).await.unwrap();
    client.wait_for(&back.id, DeploymentState::Live, BUILD).await;
    assert_eq!(read().await["run"]["GONE"], "gone-value");
}

/// As much as the API takes is as much as the kernel does.
#[tokio::test]
async fn the_largest_environment_that_is_taken_reaches_the_process() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate { name: "tell".into(), ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    // A short key, so that the value may be longest; together as much as may be.
    let longest = 131_072 - "K0=".len() - 1;
    let keys = (0..8).map(|number| format!("K{number}")).collect::<Vec<_>>();
    let value = "x".repeat(longest);
    let rest = "x".repeat((1 << 20) - 7 * (longest + 12) - 12);
    let set = keys.iter().map(|key| (key.as_str(), Some(if key == "K7" { &*rest } else { &*value })));
    let set = set.collect::<Vec<_>>();
    let one_more = format!("{value}x");
    let refused = client.env_put(&id, &[("K0", Some(&one_more))]).await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("ENV_VALUE_TOO_LARGE", Some("[0].value")));
    assert!(refused.text.contains("`K0`") && refused.text.contains(&longest.to_string()), "{}", refused.text);
    client.env_put(&id, &set).await.unwrap();
    // Values that are kept count too.
    let mut kept = keys.iter().map(|key| (key.as_str(), None)).collect::<Vec<_>>();
    kept.push(("ONE_MORE", Some("")));
    assert_eq!(client.env_put(&id, &kept).await.unwrap_err().code(), "ENV_TOO_LARGE");

    deploy(&client, &id, tell_app()).await;
    let told: Value = serde_json::from_str(&server.app("tell.localhost").get("/").await.unwrap().text()).unwrap();
    for step in ["run", "build"] {
        assert_eq!(told[step]["K0"].as_str().map(str::len), Some(longest), "{step}");
        assert_eq!(told[step]["K7"].as_str().map(str::len), Some(rest.len()), "{step}");
    }
}

/// What a start says that is refused. One that is not is ended after a while.
fn refused_start(server: &testkit::TestServer) -> String {
    let mut command = std::process::Command::new("timeout");
    command.arg("20").arg(crate::program()).args(["serve", "--config"]).arg(server.config_path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_lost_key_ring_is_asked_for_and_never_replaced() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate { name: "tell".into(), ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    client.env_put(&id, &[("SECRET", Some("hunter2-very-secret"))]).await.unwrap();
    server.terminate();

    let keys = server.data_dir().join("server/keys.json");
    let kept = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    let said = refused_start(&server);
    assert!(said.contains(keys.to_str().unwrap()) && said.contains("restore"), "{said}");
    assert!(!keys.exists(), "a new key ring opens nothing of what is sealed");

    let generate = [std::ffi::OsStr::new("keys"), "generate".as_ref(), "--out".as_ref(), keys.as_os_str()];
    assert!(std::process::Command::new(crate::program()).args(generate).status().unwrap().success());
    let other = std::fs::read(&keys).unwrap();
    let said = refused_start(&server);
    assert!(said.contains(keys.to_str().unwrap()), "{said}");
    assert_eq!(std::fs::read(&keys).unwrap(), other);

    std::fs::write(&keys, kept).unwrap();
    server.restart().await;
    deploy(&client, &id, tell_app()).await;
    let told: Value = serde_json::from_str(&server.app("tell.localhost").get("/").await.unwrap().text()).unwrap();
    assert_eq!(told["run"]["SECRET"], "hunter2-very-secret");
}

/// Answers with its `NAME`, and ends when it is asked to.
fn mortal_app() -> Vec<u8> {
    let server = "require('node:http').createServer((q, r) => {\
        if (q.url === '/exit') process.exit(1); r.end(process.env.NAME); }).listen(process.env.PORT);";
    archive(&[("package.json", "{}"), ("index.js", server)])
}

#[tokio::test]
async fn an_environment_that_does_not_open_stops_nobody_else() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let mut ids = Vec::new();
    for name in ["torn", "sound"] {
        let env_vars = vec![api::EnvVarInput { key: "NAME".into(), value: name.into() }];
        let create = api::ProjectCreate { name: name.into(), env_vars, ..api::ProjectCreate::default() };
        let id = project_with(&client, create).await;
        deploy(&client, &id, mortal_app()).await;
        ids.push(id);
    }
    let (torn, sound) = (&ids[0], &ids[1]);
    server.terminate();
    // What was sealed for one project does not open for another.
    let swap = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('update releases set env_sealed = \
        (select env_sealed from releases where project_id = ?) where project_id = ?', sys.argv[2:]); db.commit()";
    let database = server.data_dir().join("server/nanoscale.db");
    let arguments = ["-c", swap, database.to_str().unwrap(), sound.as_str(), torn.as_str()];
    assert!(std::process::Command::new("python3").args(arguments).status().unwrap().success());
    server.restart().await;

    // What runs goes on, and the rest of the node does what it shall.
    let said = async |name: &str| server.app(format!("{name}.localhost")).get("/").await.unwrap().text();
    assert_eq!(said("torn").await, "torn");
    deploy(&client, sound, mortal_app()).await;
    assert_eq!(said("sound").await, "sound");
    let run = client.run_create(torn, "true", None).await.unwrap();
    let run = wait_some("the run has ended", BUILD, async || {
        let run = client.run(&run.id).await.unwrap();
        run.state.is_settled().then_some(run)
    });
    assert_eq!(run.await.failure_code.as_deref(), Some("ENV_UNREADABLE"));

    // It says why it is not started again.
    let _ = server.app("torn.localhost").get("/exit").await;
    let node = client.nodes().await.unwrap().remove(0).id;
    let reason = wait_some("its workload says why", BUILD, async || {
        let workloads = client.node_get(&node).await.unwrap().workloads;
        let workload = workloads.into_iter().find(|it| &it.project_id == torn)?;
        workload.reason.filter(|reason| reason.contains("keys.json"))
    });
    reason.await;
    // A new deployment has the variables as they are set.
    deploy(&client, torn, mortal_app()).await;
    assert_eq!(said("torn").await, "torn");
}
