use super::*;

fn processes(plan: &Plan) -> Vec<String> {
    plan.processes.iter().map(|process| format!("{}={}", process.name, process.command)).collect()
}

fn schedules(plan: &Plan) -> Vec<String> {
    plan.schedules.iter().map(|own| format!("{}={}|{}", own.name, own.schedule, own.command)).collect()
}

#[test]
fn every_kind_of_process() {
    let text = "# what runs\n\nweb: bin/web --port $PORT\r\nworker: node worker.js\n  mailer_2 :  ruby mail.rb -q a:b \n\
                release: bin/migrate\ncron: */5 * * * * bin/tick now\ncron-cleanup: @daily   bin/clean\ncron2: 0 3 * * MON  x\n\
                cronjobs: node jobs.js\n";
    let plan = planned(&[("Procfile", text)]);
    assert_eq!(plan.run_command.as_deref(), Some("bin/web --port $PORT"));
    assert_eq!(plan.release_command.as_deref(), Some("bin/migrate"));
    assert_eq!(processes(&plan), ["worker=node worker.js", "mailer_2=ruby mail.rb -q a:b", "cronjobs=node jobs.js"]);
    assert_eq!(
        schedules(&plan),
        ["cron=*/5 * * * *|bin/tick now", "cron-cleanup=@daily|bin/clean", "cron2=0 3 * * MON|x"]
    );
    for part in
        ["process worker `node worker.js`", "release `bin/migrate`", "schedule cron `bin/tick now` at `*/5 * * * *`"]
    {
        assert!(plan.reasons.iter().any(|reason| reason.starts_with(part)), "{part}: {:#?}", plan.reasons);
    }
}

#[test]
fn a_project_of_workers_only() {
    let plan = planned(&[("Procfile", "worker: ./work")]);
    assert_eq!((plan.kind, plan.run_command.as_deref()), ("custom", None));
    assert!(!plan.serves_files());
    let plan = planned(&[("Procfile", "worker: node w.js"), ("package.json", "{}")]);
    assert_eq!((plan.kind, plan.run_command.as_deref()), ("node", None));
    assert!(!plan.serves_files());
    // What is detected stays.
    let plan = planned(&[("Procfile", "worker: python3 w.py"), ("main.py", "")]);
    assert_eq!(plan.run_command.as_deref(), Some("python3 main.py"));
    let plan = planned(&[("Procfile", "cron: @hourly ./tick")]);
    assert_eq!((plan.kind, plan.schedules.len()), ("custom", 1));
}

#[test]
fn mistakes_are_told() {
    for (text, part) in [
        ("Web: x", "`Web` in the Procfile"),
        ("-a: x", "`-a`"),
        ("a b: x", "`a b`"),
        ("a.b: x", "`a.b`"),
        (": x", "``"),
        ("abcdefghijklmnopqrstuvwxyz0123456: x", "up to 32"),
        ("web: x\nweb: y", "two `web`"),
        ("worker:", "`worker` has no command"),
        ("worker", "line 1"),
        ("cron: 61 * * * * x", "`cron`: the schedule `61 * * * *`"),
        ("cron: * * * *", "needs five"),
        ("cron: @every 5m x", "@hourly"),
        ("cron: 0 3 * * *", "no command"),
        ("cron: @daily", "no command"),
    ] {
        let error = fails(&[("Procfile", text), ("main.py", "")]);
        assert!(error.contains(part), "{text}: {error}");
    }
}
