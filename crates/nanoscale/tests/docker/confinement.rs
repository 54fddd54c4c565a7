//! What a container may do, and what it gets to see.

use ids::{DeploymentState, Outward, ProjectId, RunState};
use serde_json::json;
use sha2::{Digest, Sha256};
use testkit::{AppImage, Client, Docker, Elsewhere, Registry, wait_some};

use crate::images::{create_with, publish};
use crate::{BUILD, server};

async fn run(client: &Client, id: &ProjectId, command: &str, inside: Option<&str>) -> api::Run {
    let run = client.run_create(id, command, inside).await.unwrap();
    wait_some("the run has ended", BUILD, async || {
        let run = client.run(&run.id).await.unwrap();
        run.state.is_settled().then_some(run)
    })
    .await
}

fn env(pairs: &[(&str, &str)]) -> Vec<api::EnvVarInput> {
    pairs.iter().map(|(key, value)| api::EnvVarInput { key: (*key).into(), value: (*value).into() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_its_variables_its_volumes_its_limits_and_no_rights() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let image = AppImage { user: Some("1234:1234"), ..AppImage::default() };
    let image = publish(docker, &registry, "hello", image);
    let server = server(docker, &registry).separate().start().await;
    let client = server.setup().await;
    let limits = api::LimitSettings {
        memory_mb: Some(48),
        cpu_percent: Some(150),
        processes: Some(64),
        ..api::LimitSettings::default()
    };
    let create = api::ProjectCreate {
        name: "hello".into(),
        image: Some(image),
        limits: Some(limits),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
        env_vars: env(&[("SECRET", "hunter2-very-secret"), ("LD_PRELOAD", "/data/evil.so"), ("ODD", "a$b `c` \"d\"")]),
        ..api::ProjectCreate::default()
    };
    let (id, live) = create_with(&client, create).await;
    assert_eq!(live.state, DeploymentState::Live, "{live:?}");
    let app = server.app("hello.localhost");
    let ask = async |query: &str| app.get(&format!("/?{query}")).await.unwrap().text();
    let told = ask("env").await;
    for line in ["SECRET=hunter2-very-secret", "PORT=8080", "ODD=a$b `c` \"d\""] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!told.contains("CONTAINER_ENV_"), "{told}");
    assert!(ask("id").await.starts_with("uid=1234"));
    let status = ask("capabilities").await;
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{status}");
    }
    assert!(status.contains("CapBnd:\t00000000000004eb"), "no more than the seven: {status}");
    assert_eq!(ask("write=/data/kept").await, "written\n");
    let name = format!("label=nanoscale.workload={}", live.id);
    let inspected = docker.containers(&[&name]).into_iter().map(|container| {
        let shape =
            "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.Privileged}}";
        docker.run(&["inspect", "--format", shape, &container])
    });
    assert!(inspected.collect::<Vec<_>>().contains(&format!("{} 1500000000 64 false", 48 << 20)));
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("hunter2"), "{process:?}");
    }
    let nodes = client.nodes().await.unwrap();
    wait_some("what it takes is known", BUILD, async || {
        let node = client.node_get(&nodes[0].id).await.unwrap();
        node.workloads.into_iter().find_map(|it| it.memory_bytes).filter(|bytes| *bytes > 100_000)
    })
    .await;

    // A command in a container of its own, and one inside of the running one.
    let once = run(&client, &id, "sh -c 'echo once $VERSION; cat /data/kept; exit 4'", None).await;
    assert_eq!((once.state, once.exit_code), (RunState::Failed, Some(4)), "{once:?}");
    assert_eq!(once.last_lines, ["once 1", "1"]);
    let exec =
        run(&client, &id, "sh -c 'cat /proc/1/cmdline | head -c 5; echo; echo $PORT; exit 3'", Some("web")).await;
    assert_eq!((exec.exit_code, exec.last_lines.join(" ").as_str()), (Some(3), "httpd 8080"), "{exec:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_the_projects_files_whoever_it_runs_as() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let server = server(docker, &registry).separate().start().await;
    let client = server.setup().await;
    let large = "ü\n".repeat(131_072 / 3);
    let files = [("~/.token", "hunter2-very-secret\n"), ("conf/a b", "$X `y`\r\n"), ("/etc/app/large", &large)];
    // As root, which is the engine's default, and as one who is in no list of users.
    for (name, user, whose) in [("rooted", None, "0 644"), ("other", Some("1234:1234"), "1234 600")] {
        let image = publish(docker, &registry, name, AppImage { user, ..AppImage::default() });
        let create = api::ProjectCreate { name: name.into(), image: Some(image), ..api::ProjectCreate::default() };
        let (id, _) = create_with(&client, create).await;
        for (path, content) in files {
            let (body, to) = (json!({ "path": path, "content": content }), format!("/api/projects/{id}/runtime/files"));
            let answer = client.raw(reqwest::Method::POST, &to).json(&body).send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        }
        let live = client.redeploy(&id).await.unwrap();
        client.wait_for(&live.id, DeploymentState::Live, BUILD).await;
        let look = "sh -c 'busybox stat -c \"%u %a\" ~/.token; busybox sha256sum ~/.token \"/conf/a b\" /etc/app/large; exit 5'";
        // The one that runs, and one of its own.
        for inside in [Some("web"), None] {
            let told = run(&client, &id, look, inside).await;
            assert_eq!(
                (told.exit_code, told.last_lines.first().map(String::as_str)),
                (Some(5), Some(whose)),
                "{inside:?}: {told:?}"
            );
            for ((_, content), line) in files.iter().zip(&told.last_lines[1..]) {
                let digest = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                assert!(line.starts_with(&digest), "{told:?}");
            }
        }
    }
    let grep = ["-rlF", "hunter2-very-secret"];
    let left = std::process::Command::new("grep").args(grep).arg(server.data_dir()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "nothing is left on the way to a container");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_network_is_what_the_project_says_from_its_first_moment_on() {
    let (docker, registry) = (Docker::shared(), Registry::open());
    let elsewhere = Elsewhere::new();
    let database = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = database.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = database.accept() {
            let _ = std::io::Write::write_all(&mut stream, b"rows\n");
        }
    });
    // Asks before it does anything else: what is not there by then is not there.
    let ask =
        |address: &dyn std::fmt::Display, port: u16| format!("nc -w 3 {address} {port} </dev/null || echo refused");
    let (world, host) = (ask(&elsewhere.address(), elsewhere.port()), ask(&"127.0.0.1", port));
    let metadata = ask(&"169.254.169.254", 80);
    let serve = "exec httpd -f -p $PORT -h /www";
    let command = format!("echo world $({world}); echo host $({host}); echo metadata $({metadata}); {serve}");
    let image = publish(docker, &registry, "hello", AppImage { command: Some(&command), ..AppImage::default() });
    let server = server(docker, &registry).start().await;
    let client = server.setup().await;
    let network = |outward, destinations: Vec<String>, host_ports| {
        Some(api::NetworkSettings { outward, destinations, host_ports })
    };
    let create = api::ProjectCreate {
        name: "hello".into(),
        image: Some(image),
        network: network(Outward::Open, Vec::new(), vec![port]),
        ..api::ProjectCreate::default()
    };
    let (id, first) = create_with(&client, create).await;
    let said = async |deployment: &api::Deployment| {
        assert_eq!(deployment.state, DeploymentState::Live, "{deployment:?}");
        crate::images::log_of(&client, deployment).await
    };
    let log = said(&first).await;
    for line in ["world hello\n", "host rows\n", "metadata refused\n"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    for (settings, world) in [
        (network(Outward::None, Vec::new(), Vec::new()), "world refused\n"),
        (network(Outward::Only, vec!["203.0.113.9".into()], Vec::new()), "world refused\n"),
        (network(Outward::Only, vec![format!("{}:7777", elsewhere.address())], Vec::new()), "world hello\n"),
    ] {
        let update = api::ProjectUpdate { network: settings, ..api::ProjectUpdate::default() };
        client.project_update(&id, &update).await.unwrap();
        let deployment = client.redeploy(&id).await.unwrap();
        let log = said(&client.wait_settled(&deployment.id, BUILD).await).await;
        assert!(log.contains(world) && log.contains("host refused\n"), "{log}");
    }
}
