//! The program for machines that do not have it yet, and the script that brings it: the real one, run by sh(1) on a
//! machine of its own, with curl(1) as a person has it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use ids::NodeStatus;
use reqwest::Method;
use sha2::{Digest, Sha256};
use testkit::{Client, TestServer, Wire, wait_some, wait_until};

use crate::{SHOWN, open_server, program, server};

/// A machine without the program.
struct Bare {
    wire: Wire,
    home: tempfile::TempDir,
}

impl Bare {
    fn new() -> Self {
        Self { wire: Wire::new(), home: tempfile::tempdir().unwrap() }
    }

    fn prefix(&self) -> PathBuf {
        self.home.path().join("opt")
    }

    fn installed(&self) -> PathBuf {
        self.prefix().join("bin/nanoscale")
    }

    /// Has a shell there do this.
    fn shell(&self, line: &str) -> Command {
        let [enter, arguments @ ..] = self.wire.enter();
        let mut command = Command::new(enter);
        command
            .args(arguments)
            .args(["sh", "-c", line])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.home.path().join("tools").display()))
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    async fn run(&self, line: &str) -> (bool, String) {
        let mut command = self.shell(line);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), text(&output))
    }

    /// Says of itself that it is another kind of machine.
    fn pretend_to_be(&self, kind: &str) {
        let tool = self.home.path().join("tools/uname");
        std::fs::create_dir_all(tool.parent().unwrap()).unwrap();
        let script = format!("#!/bin/sh\n[ \"$1\" = -m ] && echo {kind} || exec /usr/bin/uname \"$@\"\n");
        std::fs::write(&tool, script).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Ends when dropped, as does what it started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who signs in over the wire, as the URL in a token is where they found the server.
async fn invitation(server: &TestServer, client: &Client, wire: &Wire) -> api::JoinTokenCreated {
    let create = api::JoinTokenCreate { name: Some("bare".into()), ..api::JoinTokenCreate::default() };
    let host = format!("{}:{}", wire.near(), server.api_port());
    let request = client.raw(Method::POST, "/api/cluster/generate-token").header("host", host).json(&create);
    let created: api::JoinTokenCreated = request.send().await.unwrap().json().await.unwrap();
    server.secrets().remember(&created.token);
    created
}

fn sha256(path: &Path) -> String {
    format!("{:x}", Sha256::digest(std::fs::read(path).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_installs_the_program_and_arrives() {
    let server = open_server().start().await;
    let client = server.setup().await;
    let bare = Bare::new();
    let created = invitation(&server, &client, &bare.wire).await;
    assert!(!created.local_only && created.url.starts_with("https://192.88.99."), "{}", created.url);
    let command = &created.install_command;
    assert!(command.starts_with("curl -fsSLk --pinnedpubkey "), "{command}");

    // A server with another key is not listened to.
    let pin = command.split("sha256//").nth(1).unwrap().chars().next().unwrap();
    let other = if pin == 'A' { 'B' } else { 'A' };
    let wrong = command.replace(&format!("sha256//{pin}"), &format!("sha256//{other}"));
    let (_, said) = bare.run(&wrong).await;
    assert!(said.contains("(90)") && !bare.prefix().exists(), "{said}");

    let (well, said) = bare.run(&format!("{command} --prefix {}", bare.prefix().display())).await;
    assert!(well && said.contains("there is no systemd to run it as a service here"), "{said}");
    assert_eq!(sha256(&bare.installed()), sha256(Path::new(program())));
    assert_eq!(std::fs::read_link(bare.prefix().join("bin/agent")).unwrap(), Path::new("nanoscale"));
    let token = bare.prefix().join("etc/nanoscale/join-token");
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let run = said.lines().find(|line| line.contains(" join --token-file ")).unwrap();
    assert!(!run.contains("nsj_"), "{run}");

    let config = bare.prefix().join("etc/nanoscale/node.json");
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap().replace(":8080", ":0")).unwrap();
    let mut started = bare.shell(&format!("exec {run}"));
    let node = Running(started.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let arrived = wait_some("the machine arrives", SHOWN, async || {
        let nodes = client.nodes().await.unwrap();
        nodes.into_iter().find(|node| node.name == "bare" && node.status == NodeStatus::Online)
    })
    .await;
    assert!(!arrived.embedded && arrived.problems.is_empty(), "{arrived:?}");

    // Once more: nothing is fetched, and it is who it was.
    drop(node);
    let (well, said) = bare.run(&format!("{command} --prefix {}", bare.prefix().display())).await;
    assert!(well && said.contains("already"), "{said}");
    let node = Running(bare.shell(&format!("exec {run}")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_until("it is back", SHOWN, async || client.node_get(&arrived.id).await.unwrap().status == NodeStatus::Online)
        .await;
    drop(node);
    assert!(!server.output().contains(&created.token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_takes_its_own_program_and_its_own_clusters_token_only() {
    let (one, two) = (open_server().start().await, server().start().await);
    let (client, other) = (one.setup().await, two.setup().await);
    let bare = Bare::new();
    let created = invitation(&one, &client, &bare.wire).await;
    let script = bare.home.path().join("script");
    let fetch = created.install_command.split(" | ").next().unwrap().to_owned();
    assert!(bare.run(&format!("{fetch} > script")).await.0);
    let install = |arguments: &str| format!("sh script --prefix {} {arguments}", bare.prefix().display());

    let checked = Command::new("shellcheck").arg(&script).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked));

    let foreign = other.join_token(&api::JoinTokenCreate::default()).await.unwrap().token;
    let (_, said) = bare.run(&install(&format!("--join {foreign}"))).await;
    assert!(said.contains("the join token is of another cluster"), "{said}");
    let (_, said) = bare.run(&install("--join hello")).await;
    assert!(said.contains("a join token begins with nsj_"), "{said}");
    let (_, said) = bare.run(&install(&format!("--join {}", &created.token[..60]))).await;
    assert!(said.contains("not complete"), "{said}");
    let (_, said) = bare.run(&install("--jion x")).await;
    assert!(said.contains("--jion is not understood"), "{said}");
    assert!(!bare.prefix().exists(), "nothing was fetched");

    // Somebody between changes the program: it is not what the script was made for.
    let whole = std::fs::read_to_string(&script).unwrap();
    let digest = sha256(Path::new(program()));
    assert!(whole.contains(&digest), "{whole}");
    std::fs::write(&script, whole.replace(&digest, &digest.chars().rev().collect::<String>())).unwrap();
    let (well, said) = bare.run(&install("")).await;
    assert!(!well && said.contains("is not the program this script is for"), "{said}");
    assert_eq!(std::fs::read_dir(bare.prefix().join("bin")).unwrap().count(), 0, "nothing is left");

    // A script that broke off does nothing.
    std::fs::write(&script, &whole[..whole.len() - 12]).unwrap();
    let (_, said) = bare.run(&install("")).await;
    assert!(!bare.installed().exists(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_for_other_platforms_are_supplied_by_the_operator() {
    let server = open_server().start().await;
    let admin = server.setup().await;
    let client = admin.anonymous();
    let get =
        async |query: &str| client.raw(Method::GET, &format!("/api/agent/download?{query}")).send().await.unwrap();
    let refused = async |query: &str| {
        let response = get(query).await;
        (response.status().as_u16(), response.json::<api::ErrorBody>().await.unwrap())
    };
    for query in ["os=linux&arch=riscv64", "os=windows&arch=amd64", "os=linux", "arch=amd64", "", "os=%00&arch=../x"] {
        let (status, body) = refused(query).await;
        assert_eq!((status, body.error.as_str()), (400, "UNKNOWN_PLATFORM"), "{query}");
        assert!(body.message.contains("arch=amd64") && body.message.contains("arch=arm64"), "{}", body.message);
    }
    let (own, foreign) = if cfg!(target_arch = "x86_64") { ("amd64", "arm64") } else { ("arm64", "amd64") };
    let (status, body) = refused(&format!("os=linux&arch={foreign}")).await;
    assert_eq!((status, body.error.as_str()), (404, "NOT_SUPPLIED"));
    let wanted = format!("agents/nanoscale-linux-{foreign}");
    assert!(body.message.contains(&wanted), "{}", body.message);

    let bare = Bare::new();
    let created = invitation(&server, &admin, &bare.wire).await;
    let kind = if foreign == "arm64" { "aarch64" } else { "x86_64" };
    bare.pretend_to_be(kind);
    let line = created.install_command.split(" -s --").next().unwrap().to_owned();
    let line = format!("{line} -s -- --prefix {}", bare.prefix().display());
    let (well, said) = bare.run(&line).await;
    assert!(!well && said.contains("NOT_SUPPLIED") && said.contains(&wanted), "{said}");
    bare.pretend_to_be("riscv64");
    assert!(bare.run(&line).await.1.contains("there is no NanoScale for riscv64"));

    let file = server.data_dir().join("server").join(&wanted);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, b"a program for others").unwrap();
    for arch in [foreign, kind] {
        assert_eq!(get(&format!("os=linux&arch={arch}")).await.bytes().await.unwrap(), "a program for others");
    }
    let version = client.raw(Method::GET, "/api/agent/version").send().await.unwrap();
    let version: api::AgentVersion = version.json().await.unwrap();
    assert_eq!((version.version.as_str(), version.protocol_newest), (env!("CARGO_PKG_VERSION"), wire::LINK_PROTOCOL));
    let digest = |arch: &str| version.platforms.iter().find(|it| it.arch == arch).unwrap().sha256.clone();
    assert_eq!((digest(own), digest(foreign)), (sha256(Path::new(program())), sha256(&file)));
    // A newer one is seen.
    std::fs::write(&file, b"a newer program").unwrap();
    let response = get(&format!("os=linux&arch={foreign}")).await;
    assert_eq!(response.headers()["etag"].to_str().unwrap(), format!("\"{}\"", sha256(&file)));
    assert!(response.headers()["repr-digest"].to_str().unwrap().starts_with("sha-256=:"));

    // Only its head, and a part of it.
    let path = format!("/api/agent/download?os=linux&arch={foreign}");
    let head = client.raw(Method::HEAD, &path).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "15"));
    let part = client.raw(Method::GET, &path).header("range", "bytes=8-14").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.text().await.unwrap().as_str()), (206, "program"));

    bare.pretend_to_be(kind);
    let (well, said) = bare.run(&line).await;
    assert!(well && said.contains("to join a cluster"), "{said}");
    assert_eq!(std::fs::read(bare.installed()).unwrap(), b"a newer program");
}
