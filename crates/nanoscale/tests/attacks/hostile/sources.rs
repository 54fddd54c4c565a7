//! Uploads and repositories made to harm whoever unpacks, builds or removes them. What an archive can
//! hold is tried one by one beside `unpack` itself.

use std::io::Write;
use std::process::{Command, Stdio};

use ids::DeploymentState;
use tar::{EntryType, Header};
use testkit::{GitServer, wait_until};

use crate::apps::{archive, deploy, deploy_failing, project, project_with};
use crate::{BUILD, server};

/// An entry as no honest program writes it.
fn entry(path: &str, to: &str, kind: EntryType, mode: u32, size: u64, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..path.len()].copy_from_slice(path.as_bytes());
    old.linkname[..to.len()].copy_from_slice(to.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str, text: &str) -> Vec<u8> {
    entry(path, "", EntryType::Regular, 0o644, text.len() as u64, text.as_bytes())
}

#[tokio::test]
async fn archives_that_would_get_out_or_grow_are_refused() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hostile").await;
    let site = || file("index.html", "<h1>up</h1>");
    let link = |to| entry("out", to, EntryType::Symlink, 0o777, 0, b"");
    let hard = |to| entry("hard", to, EntryType::Link, 0o644, 0, b"");
    let zeros = zstd_of_zeros(1 << 30);
    for (name, parts, code) in [
        ("up", vec![site(), file("../x", "x")], "BAD_ARCHIVE"),
        ("through a link", vec![site(), link("/cache"), file("out/x", "x")], "BAD_ARCHIVE"),
        ("hard link", vec![site(), hard("/etc/passwd")], "BAD_ARCHIVE"),
        ("hard link to the archive", vec![site(), hard("../upload.tar")], "BAD_ARCHIVE"),
        ("nothing but a device", vec![entry("x", "", EntryType::Char, 0o666, 0, b"")], "BAD_ARCHIVE"),
        ("a huge claim", vec![site(), entry("x", "", EntryType::Regular, 0o644, 9 << 30, b"")], "ARCHIVE_TOO_LARGE"),
        ("zeros", vec![zeros], "BAD_ARCHIVE"),
    ] {
        let failed = deploy_failing(&client, &id, parts.concat()).await;
        assert_eq!(failed.failure_code.as_deref(), Some(code), "{name}: {:?}", failed.reason);
        println!("{name}: {}", failed.reason.unwrap());
    }
    deploy(&client, &id, archive(&[("index.html", "still here")])).await;
    assert_eq!(server.app("hostile.localhost").get("/").await.unwrap().text(), "still here");
}

/// A name of so many zeros, which a careless reader would keep in memory.
fn zstd_of_zeros(size: u64) -> Vec<u8> {
    let header = entry("././@LongLink", "", EntryType::GNULongName, 0o644, size, b"");
    let mut packer =
        Command::new("gzip").args(["-1", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut into = packer.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        into.write_all(&header).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), size), &mut into).unwrap();
    });
    let packed = packer.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    packed
}

#[tokio::test]
async fn odd_things_in_an_upload_do_no_harm() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "odd").await;
    let hook = "#!/bin/sh\ntouch /app/hooked\n";
    let parts = [
        file("index.html", "up"),
        file("INDEX.HTML", "UP"),
        file("/etc/passwd", "mine"),
        file(".git/config", "[core]\n\tfsmonitor = touch /app/hooked\n\thooksPath = .git/hooks\n"),
        entry(".git/hooks/post-checkout", "", EntryType::Regular, 0o755, hook.len() as u64, hook.as_bytes()),
        entry("shell", "", EntryType::Regular, 0o6755, 1, b"x"),
        entry("pipe", "", EntryType::Fifo, 0o644, 0, b""),
        entry("loop", "loop", EntryType::Symlink, 0o777, 0, b""),
        entry("package-lock.json", "/dev/zero", EntryType::Symlink, 0o777, 0, b""),
        entry("host", "/etc/shadow", EntryType::Symlink, 0o777, 0, b""),
        entry("data", server.data_dir().join("k").to_str().unwrap(), EntryType::Symlink, 0o777, 0, b""),
    ];
    let live = deploy(&client, &id, parts.concat()).await;
    let app = server.app("odd.localhost");
    assert_eq!(app.get("/").await.unwrap().text(), "up");
    assert_eq!(app.get("/INDEX.HTML").await.unwrap().text(), "UP");
    for path in ["/host", "/data", "/loop", "/pipe", "/hooked", "/.git/config"] {
        assert!(app.get(path).await.unwrap().status >= 400, "{path}");
    }
    let release = server.data_dir().join("node/groups").join(id.as_str()).join("releases").join(live.id.as_str());
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(release.join("shell")).unwrap());
    assert_eq!(mode & 0o7000, 0);
    let log = client.log(&live.id).await.unwrap();
    assert!(log.iter().any(|line| line.text.contains("1 devices, pipes")), "{log:#?}");
}

#[tokio::test]
async fn a_root_directory_that_leads_out_comes_to_nothing() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "out".into(),
        root_directory: Some("out".into()),
        build_command: Some("touch here".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let parts = [file("index.html", "up"), entry("out", "/", EntryType::Symlink, 0o777, 0, b"")];
    let failed = deploy_failing(&client, &id, parts.concat()).await;
    println!("{:?} {:?}", failed.failure_code, failed.reason);
    assert!(server.app("out.localhost").get("/etc/passwd").await.unwrap().status >= 400);
}

/// As deep as no path is long. Removing it must not take the server along.
#[tokio::test]
async fn a_build_that_leaves_a_very_deep_tree() {
    let server = server().start().await;
    let client = server.setup().await;
    // From the bottom up: deep down, each step costs the kernel the whole way.
    let dig =
        "import os\nos.mkdir('d')\nfor _ in range(40000): os.mkdir('u'); os.rename('d', 'u/d'); os.rename('u', 'd')";
    let dig = format!("python3 -c \"{dig}\"");
    let create = api::ProjectCreate { name: "deep".into(), build_command: Some(dig), ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    deploy(&client, &id, archive(&[("index.html", "up")])).await;
    assert_eq!(server.app("deep.localhost").get("/").await.unwrap().text(), "up");
    client.project_delete(&id).await.unwrap();
    client.wait_deleted(&id, BUILD).await;
    let left = |directory: &str| std::fs::read_dir(server.data_dir().join(directory)).unwrap().count();
    wait_until("no file is left", BUILD, async || left("node/groups") == 0 && left("node/trash") == 0).await;
    assert!(client.status().await.unwrap().authenticated);
}

#[tokio::test]
async fn a_repository_runs_nothing_where_it_is_fetched() {
    let git = GitServer::start().await;
    let server = server().git_allow(git.host()).start().await;
    let client = server.setup().await;
    let repo = git.repo("hostile");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 99999999999\n";
    let modules =
        "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::sh -c 'touch /app/hooked'\n\tupdate = !touch /app/hooked\n";
    repo.write("index.html", "up")
        .write(".gitattributes", "*.bin filter=lfs\n*.html filter=evil ident\n")
        .write(".gitmodules", modules)
        .write(".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:9/\n")
        .write("large.bin", pointer)
        .write("hooks/post-checkout", "#!/bin/sh\ntouch /app/hooked\n");
    std::os::unix::fs::symlink("/etc/shadow", repo.path().join("host")).unwrap();
    std::os::unix::fs::symlink("..", repo.path().join("up")).unwrap();
    repo.commit("All the tricks");
    repo.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{},sub", repo.head())]);
    repo.run(&["commit", "--quiet", "--message", "A submodule"]);
    repo.run(&["push", "--quiet", "--force", "origin", "HEAD"]);
    let create = |name: &str, url: &str| api::ProjectCreate {
        name: name.into(),
        repo_url: Some(url.into()),
        ..api::ProjectCreate::default()
    };
    let made = client.project_create(&create("hostile", repo.url())).await.unwrap().deployment.unwrap();
    client.wait_for(&made.id, DeploymentState::Live, BUILD).await;
    let app = server.app("hostile.localhost");
    assert_eq!(app.get("/").await.unwrap().text(), "up");
    assert_eq!(app.get("/large.bin").await.unwrap().text(), pointer, "nobody asked for what it points to");
    // What leads up leads to the sandbox's own root, where nobody else's things are.
    for path in ["/host", "/up/etc/shadow", "/up/root", "/up/cache", "/hooked", "/sub/x", "/.git/config"] {
        assert_eq!(app.get(path).await.unwrap().status, 404, "{path}");
    }
    let log = client.log(&made.id).await.unwrap();
    assert!(log.iter().any(|line| line.text.contains("submodules are not fetched")), "{log:#?}");

    let deep = git.repo("deep");
    deep.write("index.html", "up").commit("First");
    fast_import(deep.path(), &format!("{}x", "directory/".repeat(600)));
    deep.run(&["push", "--quiet", "--force", "origin", "main"]);
    let failed = client.project_create(&create("deep", deep.url())).await.unwrap().deployment.unwrap();
    let failed = client.wait_for(&failed.id, DeploymentState::Failed, BUILD).await;
    println!("{:?} {:?}", failed.failure_code, failed.reason);
    assert_eq!(failed.failure_code.as_deref(), Some("FETCH_FAILED"));
}

/// Commits a file under a path that no checkout can make.
fn fast_import(repository: &std::path::Path, path: &str) {
    let text = format!(
        "commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\ndata 4\ndeep\nfrom refs/heads/main^0\n\
         M 100644 inline {path}\ndata 1\nx\n"
    );
    let mut git = Command::new("git");
    let mut git =
        git.args(["fast-import", "--quiet", "--force"]).current_dir(repository).stdin(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success());
}
