//! The hostile project (`examples/hostile`) as an image: what it tries from its container comes to nothing either.

use ids::DeploymentState;
use testkit::{Docker, Registry, example};

use crate::images::{create_with, log_of};
use crate::prey::{Host, Told, assert_nothing_succeeded, neighbour, targets};
use crate::server;

/// What gets further in a container than in the node's own sandbox, and how far: see docs/SECURITY.md, "Containers".
const WEAKER: [(&str, &[&str]); 6] = [
    // The first process is the app itself, and what it may do to itself it may.
    ("read_memory_and_environment", &["/proc/1/", "/proc/self/"]),
    ("write_to_the_kernel", &["/proc/1/oom_score_adj: wrote", "/proc/self/oom_score_adj: wrote"]),
    // Of the container's own.
    ("read_the_host", &["/etc/hostname: b'app", "/sys: ["]),
    // Refused because it is no terminal of the machine's.
    ("type_into_a_terminal", &["TIOCLINUX got as far as OSError(25,"]),
    // What the node's page says of this engine; netlink of its own network, without rights in it.
    ("unusual_sockets", &["vsock: made one", "netlink "]),
    ("watch_the_kernel", &["io_uring_setup: "]),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_hostile_image_tries_succeeds() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let local = docker.name("hostile");
    docker.python(&local, &example("hostile"));
    registry.take(docker, &local, "hostile");
    docker.run(&["rmi", "--force", &local]);
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let host = Host::new().await;
    let neighbour = neighbour(&server, &client).await;
    let image = registry.image("hostile");
    let create = api::ProjectCreate { name: "hostile".into(), image: Some(image), ..Default::default() };
    let (_, live) = create_with(&client, create).await;
    assert_eq!(live.state, DeploymentState::Live, "{live:?}\n{}", log_of(&client, &live).await);

    let known = targets(&server, &host, &neighbour, None).to_string();
    let told: Told =
        serde_json::from_slice(&server.app("hostile.localhost").post("/all", known).await.unwrap().body).unwrap();
    assert_nothing_succeeded("run", &told, &WEAKER);
    let node = client.nodes().await.unwrap().remove(0);
    let capability = node.capabilities.into_iter().find(|it| it.name == "docker").unwrap();
    println!("{}", capability.detail);
    for (attack, is_said) in [("unusual_sockets", "vsock"), ("watch_the_kernel", "io_uring")] {
        let succeeds = told[attack].starts_with("SUCCEEDED: ") && told[attack].contains(is_said);
        assert!(!succeeds || capability.detail.contains(is_said), "{attack}: {}", capability.detail);
    }
    assert_eq!(server.app("neighbour.localhost").get("/").await.unwrap().text(), neighbour.address);
}
