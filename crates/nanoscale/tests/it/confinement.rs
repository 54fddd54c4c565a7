//! A build and an app that try to read what is not theirs.

use serde_json::Value;

use crate::apps::{archive, deploy, node_app, project, project_with};
use crate::server;

/// Tries to read each path, at build time and at run time, and tells what came of it.
fn nosy(paths: &[String]) -> Vec<u8> {
    let tries = format!(
        "const fs = require('node:fs'); const tried = (path) => {{ try {{ \
         return fs.statSync(path).isDirectory() ? fs.readdirSync(path).join() || 'empty' : fs.readFileSync(path, 'latin1'); }} \
         catch (error) {{ return error.code; }} }}; \
         module.exports = Object.fromEntries({}.map((path) => [path, tried(path)]));",
        serde_json::to_string(paths).unwrap()
    );
    let server = "const http = require('node:http'); const fs = require('node:fs');\
        const all = { build: JSON.parse(fs.readFileSync('tried.json')), run: require('./tries.js') };\
        http.createServer((q, r) => r.end(JSON.stringify(all))).listen(process.env.PORT);";
    archive(&[
        ("package.json", r#"{"scripts":{"start":"node server.js"}}"#),
        ("tries.js", &tries),
        ("build.js", "require('node:fs').writeFileSync('tried.json', JSON.stringify(require('./tries.js')));"),
        ("server.js", server),
    ])
}

#[tokio::test]
async fn database_keys_and_other_projects_are_out_of_reach() {
    let server = server().start().await;
    let client = server.setup().await;
    let neighbour = project(&client, "neighbour").await;
    let theirs = deploy(&client, &neighbour, node_app("1")).await;
    let data = server.data_dir();
    let release = data.join("node/groups").join(neighbour.as_str()).join("releases").join(theirs.id.as_str());
    assert!(release.join("server.js").is_file());
    let app_pid =
        std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).find(|path| {
            std::fs::read_to_string(path.join("cgroup")).is_ok_and(|text| text.contains(theirs.id.as_str()))
        });
    let forbidden = [
        data.join("server/nanoscale.db"),
        data.join("server/keys.json"),
        data.clone(),
        data.join("node/identities.json"),
        release.join("server.js"),
        data.join("node/logs"),
        app_pid.unwrap().join("environ"),
        "/root".into(),
        "/etc/shadow".into(),
        "/proc/1/root/etc/shadow".into(),
    ]
    .map(|path| path.display().to_string());
    let build_command = Some("node build.js".into());
    let nosy_project = api::ProjectCreate { name: "nosy".into(), build_command, ..api::ProjectCreate::default() };
    let id = project_with(&client, nosy_project).await;
    deploy(&client, &id, nosy(&forbidden)).await;
    let told: Value = serde_json::from_str(&server.app("nosy.localhost").get("/").await.unwrap().text()).unwrap();
    for time in ["build", "run"] {
        for path in &forbidden {
            let outcome = told[time][path].as_str().unwrap();
            assert!(matches!(outcome, "ENOENT" | "EACCES" | "EPERM"), "{time} {path}: {outcome}");
        }
    }
}

/// The state files of the server are closed to other users on the host as well.
#[tokio::test]
async fn the_data_directory_is_closed_to_other_users() {
    use std::os::unix::fs::PermissionsExt;
    let server = server().start().await;
    let mode = |name: &str| std::fs::metadata(server.data_dir().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    assert_eq!(mode("server/keys.json"), 0o600);
}

#[tokio::test]
async fn a_static_site_has_no_way_out() {
    let server = server().start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate {
        name: "site".into(),
        build_command: Some("sh build.sh".into()),
        output_directory: Some("site".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    let build = "mkdir -p site/about; echo front > site/index.html; echo about > site/about/index.html\n\
        ln -s about site/inside; ln -s /etc/passwd site/passwd; ln -s / site/root; ln -s .. site/up; ln -s /etc/passwd site/404.html\n";
    deploy(&client, &id, archive(&[("build.sh", build), ("notes", "nobody's business")])).await;
    let site = server.app("site.localhost");
    assert_eq!(site.get("/").await.unwrap().text(), "front\n");
    assert_eq!(site.get("/inside/").await.unwrap().text(), "about\n");
    for path in ["/passwd", "/root/etc/passwd", "/root/", "/up/notes", "/404.html", "/missing"] {
        let reply = site.get(path).await.unwrap();
        assert_eq!((reply.status, reply.text().contains("root:")), (404, false), "{path}");
    }
}
