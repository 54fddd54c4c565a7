//! A project that attacks whatever it is deployed to (`examples/hostile`), and comes to nothing.

pub(crate) mod bombs;
mod sources;

use std::net::TcpStream;

use serde::Deserialize;
use serde_json::Value;
use testkit::{App, example, wait_until};

use crate::apps::{archive_of, deploy, project_with};
use crate::prey::{Host, Told, assert_nothing_succeeded, neighbour, pids, targets};
use crate::{BUILD, server};

#[derive(Deserialize)]
struct Built {
    uid: u32,
    told: Told,
}

pub(crate) fn pids_of_user(uid: u32) -> Vec<u32> {
    let line = format!("Uid:\t{uid}\t");
    pids(|path| std::fs::read_to_string(path.join("status")).is_ok_and(|text| text.contains(&line)))
}

fn hostile(name: &str) -> api::ProjectCreate {
    api::ProjectCreate {
        name: name.into(),
        build_command: Some("python3 main.py build".into()),
        ..api::ProjectCreate::default()
    }
}

async fn uid(app: &App) -> u32 {
    let reply = app.get("/").await.unwrap();
    serde_json::from_slice::<Value>(&reply.body).unwrap()["uid"].as_u64().unwrap().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_hostile_project_tries_succeeds() {
    let server = server().start().await;
    let client = server.setup().await;
    let host = Host::new().await;
    let neighbour = neighbour(&server, &client).await;
    // There would be something to find: the way is closed, not empty.
    TcpStream::connect((neighbour.address.as_str(), 3000)).unwrap();

    let known = targets(&server, &host, &neighbour, None).to_string();
    let env_vars = vec![api::EnvVarInput { key: "TARGETS".into(), value: known }];
    let id = project_with(&client, api::ProjectCreate { env_vars, ..hostile("hostile") }).await;
    let live = deploy(&client, &id, archive_of(&example("hostile"))).await;
    let app = server.app("hostile.localhost");
    let built: Built = serde_json::from_slice(&app.get("/built").await.unwrap().body).unwrap();
    assert_nothing_succeeded("build", &built.told, &[]);
    let known = targets(&server, &host, &neighbour, Some(&live.id)).to_string();
    let told: Told = serde_json::from_slice(&app.post("/all", known).await.unwrap().body).unwrap();
    assert_nothing_succeeded("run", &told, &[]);

    let uid = uid(&app).await;
    assert_ne!(uid, built.uid);
    wait_until("nothing of the build is left", BUILD, async || pids_of_user(built.uid).is_empty()).await;
    assert!(pids_of_user(uid).len() >= 3, "an init, the app and the process that will not go");
    client.project_delete(&id).await.unwrap();
    client.wait_deleted(&id, BUILD).await;
    wait_until("nothing of the app is left", BUILD, async || pids_of_user(uid).is_empty()).await;
    assert_eq!(server.app("neighbour.localhost").get("/").await.unwrap().text(), neighbour.address);
}
