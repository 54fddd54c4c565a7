use std::path::Path;
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use testkit::GitServer;
use tokio::process::Command;

/// A clone by a git that knows nobody's passwords.
fn command(url: &str, into: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", into)
        .env("GIT_TERMINAL_PROMPT", "0");
    git.args(["clone", "--quiet", url]).arg(into);
    git
}

async fn clone(url: &str, into: &Path) -> Output {
    command(url, into).output().await.expect("run git")
}

#[tokio::test]
async fn a_public_repository_is_cloned() {
    let server = GitServer::start().await;
    let repo = server.repo_from_example("hello", "hello-node");
    let first = repo.head();
    let second = repo.write("version.txt", "2.0.0\n").commit_as("Grace", "grace@example.com", "Second");
    repo.tag("v2").tag_annotated("v2-final", "The second").branch("feature/x").commit_file("x", "x", "On a branch");
    assert_ne!(first, second);

    let into = tempfile::tempdir().unwrap();
    let output = clone(repo.url(), into.path()).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(into.path().join("version.txt")).unwrap(), "2.0.0\n");
    assert!(into.path().join("server.js").exists() && !into.path().join("x").exists());
    assert_eq!(repo.run(&["log", "--format=%an %s", "-1", &second]), "Grace Second");
    assert!(server.requests().contains(&"POST /hello.git/git-upload-pack".into()), "{:?}", server.requests());
    assert!(!clone(&repo.url().replace("hello", "other"), into.path()).await.status.success());
}

#[tokio::test]
async fn a_private_repository_wants_credentials() {
    let server = GitServer::start().await;
    let repo = server.repo("private");
    repo.commit_file("secret.txt", "s", "First");
    repo.require("ada", "pass word");
    let into = tempfile::tempdir().unwrap();
    let target = into.path().join("clone");
    let url = |who: &str| repo.url().replace("http://", &format!("http://{who}"));
    for who in ["", "ada:wrong@", "eve:pass%20word@"] {
        assert!(!clone(&url(who), &target).await.status.success(), "{who}");
    }
    let output = clone(&url("ada:pass%20word@"), &target).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_held_fetch_waits() {
    let server = GitServer::start().await;
    let repo = server.repo("held");
    repo.commit_file("a", "a", "First");
    let hold = repo.hold();
    let into = tempfile::tempdir().unwrap();
    let mut cloning = Box::pin(clone(repo.url(), into.path()));
    tokio::select! {
        output = &mut cloning => panic!("it did not wait: {output:?}"),
        () = hold.reached() => {}
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut cloning).await.is_err());
    hold.release();
    assert!(cloning.await.status.success());

    let hold = repo.hold();
    let other = tempfile::tempdir().unwrap();
    let mut git = command(repo.url(), other.path()).process_group(0).spawn().unwrap();
    hold.reached().await;
    // All of it: git has a child that does the fetching.
    killpg(Pid::from_raw(git.id().unwrap().try_into().unwrap()), Signal::SIGKILL).unwrap();
    git.wait().await.unwrap();
    hold.abandoned().await;
}
