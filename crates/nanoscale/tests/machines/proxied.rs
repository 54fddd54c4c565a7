//! A server behind nginx, which ends TLS with a certificate of its own.

use std::time::Duration;

use ids::NodeStatus;
use serde_json::json;
use testkit::{Load, Nginx, Wire, wait_until};

use crate::apps::{deploy, node_app};
use crate::{SHOWN, machine, project_on, server, wait_for_status};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_joins_through_nginx_and_stays_when_the_certificate_is_replaced() {
    let (wire, port) = (Wire::new(), Nginx::free_port());
    let public = format!("https://{}:{port}", wire.near());
    let server = server().config(json!({ "orchestrator": { "public_url": public } })).start().await;
    let client = server.setup().await;
    let mut nginx = Nginx::start(&wire.near().to_string(), port, ([127, 0, 0, 1], server.api_port()).into()).await;
    let created = client.join_token(&api::JoinTokenCreate::default()).await.unwrap();
    // The certificate is the proxy's, and is to be one that machines trust.
    assert_eq!((created.url.as_str(), created.local_only), (public.as_str(), false));
    let expected = format!("curl -fsSL {public}/api/agent/install-script | sh -s -- --join ");
    assert!(created.install_command.starts_with(&expected), "{}", created.install_command);
    let [enter, arguments @ ..] = wire.enter();
    let fetch = |authority: Option<&std::path::Path>| {
        let mut command = std::process::Command::new(&enter);
        command.args(&arguments).args(["curl", "-fsSL", &format!("{public}/api/agent/install-script")]);
        command.envs(authority.map(|file| ("CURL_CA_BUNDLE", file)));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(fetch(None), "", "nobody vouches for it");
    assert!(fetch(Some(&nginx.authority())).contains(&format!("URL={public}\n")));

    let mut node = machine().on(wire);
    node.start_with(&[&created.token]).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    let project = project_on(&client, "hello", &node).await;
    deploy(&client, &project, node_app("1")).await;
    let (through, direct) = (server.app("hello.localhost"), node.app("hello.localhost"));
    wait_until("the app is reached", SHOWN, async || {
        through.get("/").await.is_ok_and(|reply| reply.version() == Some("1"))
    })
    .await;

    // nginx leaves what is open to its old workers: nobody notices.
    let loads = [Load::gets(&direct), Load::gets(&through)];
    nginx.replace_certificate();
    nginx.reload();
    wait_until("the new certificate is shown", SHOWN, async || fetch(Some(&nginx.authority())).starts_with("#!")).await;
    wait_until("it is visited", SHOWN, async || loads.iter().all(|load| load.so_far().requests > 200)).await;
    for load in loads {
        load.stop().await.assert_clean();
    }
    assert_eq!(client.node_get(node.id()).await.unwrap().status, NodeStatus::Online);
    deploy(&client, &project, node_app("2")).await;

    // Started anew, it cuts them off: the node is back within seconds, and its visitors do not notice.
    let links = || node.output().matches("linked to the control plane").count();
    let before = links();
    let load = Load::gets(&direct);
    nginx.replace_certificate();
    let begun = std::time::Instant::now();
    nginx.restart().await;
    wait_until("it has linked anew", Duration::from_secs(15), async || links() > before).await;
    wait_for_status(&client, &node, NodeStatus::Online).await;
    wait_until("the app is reached again", Duration::from_secs(15), async || {
        through.get("/").await.is_ok_and(|reply| reply.version() == Some("2"))
    })
    .await;
    println!("back {:?} after nginx was started anew", begun.elapsed());
    load.stop().await.assert_clean();
    deploy(&client, &project, node_app("3")).await;
}
