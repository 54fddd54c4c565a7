//! What runs beside the process that answers: workers, release commands, scheduled jobs,
//! one-offs; and what they share: volumes and a network policy.

use ids::{DeploymentState, ProjectId, RunKind, RunState};
use testkit::{Client, Elsewhere, wait_some, wait_until};

use crate::apps::{archive, deploy, deploy_failing, project, project_with};
use crate::{BUILD, server};

/// Serves `/data/<path>` files; `POST` appends to one.
const WEB: &str = "
import http.server, os, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try: body = open('/data' + self.path).read()
        except OSError as error: body = 'none: %s' % error
        self.send_response(200); self.end_headers(); self.wfile.write(body.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), App).serve_forever()
";

fn app(procfile: &str) -> Vec<u8> {
    archive(&[("main.py", WEB), ("Procfile", procfile)])
}

async fn with_volume(client: &Client, name: &str) -> ProjectId {
    let create = api::ProjectCreate {
        name: name.into(),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into() }]),
        ..api::ProjectCreate::default()
    };
    project_with(client, create).await
}

async fn ended(client: &Client, id: &ids::RunId) -> api::Run {
    wait_some("the run has ended", BUILD, async || {
        let run = client.run(id).await.unwrap();
        run.state.is_settled().then_some(run)
    })
    .await
}

#[tokio::test]
async fn workers_run_beside_the_web_process_and_share_its_volume() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = with_volume(&client, "crew").await;
    let worker = "worker: sh -c 'echo $$ > /data/worker; while true; do sleep 1; done'";
    deploy(&client, &id, app(&format!("web: python3 main.py\n{worker}\n"))).await;
    let visitor = server.app("crew.localhost");
    wait_until("the worker has written", BUILD, async || {
        visitor.get("/worker").await.unwrap().text().trim().parse::<u32>().is_ok()
    })
    .await;
    // A second release without the worker: it is gone, what it wrote is there.
    deploy(&client, &id, app("web: python3 main.py\n")).await;
    assert!(visitor.get("/worker").await.unwrap().text().trim().parse::<u32>().is_ok());
    let nodes = client.nodes().await.unwrap();
    wait_until("only the web process is left", BUILD, async || {
        let node = client.node_get(&nodes[0].id).await.unwrap();
        node.workloads.iter().map(|it| it.process.as_str()).collect::<Vec<_>>() == ["web"]
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_at_once_stops_its_deployment() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "broken").await;
    let failed =
        deploy_failing(&client, &id, app("web: python3 main.py\nworker: sh -c 'echo no queue; exit 3'\n")).await;
    assert_eq!(failed.failure_code.as_deref(), Some("APP_EXITED"));
    assert!(failed.reason.unwrap().contains("`worker` ended with exit code 3"));
    assert_eq!(failed.last_lines, ["no queue"]);
}

#[tokio::test]
async fn a_project_may_have_no_web_process() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "bot").await;
    let files = archive(&[("Procfile", "bot: sh -c 'echo here; exec sleep 600'\n")]);
    deploy(&client, &id, files).await;
    let answer = server.app("bot.localhost").get("/").await.unwrap();
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn the_release_command_gates_the_switch_and_runs_once() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = with_volume(&client, "gate").await;
    let release =
        |tail: &str| format!("web: python3 main.py\nrelease: sh -c 'echo migrating; echo run >> /data/log; {tail}'\n");
    deploy(&client, &id, app(&release("true"))).await;
    let visitor = server.app("gate.localhost");
    assert_eq!(visitor.get("/log").await.unwrap().text(), "run\n");

    let failed = deploy_failing(&client, &id, app(&release("exit 4"))).await;
    assert_eq!(failed.failure_code.as_deref(), Some("RELEASE_COMMAND_FAILED"));
    assert!(failed.reason.unwrap().ends_with("ended with exit code 4"));
    assert_eq!(failed.last_lines, ["migrating"]);
    assert_eq!(visitor.get("/log").await.unwrap().text(), "run\nrun\n", "the first release answers");
    let log = client.log(&failed.id).await.unwrap();
    assert!(log.iter().any(|line| line.text == "migrating"), "{log:?}");

    deploy(&client, &id, app(&release("true"))).await;
    let before = visitor.get("/log").await.unwrap().text();
    client.rollback(&id, None).await.unwrap();
    wait_until("the rollback is live", BUILD, async || {
        let live = client.project_get(&id).await.unwrap().live_deployment;
        live.is_some_and(|live| live.trigger == ids::Trigger::Rollback)
    })
    .await;
    assert_eq!(visitor.get("/log").await.unwrap().text(), before, "a rollback does not run it");
    let kinds = client.run_list(&id).await.unwrap().into_iter().map(|run| (run.kind, run.state)).collect::<Vec<_>>();
    let (kind, good, bad) = (RunKind::Release, RunState::Succeeded, RunState::Failed);
    assert_eq!(kinds, [(kind, good), (kind, bad), (kind, good)]);
}

#[tokio::test]
async fn a_cancelled_deployment_ends_its_release_command() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = with_volume(&client, "long").await;
    let procfile =
        "web: python3 main.py\nrelease: sh -c 'echo begun > /data/log; sleep 600; echo ended >> /data/log'\n";
    let deployment = client.upload(&id, app(procfile)).await.unwrap();
    let run = wait_some("the command runs", BUILD, async || {
        client.run_list(&id).await.unwrap().into_iter().find(|run| run.state == RunState::Running)
    })
    .await;
    client.deployment_cancel(&deployment.id).await.unwrap();
    assert_eq!(ended(&client, &run.id).await.state, RunState::Cancelled);
    assert_eq!(client.deployment_get(&deployment.id).await.unwrap().state, DeploymentState::Cancelled);
    assert!(client.release_list(&id).await.unwrap().is_empty(), "nothing to roll back to");
}

#[tokio::test]
async fn one_offs_run_with_the_release_and_tell_how_they_ended() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = with_volume(&client, "once").await;
    let refused = client.run_create(&id, "true", None).await.unwrap_err();
    assert_eq!(refused.code(), "NOTHING_LIVE");
    deploy(&client, &id, app("web: python3 main.py\n")).await;

    let run = client.run_create(&id, "sh -c 'ls /app; echo kept > /data/note; exit 0'", None).await.unwrap();
    let run = ended(&client, &run.id).await;
    assert_eq!((run.kind, run.state, run.exit_code), (RunKind::Once, RunState::Succeeded, Some(0)));
    assert_eq!(server.app("once.localhost").get("/note").await.unwrap().text(), "kept\n");
    let run = client.run_create(&id, "sh -c 'echo why; exit 9'", None).await.unwrap();
    let run = ended(&client, &run.id).await;
    assert_eq!((run.state, run.exit_code, run.last_lines), (RunState::Failed, Some(9), vec!["why".to_owned()]));
    let run = client.run_create(&id, "kill -9 $$", None).await.unwrap();
    let run = ended(&client, &run.id).await;
    assert_eq!((run.state, run.exit_code, run.signal), (RunState::Failed, None, Some(9)));

    // Inside the running app: its processes are there.
    let run =
        client.run_create(&id, "sh -c 'grep -l main.py /proc/[0-9]*/cmdline | wc -l'", Some("web")).await.unwrap();
    let run = ended(&client, &run.id).await;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    let refused = client.run_create(&id, "true", Some("worker")).await.unwrap_err();
    assert_eq!(refused.code(), "UNKNOWN_PROCESS");
    for bad in ["", "echo 'open"] {
        assert_eq!(client.run_create(&id, bad, None).await.unwrap_err().code(), "INVALID_COMMAND");
    }
    let run = client.run_create(&id, "sleep 600", None).await.unwrap();
    client.run_cancel(&run.id).await.unwrap();
    assert_eq!(client.run(&run.id).await.unwrap().state, RunState::Cancelled);
    assert_eq!(client.run_cancel(&run.id).await.unwrap_err().code(), "ALREADY_SETTLED");
}

#[tokio::test]
async fn schedules_come_from_the_procfile_and_from_their_owner() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = with_volume(&client, "clock").await;
    deploy(&client, &id, app("web: python3 main.py\ncron-beat: * * * * * sh -c 'echo beat >> /data/beats'\n")).await;
    let listed = client.schedule_list(&id).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].from_procfile && listed[0].next_run_at.is_some());
    let run = client.schedule_run(&id, "cron-beat").await.unwrap();
    assert_eq!(ended(&client, &run.id).await.state, RunState::Succeeded);

    let put = |schedule: &str, enabled| api::SchedulePut {
        schedule: schedule.into(),
        command: "true".into(),
        enabled,
        timeout_seconds: None,
    };
    let refused = client.schedule_put(&id, "nightly", &put("61 * * * *", true)).await.unwrap_err();
    assert_eq!(refused.code(), "INVALID_SCHEDULE");
    client.schedule_put(&id, "nightly", &put("0 3 * * *", true)).await.unwrap();
    // The same name takes the Procfile's place, here to switch it off.
    client.schedule_put(&id, "cron-beat", &put("* * * * *", false)).await.unwrap();
    let listed = client.schedule_list(&id).await.unwrap();
    let shown = listed.iter().map(|it| (it.name.as_str(), it.enabled, it.next_run_at.is_some())).collect::<Vec<_>>();
    assert_eq!(shown, [("cron-beat", false, false), ("nightly", true, true)]);
    assert_eq!(listed[0].last_run.as_ref().unwrap().id, run.id);
    // A command inside the process of a schedule's name is none of its runs.
    client.schedule_put(&id, "web", &put("0 3 * * *", true)).await.unwrap();
    let inside = client.run_create(&id, "true", Some("web")).await.unwrap();
    ended(&client, &inside.id).await;
    assert!(client.run_list_of(&id, "web").await.unwrap().is_empty());
    let web = client.schedule_list(&id).await.unwrap().into_iter().find(|it| it.name == "web").unwrap();
    assert_eq!(web.last_run, None);
    let own = client.schedule_run(&id, "web").await.unwrap();
    let runs = client.run_list_of(&id, "web").await.unwrap();
    assert_eq!(runs.into_iter().map(|run| run.id).collect::<Vec<_>>(), [own.id]);
    client.schedule_delete(&id, "nightly").await.unwrap();
    assert_eq!(client.schedule_delete(&id, "nightly").await.unwrap_err().code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_project_with_all_the_schedules_it_may_have_can_change_them() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "busy").await;
    let mut put =
        api::SchedulePut { schedule: "@daily".into(), command: "true".into(), enabled: true, timeout_seconds: None };
    for number in 0..100 {
        client.schedule_put(&id, &format!("job-{number}"), &put).await.unwrap();
    }
    assert_eq!(client.schedule_put(&id, "job-100", &put).await.unwrap_err().code(), "TOO_MANY_SCHEDULES");
    put.enabled = false;
    client.schedule_put(&id, "job-7", &put).await.unwrap();
    let listed = client.schedule_list(&id).await.unwrap();
    let off = listed.iter().filter(|it| !it.enabled).map(|it| it.name.as_str()).collect::<Vec<_>>();
    assert_eq!((listed.len(), off), (100, vec!["job-7"]));
}

#[tokio::test]
async fn a_policy_says_what_is_reached() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "net").await;
    deploy(&client, &id, app("web: python3 main.py\n")).await;
    let elsewhere = Elsewhere::new();
    let reach = format!(
        "python3 -c \"import socket; s = socket.create_connection(('{}', {}), 3); print(s.recv(9).decode())\"",
        elsewhere.address(),
        elsewhere.port()
    );
    let reached = async || {
        let run = client.run_create(&id, &reach, None).await.unwrap();
        ended(&client, &run.id).await.state == RunState::Succeeded
    };
    let set = async |outward, destinations: Vec<String>| {
        let network = Some(api::NetworkSettings { outward, destinations, host_ports: Vec::new() });
        let update = api::ProjectUpdate { network, ..api::ProjectUpdate::default() };
        client.project_update(&id, &update).await.unwrap();
        deploy(&client, &id, app("web: python3 main.py\n")).await;
    };
    assert!(reached().await, "the internet");
    set(ids::Outward::None, Vec::new()).await;
    assert!(!reached().await, "nothing");
    set(ids::Outward::Only, vec!["203.0.113.9".into()]).await;
    assert!(!reached().await, "somewhere else");
    set(ids::Outward::Only, vec![format!("{}:{}", elsewhere.address(), elsewhere.port())]).await;
    assert!(reached().await, "just there");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "strict").await;
    let volume = |name: &str, path: &str| api::Volume { name: name.into(), path: path.into() };
    for (volumes, code) in [
        (vec![volume("a", "/etc")], "INVALID_PATH"),
        (vec![volume("a", "data")], "INVALID_PATH"),
        (vec![volume("a", "/x/../etc")], "INVALID_PATH"),
        (vec![volume("A!", "/data")], "INVALID_NAME"),
        (vec![volume("a", "/data"), volume("b", "/data/b")], "VOLUMES_OVERLAP"),
    ] {
        let update = api::ProjectUpdate { volumes: Some(volumes), ..api::ProjectUpdate::default() };
        assert_eq!(client.project_update(&id, &update).await.unwrap_err().code(), code);
    }
    let limits = api::LimitSettings { memory_mb: Some(1), ..api::LimitSettings::default() };
    let update = api::ProjectUpdate { limits: Some(limits), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &update).await.unwrap_err().code(), "INVALID_LIMIT");
    let network = api::NetworkSettings { outward: ids::Outward::Only, ..api::NetworkSettings::default() };
    let update = api::ProjectUpdate { network: Some(network), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &update).await.unwrap_err().code(), "NO_DESTINATIONS");
}

#[tokio::test]
async fn a_port_of_the_host_appears_on_the_apps_own_loopback() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let database = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = database.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = database.accept() {
            let _ = std::io::Write::write_all(&mut stream, b"rows");
        }
    });
    let ask = format!(
        "python3 -c \"import socket; s = socket.create_connection(('127.0.0.1', {port}), 9); assert s.recv(9) == b'rows'\""
    );
    let network =
        |host_ports| Some(api::NetworkSettings { outward: ids::Outward::None, host_ports, ..Default::default() });
    // The build is asked, too, and so is the first moment of a process.
    let create = api::ProjectCreate {
        name: "ports".into(),
        build_command: Some(ask.clone()),
        network: network(vec![port]),
        ..api::ProjectCreate::default()
    };
    let id = project_with(&client, create).await;
    deploy(&client, &id, app(&format!("web: sh -c '{} && exec python3 main.py'\n", ask.replace('\'', "'\\''")))).await;
    for _ in 0..2 {
        let run = client.run_create(&id, &ask, Some("web")).await.unwrap();
        let run = ended(&client, &run.id).await;
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        // A later life of the node answers for it as well.
        server.kill();
        server.restart().await;
    }
    let update = api::ProjectUpdate {
        network: network(Vec::new()),
        build_command: Some("true".into()),
        ..api::ProjectUpdate::default()
    };
    client.project_update(&id, &update).await.unwrap();
    deploy(&client, &id, app("web: python3 main.py\n")).await;
    let run = client.run_create(&id, &ask, None).await.unwrap();
    assert_eq!(ended(&client, &run.id).await.state, RunState::Failed);
}
