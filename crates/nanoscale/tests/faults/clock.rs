//! The time of day jumps by a day, forwards and back, under a running server.

use std::collections::BTreeSet;
use std::time::Duration;

use ids::{DeliveryState, DeploymentState, NotificationKind, ProjectId, RunKind};
use testkit::{
    Client, Clock, Database, LogsQuery, PATIENCE, Receiver, TestServer, random_secret, wait_some, wait_until,
};

use crate::apps::{archive, deploy_failing, node_app_with, project};
use crate::{ALONE, BUILD, server};

const DAY: i64 = 24 * 3600;

struct Fixture {
    server: TestServer,
    /// Goes after who goes by it.
    clock: Clock,
    client: Client,
    password: String,
    project: ProjectId,
}

impl Fixture {
    async fn new(receiver: &Receiver) -> Self {
        let clock = Clock::new();
        let server =
            server().database(Database::Sqlite).clock(&clock).notification_allow(receiver.host()).start().await;
        let (client, password) = (server.client(), random_secret());
        client.setup("admin", &password, server.setup_code()).await.unwrap();
        let project = project(&client, "shop").await;
        let fixture = Self { clock, server, client, password, project };
        fixture.deploys("1").await;
        fixture
    }

    /// What the server takes the time for, in seconds.
    async fn now(&self) -> i64 {
        let health = self.client.raw(reqwest::Method::GET, "/health").send().await.unwrap();
        seconds(&health.json::<api::HealthDetail>().await.unwrap().time)
    }

    async fn jump(&self, to: i64) {
        self.clock.set(to);
        let off = self.now().await - true_time() - to;
        assert!((-1..=5).contains(&off), "the clock is {off} s beside what it was set to");
    }

    /// Sets the clock to where a minute is about to begin, so many days and minutes off.
    async fn jump_to_minute(&self, days: i64, minutes: i64) {
        let rest = 59 - true_time().rem_euclid(60);
        self.jump(days * DAY + minutes * 60 + rest).await;
    }

    async fn deploys(&self, version: &str) {
        let app = node_app_with(version, &format!("console.log('begin {version}');"));
        let deployment = self.client.upload(&self.project, app).await.unwrap();
        let live = self.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        assert!(live.duration_ms.is_some_and(|took| took >= 0), "{live:?}");
        for step in &live.steps {
            assert!(step.finished_at.as_ref().is_none_or(|end| seconds(end) >= seconds(&step.started_at)), "{live:?}");
        }
        self.server.app("shop.localhost").wait_for_version(version, PATIENCE).await;
    }

    /// Everybody who is signed in stays so, and who is not can sign in.
    async fn lets_in(&self, program: &Client) {
        self.client.me().await.unwrap();
        program.me().await.unwrap();
        self.client.anonymous().login("admin", &self.password).await.unwrap();
        let node = self.client.nodes().await.unwrap().remove(0);
        assert_eq!(node.health_status, ids::HealthStatus::Healthy);
    }

    async fn scheduled(&self) -> Vec<api::Run> {
        let mut runs = self.client.run_list(&self.project).await.unwrap();
        runs.retain(|run| run.kind == RunKind::Schedule);
        runs
    }

    /// Waits for a run that there was none of before, which was due at this server's time.
    async fn runs_on(&self, before: &[api::Run]) {
        let known = before.iter().map(|run| run.id.clone()).collect::<BTreeSet<_>>();
        let run = wait_some("the schedule is run", PATIENCE, async || {
            self.scheduled().await.into_iter().find(|run| !known.contains(&run.id) && run.state.is_settled())
        })
        .await;
        let late = self.now().await - seconds(run.scheduled_for.as_ref().unwrap());
        assert!((0..90).contains(&late), "{late} s late: {run:?}");
    }
}

fn true_time() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Of a time as the API writes it, since 1970.
fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_a_day_locks_nobody_out_and_stops_nothing() {
    let _alone = ALONE.lock().await;
    let receiver = Receiver::start().await;
    let mut fixture = Fixture::new(&receiver).await;
    let client = fixture.client.clone();
    let program = client.with_token(client.token_create("ci").await.unwrap().token);

    fixture.jump(DAY).await;
    fixture.lets_in(&program).await;
    fixture.deploys("2").await;
    for _ in 0..5 {
        let wrong = client.anonymous().login("admin", "a wrong password").await.unwrap_err();
        assert_eq!(wrong.code(), "BAD_CREDENTIALS");
    }
    let locked = client.anonymous().login("admin", &fixture.password).await.unwrap_err();
    assert_eq!((locked.status, locked.code()), (429, "TOO_MANY_ATTEMPTS"));
    assert!(locked.retry_after.is_some_and(|seconds| seconds <= 15 * 60), "{locked}");

    // A day back: what was locked is not locked for a day.
    fixture.jump(0).await;
    fixture.lets_in(&program).await;
    fixture.deploys("3").await;

    fixture.jump(-DAY).await;
    fixture.lets_in(&program).await;
    fixture.deploys("4").await;
    // What it was told before is older than what it is told after a start, whatever the clock says.
    fixture.server.restart().await;
    fixture.server.app("shop.localhost").wait_for_version("4", PATIENCE).await;
    fixture.lets_in(&program).await;
    fixture.deploys("5").await;
    fixture.jump(0).await;
    fixture.deploys("6").await;
    let numbers = client.deployment_list(&fixture.project).await.unwrap();
    assert!(numbers.windows(2).all(|pair| pair[0].number > pair[1].number), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_goes_on_after_a_jump_without_a_burst_and_runs_no_time_twice() {
    let _alone = ALONE.lock().await;
    let fixture = Fixture::new(&Receiver::start().await).await;
    let put = api::SchedulePut {
        schedule: "* * * * *".into(),
        command: "sh -c 'echo tick'".into(),
        enabled: true,
        timeout_seconds: None,
    };
    fixture.client.schedule_put(&fixture.project, "tick", &put).await.unwrap();
    fixture.jump_to_minute(0, 0).await;
    fixture.runs_on(&[]).await;
    let before = fixture.scheduled().await;

    // The latest of all the times that were jumped over, and no other.
    fixture.jump_to_minute(1, 0).await;
    fixture.runs_on(&before).await;
    let ahead = fixture.scheduled().await;
    assert!(ahead.len() <= before.len() + 3, "{ahead:?}");

    // Back: it goes on from there, rather than when the day is over. The minute of the first run has had its one.
    fixture.jump_to_minute(0, 5).await;
    fixture.runs_on(&ahead).await;
    let back = fixture.scheduled().await;

    // To a time before the project was made.
    fixture.jump_to_minute(-1, 0).await;
    fixture.runs_on(&back).await;
    let runs = fixture.scheduled().await;
    let times = runs.iter().map(|run| run.scheduled_for.clone()).collect::<BTreeSet<_>>();
    assert_eq!(times.len(), runs.len(), "{runs:?}");
    assert!(runs.len() <= 10, "{runs:?}");
    let next = fixture.client.schedule_list(&fixture.project).await.unwrap().remove(0).next_run_at.unwrap();
    assert!((seconds(&next) - fixture.now().await).abs() <= 60, "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_waits_for_its_pause_and_not_for_the_clock() {
    let _alone = ALONE.lock().await;
    let receiver = Receiver::start().await;
    let fixture = Fixture::new(&receiver).await;
    let create = api::NotificationChannelCreate {
        name: "ops".into(),
        kind: NotificationKind::Webhook,
        settings: api::NotificationSettings { url: Some(receiver.url()), ..api::NotificationSettings::default() },
        events: None,
        project_ids: None,
        enabled: None,
    };
    let channel = fixture.client.notification_channel_create(&create).await.unwrap();
    fixture.jump(DAY).await;
    receiver.answer(500, 3);
    deploy_failing(&fixture.client, &fixture.project, archive(&[("README.md", "x")])).await;
    wait_until("it is to be tried again", PATIENCE, async || receiver.received().len() == 3).await;
    fixture.jump(0).await;
    fixture.client.wait_for_delivery(&channel.id, DeliveryState::Delivered, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_logs_misses_nothing_and_gets_nothing_twice() {
    let _alone = ALONE.lock().await;
    let fixture = Fixture::new(&Receiver::start().await).await;
    let (client, project) = (fixture.client.clone(), fixture.project.clone());
    let mut following = client.follow_project_logs(&project, &LogsQuery::default()).await.unwrap();
    let mut read = Vec::new();
    let mut position = None;
    for (version, days) in [("1", 0), ("2", 1), ("3", 0), ("4", -1), ("5", 0)] {
        if version != "1" {
            fixture.jump(days * DAY).await;
            fixture.deploys(version).await;
        }
        // Who comes back goes on from where it stood before the jump.
        let query = LogsQuery { after: position.take(), ..LogsQuery::default() };
        let mut coming = client.follow_project_logs(&project, &query).await.unwrap();
        while !read.iter().any(|line: &api::LogLine| line.text == format!("begin {version}")) {
            let line = coming.next_within(PATIENCE).await.unwrap().unwrap();
            position = Some(line.id.clone());
            read.push(line);
        }
    }
    let begins = |lines: &[api::LogLine]| {
        let of = |line: &api::LogLine| line.text.strip_prefix("begin ").map(str::to_owned);
        let mut versions = lines.iter().filter_map(of).collect::<Vec<_>>();
        versions.sort();
        versions
    };
    assert_eq!(begins(&read), ["1", "2", "3", "4", "5"]);
    let mut followed = Vec::new();
    while begins(&followed).len() < 5 {
        followed.push(following.next_within(PATIENCE).await.unwrap().unwrap());
    }
    assert_eq!(begins(&followed), ["1", "2", "3", "4", "5"]);
    let lines = followed.iter().map(|line| (&line.deployment_id, &line.time, &line.text)).collect::<BTreeSet<_>>();
    assert_eq!(lines.len(), followed.len(), "{followed:#?}");
}
