//! Commands that are run once or again and again, and what a project's processes may use.

use super::{shell, text};
use crate::server;

#[tokio::test]
async fn what_processes_may_use_is_set_and_shown() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let run = async |arguments: &[&str]| {
        let output = shell.run(shell.home.path(), arguments).await;
        (output.status.code(), text(&output))
    };
    let create = [
        "project",
        "create",
        "shop",
        "--network",
        "only",
        "--allow",
        "api.example.com:443,10.1.0.0/16",
        "--host-port",
        "5432",
        "--volume",
        "data:/data",
        "--volume",
        "uploads:/srv/uploads",
        "--memory-mb",
        "256",
        "--cpu-percent",
        "150",
    ];
    let (code, said) = run(&create).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = run(&["project", "show", "shop"]).await;
    for part in
        ["only api.example.com:443, 10.1.0.0/16", "5432", "data:/data", "uploads:/srv/uploads", "256 MB", "150 %"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What is not named stays.
    let update = ["project", "update", "shop", "--processes", "64", "--memory-mb", "default", "--volume", "data:/data"];
    let (code, said) = run(&update).await;
    assert!(code == Some(0) && said.contains("150 %") && said.contains("only api") && !said.contains("256"), "{said}");
    assert!(said.contains("64") && !said.contains("uploads"), "{said}");
    let (code, said) =
        run(&["project", "update", "shop", "--network", "none", "--no-volumes", "--no-host-ports"]).await;
    assert!(code == Some(0) && !said.contains("data") && !said.contains("5432") && !said.contains("example"), "{said}");
    let (code, said) = run(&["project", "update", "shop", "--network", "none", "--allow", "example.com"]).await;
    assert!(code == Some(1) && said.contains("only"), "{said}");
    for wrong in [["--volume", "data"], ["--network", "some"], ["--memory-mb", "much"]] {
        assert_eq!(run(&[&["project", "update", "shop"][..], &wrong].concat()).await.0, Some(2));
    }
}
