//! As somebody without root: less is enforced, which is said, and everything else works.

use serde_json::Value;
use testkit::example;

use crate::apps::{archive, archive_of, deploy, project};
use crate::server;

#[tokio::test]
async fn apps_deploy_and_outlive_the_server() {
    let mut server = server().unprivileged().start().await;
    let client = server.setup().await;
    let nodes = client.nodes().await.unwrap();
    let enabled = |name: &str| nodes[0].capabilities.iter().find(|it| it.name == name).unwrap().enabled;
    assert!(!enabled("own_uid") && !enabled("pid_namespace") && enabled("landlock") && enabled("seccomp"));
    for name in ["hello-node", "hello-python", "static-site"] {
        let id = project(&client, name).await;
        deploy(&client, &id, archive_of(&example(name))).await;
        assert_eq!(server.app(format!("{name}.localhost")).get("/").await.unwrap().status, 200);
    }
    server.restart().await;
    let app = server.app("hello-node.localhost");
    assert_eq!(app.get("/").await.unwrap().status, 200);
    let id = client.project_get("hello-node").await.unwrap().id;
    deploy(&client, &id, archive_of(&example("hello-node"))).await;
    assert_eq!(app.get("/").await.unwrap().status, 200);
    for name in ["hello-node", "hello-python", "static-site"] {
        client.project_delete(name).await.unwrap();
        client.wait_deleted(name, crate::BUILD).await;
    }
}

#[tokio::test]
async fn landlock_keeps_the_servers_files_from_its_apps() {
    let server = server().unprivileged().start().await;
    let client = server.setup().await;
    let id = project(&client, "nosy").await;
    let data = server.data_dir();
    let paths = ["server/keys.json", "server/nanoscale.db", "node/identities.json"]
        .map(|name| data.join(name).display().to_string());
    let script = format!(
        "const fs = require('node:fs'); const tried = {}.map((path) => {{ try {{ return fs.readFileSync(path, 'latin1'); }} \
         catch (error) {{ return error.code; }} }}); \
         require('node:http').createServer((q, r) => r.end(JSON.stringify(tried))).listen(process.env.PORT);",
        serde_json::to_string(&paths).unwrap()
    );
    deploy(&client, &id, archive(&[("index.js", &script), ("package.json", "{}")])).await;
    let tried: Value = serde_json::from_str(&server.app("nosy.localhost").get("/").await.unwrap().text()).unwrap();
    assert_eq!(tried, serde_json::json!(["EACCES", "EACCES", "EACCES"]));
}
