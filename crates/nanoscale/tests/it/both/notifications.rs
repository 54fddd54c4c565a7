//! Webhooks: what happens is told once, to those who want to hear it, however often it takes.

use std::time::Duration;

use ids::{DeliveryState, NotificationEvent, NotificationKind, ProjectId};
use reqwest::Method;
use serde_json::json;
use testkit::{Client, PATIENCE, Receiver, TestServer, wait_until};

use crate::apps::{archive, deploy, deploy_failing, project};
use crate::server;

/// An attempt that was cut off counts as lost after 25 seconds.
const LEASE: Duration = Duration::from_secs(45);

/// A site that goes live without a process of its own.
fn site() -> Vec<u8> {
    archive(&[("index.html", "<p>hello")])
}

/// Nothing that could be planned: fails before anything is built.
fn nonsense() -> Vec<u8> {
    archive(&[("README.md", "x")])
}

pub(crate) fn webhook(name: &str, url: String) -> api::NotificationChannelCreate {
    api::NotificationChannelCreate {
        name: name.into(),
        kind: NotificationKind::Webhook,
        settings: api::NotificationSettings { url: Some(url), ..api::NotificationSettings::default() },
        events: None,
        project_ids: None,
        enabled: None,
    }
}

/// A server that may tell `receiver`, its administrator and a project.
async fn fixture(receiver: &Receiver) -> (TestServer, Client, ProjectId) {
    let server = server().notification_allow(receiver.host()).start().await;
    let client = server.setup().await;
    let project = project(&client, "shop").await;
    (server, client, project)
}

#[tokio::test]
async fn a_failure_is_told_once_and_signed() {
    let receiver = Receiver::start().await;
    let (server, client, project) = fixture(&receiver).await;
    let secret = testkit::random_secret();
    let mut create = webhook("ops", receiver.url());
    create.settings.secret = Some(secret.clone());
    let channel = client.notification_channel_create(&create).await.unwrap();
    assert_eq!(channel.settings.url_host.as_deref(), Some(receiver.host().as_str()));
    assert_eq!(channel.settings.has_secret, Some(true));
    assert!(channel.events.contains(&NotificationEvent::DeploymentFailed));
    assert!(!channel.events.contains(&NotificationEvent::DeploymentLive), "good news are told on request");

    // This one is not told, so the next one comes first.
    deploy(&client, &project, site()).await;
    let failed = deploy_failing(&client, &project, nonsense()).await;
    let told = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert!(told.is_signed_by(&secret) && !told.is_signed_by("another secret"));
    assert_eq!(told.header("x-nanoscale-event"), Some("deployment.failed"));
    let payload = told.json::<api::NotificationPayload>();
    assert_eq!(told.header("x-nanoscale-delivery"), Some(payload.id.as_str()));
    assert_eq!(payload.event, "deployment.failed");
    let about = payload.deployment.unwrap();
    assert_eq!((&about.id, about.number, about.reason), (&failed.id, 2, failed.reason));
    assert_eq!(payload.project.unwrap().name, "shop");
    assert!(payload.message.contains("Deployment 2 of shop failed") && payload.message.contains("still serves"));
    assert_eq!(payload.url, format!("{}/projects/{project}/deployments/{}", server.api_url(), failed.id));

    let delivered = client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
    assert_eq!((delivered.id, delivered.attempts, delivered.last_status), (payload.id, 1, Some(204)));
    assert_eq!(delivered.deployment_id, Some(failed.id));
    let listed = client.notification_channel_list().await.unwrap();
    assert_eq!(listed[0].latest_delivery.as_ref().unwrap().state, DeliveryState::Delivered);

    // Nothing that is read back holds what only the other side may know.
    for path in
        ["/api/notification-channels".to_owned(), format!("/api/notification-channels/{}/deliveries", channel.id)]
    {
        let text = client.raw(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        assert_eq!(server.secrets().found_in(&text), Vec::<String>::new(), "{path}");
    }
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn channels_hear_what_they_chose_of_the_projects_they_chose() {
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let builder = receivers.iter().fold(server(), |builder, receiver| builder.notification_allow(receiver.host()));
    let server = builder.start().await;
    let client = server.setup().await;
    let (shop, blog) = (project(&client, "shop").await, project(&client, "blog").await);
    let [all, live, of_shop] = &receivers;
    let both = vec![NotificationEvent::DeploymentLive, NotificationEvent::DeploymentFailed];
    for create in [
        api::NotificationChannelCreate { events: Some(both.clone()), ..webhook("all", all.url()) },
        api::NotificationChannelCreate { events: Some(both[..1].to_vec()), ..webhook("live", live.url()) },
        api::NotificationChannelCreate {
            events: Some(both),
            project_ids: Some(vec![shop.clone()]),
            ..webhook("of shop", of_shop.url())
        },
        api::NotificationChannelCreate { enabled: Some(false), ..webhook("off", of_shop.url()) },
    ] {
        client.notification_channel_create(&create).await.unwrap();
    }
    deploy(&client, &shop, site()).await;
    deploy_failing(&client, &shop, nonsense()).await;
    deploy(&client, &blog, site()).await;
    let told = |receiver: &Receiver| {
        let mut told = receiver.received().iter().map(|it| it.json::<api::NotificationPayload>()).collect::<Vec<_>>();
        told.sort_by(|a, b| a.created_at.cmp(&b.created_at));
        told.into_iter().map(|it| format!("{} {}", it.project.unwrap().name, it.event)).collect::<Vec<_>>()
    };
    all.wait_for(3, PATIENCE).await;
    live.wait_for(2, PATIENCE).await;
    of_shop.wait_for(2, PATIENCE).await;
    assert_eq!(told(all), ["shop deployment.live", "shop deployment.failed", "blog deployment.live"]);
    assert_eq!(told(live), ["shop deployment.live", "blog deployment.live"]);
    assert_eq!(told(of_shop), ["shop deployment.live", "shop deployment.failed"]);

    // The only project of a narrowed channel goes; it must not hear of all the others from then on.
    client.project_delete(&shop).await.unwrap();
    client.wait_deleted(&shop, PATIENCE).await;
    deploy_failing(&client, &blog, nonsense()).await;
    all.wait_for(4, PATIENCE).await;
    assert_eq!(told(of_shop).len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_was_down_gets_it_later_under_the_same_id() {
    let receiver = Receiver::start().await;
    let (_server, client, project) = fixture(&receiver).await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer_with(500, &[], "out of order", 1);
    receiver.answer_with(503, &[("retry-after", "2")], "", 1);
    deploy_failing(&client, &project, nonsense()).await;
    let tries = receiver.wait_for(3, PATIENCE).await;
    assert!(tries.iter().all(|it| it.header("x-nanoscale-delivery") == tries[0].header("x-nanoscale-delivery")));
    assert!(tries.iter().all(|it| it.body == tries[0].body), "the same bytes each time");
    let pause = tries[2].at - tries[1].at;
    assert!(pause >= Duration::from_millis(1900), "it asked for two seconds and got {pause:?}");
    let delivered = client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
    assert_eq!((delivered.attempts, delivered.last_error), (3, None));
    assert_eq!(client.notification_deliveries(&channel.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_waiting_delivery_says_why_and_can_be_sent_at_once() {
    let receiver = Receiver::start().await;
    let config = json!({"notifications": {"first_retry_ms": 3_600_000}});
    let server = server().notification_allow(receiver.host()).config(config).start().await;
    let client = server.setup().await;
    let project = project(&client, "shop").await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer_with(502, &[], "no backend", 1);
    deploy_failing(&client, &project, nonsense()).await;
    let waiting = "the first attempt failed";
    wait_until(waiting, PATIENCE, async || {
        let listed = client.notification_deliveries(&channel.id).await.unwrap();
        listed.first().is_some_and(|delivery| delivery.last_status == Some(502))
    })
    .await;
    let delivery = client.notification_deliveries(&channel.id).await.unwrap().remove(0);
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Pending, 1));
    assert!(delivery.last_error.unwrap().contains("no backend") && delivery.next_attempt_at.is_some());

    client.notification_delivery_retry(&delivery.id).await.unwrap();
    let delivered = client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
    assert_eq!((&delivered.id, delivered.attempts), (&delivery.id, 2));
    let again = client.notification_delivery_retry(&delivered.id).await.unwrap_err();
    assert_eq!((again.status, again.code()), (409, "ALREADY_DELIVERED"));
}

#[tokio::test]
async fn who_answers_gone_is_left_alone() {
    let receiver = Receiver::start().await;
    let (_server, client, project) = fixture(&receiver).await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer(410, 1);
    deploy_failing(&client, &project, nonsense()).await;
    let failed = client.wait_for_delivery(&channel.id, DeliveryState::Failed, PATIENCE).await;
    assert_eq!(failed.last_status, Some(410));
    let off = client.notification_channel_get(&channel.id).await.unwrap();
    assert!(!off.enabled && off.disabled_reason.unwrap().contains("410"));
    deploy_failing(&client, &project, nonsense()).await;
    assert_eq!(client.notification_deliveries(&channel.id).await.unwrap().len(), 1, "nothing more is told");
    let refused = client.notification_delivery_retry(&failed.id).await.unwrap_err();
    assert_eq!(refused.code(), "CHANNEL_DISABLED");

    let on = api::NotificationChannelUpdate { enabled: Some(true), ..api::NotificationChannelUpdate::default() };
    let on = client.notification_channel_update(&channel.id, &on).await.unwrap();
    assert!(on.enabled && on.disabled_reason.is_none());
    client.notification_delivery_retry(&failed.id).await.unwrap();
    client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn switching_a_channel_off_gives_up_what_it_had_to_tell() {
    let receiver = Receiver::start().await;
    let (_server, client, project) = fixture(&receiver).await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer_with(503, &[("retry-after", "3600")], "", 1);
    deploy_failing(&client, &project, nonsense()).await;
    receiver.wait_for(1, PATIENCE).await;
    let off = api::NotificationChannelUpdate { enabled: Some(false), ..api::NotificationChannelUpdate::default() };
    client.notification_channel_update(&channel.id, &off).await.unwrap();
    let given_up = client.wait_for_delivery(&channel.id, DeliveryState::Abandoned, PATIENCE).await;
    assert!(given_up.last_error.unwrap().contains("switched off") && given_up.next_attempt_at.is_none());
}

/// The first delivery is cut off in the middle of an attempt, the second one before any.
#[tokio::test]
async fn a_kill_between_fact_and_delivery_loses_and_doubles_nothing() {
    let receiver = Receiver::start().await;
    let (mut server, client, project) = fixture(&receiver).await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    let stall = receiver.stall();
    let facts = [
        deploy_failing(&client, &project, nonsense()).await.id,
        deploy_failing(&client, &project, nonsense()).await.id,
    ];
    receiver.wait_for(1, PATIENCE).await;
    server.kill();
    drop(stall);
    server.restart().await;
    receiver.wait_for(3, LEASE).await;
    wait_until("both are delivered", PATIENCE, async || {
        let listed = client.notification_deliveries(&channel.id).await.unwrap();
        listed.iter().all(|delivery| delivery.state == DeliveryState::Delivered)
    })
    .await;
    let listed = client.notification_deliveries(&channel.id).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:#?}");
    let told = receiver.received().iter().map(|it| it.json::<api::NotificationPayload>()).collect::<Vec<_>>();
    for fact in facts {
        let mut ids = told.iter().filter(|it| it.deployment.as_ref().unwrap().id == fact).map(|it| it.id.clone());
        let id = ids.next().unwrap();
        assert!(ids.all(|other| other == id), "a repetition has the same id");
        assert!(listed.iter().any(|delivery| delivery.id == id));
    }
}

#[tokio::test]
async fn a_slow_channel_holds_up_nobody_else() {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    let server = server().notification_allow(slow.host()).notification_allow(quick.host()).start().await;
    let client = server.setup().await;
    let project = project(&client, "shop").await;
    client.notification_channel_create(&webhook("a slow one", slow.url())).await.unwrap();
    client.notification_channel_create(&webhook("quick", quick.url())).await.unwrap();
    let _stall = slow.stall();
    for _ in 0..3 {
        deploy_failing(&client, &project, nonsense()).await;
    }
    quick.wait_for(3, PATIENCE).await;
    assert_eq!(slow.received().len(), 1, "one attempt at a time");
}

#[tokio::test]
async fn every_problem_is_named_at_once() {
    let receiver = Receiver::start().await;
    let (_server, client, _) = fixture(&receiver).await;
    let problems = async |create: serde_json::Value| {
        let request = client.raw(Method::POST, "/api/notification-channels").json(&create);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{create}");
        let body = response.json::<api::ErrorBody>().await.unwrap();
        let problems = body.details.unwrap()["problems"].as_array().unwrap().clone();
        problems
            .iter()
            .map(|it| format!("{} {}", it["field"].as_str().unwrap(), it["error"].as_str().unwrap()))
            .collect()
    };
    let found: Vec<_> = problems(json!({"name": " ", "kind": "webhook", "events": [], "settings": {"url": "nonsense",
        "port": 1}, "project_ids": ["01j9z3k4w5x6y7z8a9b0c1d2e3"]}))
    .await;
    let expected = [
        "name INVALID_NAME",
        "events NO_EVENTS",
        "project_ids[0] UNKNOWN_PROJECT",
        "settings.port FOREIGN_SETTING",
        "settings.url INVALID_URL",
    ];
    assert_eq!(found, expected);
    let found: Vec<_> = problems(json!({"name": "mail", "kind": "email", "settings": {"host": "a b", "port": 0,
        "tls": "none", "password": "p", "from": "x", "to": ["a@example.com", "b"]}}))
    .await;
    let expected = [
        "settings.host INVALID_HOST",
        "settings.port INVALID_PORT",
        "settings.from INVALID_ADDRESS",
        "settings.to[1] INVALID_ADDRESS",
        "settings.username USERNAME_MISSING",
    ];
    assert_eq!(found, expected);
    assert!(client.notification_channel_list().await.unwrap().is_empty());
    client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    let twice = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap_err();
    assert_eq!((twice.status, twice.code(), twice.field()), (409, "NAME_TAKEN", Some("name")));
}

#[tokio::test]
async fn deliveries_are_paged_and_go_with_their_channel() {
    let receiver = Receiver::start().await;
    let (_server, client, project) = fixture(&receiver).await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    for _ in 0..3 {
        deploy_failing(&client, &project, nonsense()).await;
    }
    receiver.wait_for(3, PATIENCE).await;
    let first = client.notification_delivery_page(&channel.id, 2, None).await.unwrap();
    assert_eq!(first.deliveries.len(), 2);
    let rest = client.notification_delivery_page(&channel.id, 2, first.next_cursor.as_deref()).await.unwrap();
    assert!(rest.deliveries.len() == 1 && rest.next_cursor.is_none());
    assert!(first.deliveries[1].id > rest.deliveries[0].id);
    assert_eq!(client.notification_channel_delete(&channel.id).await.unwrap(), 204);
    for failure in [
        client.notification_channel_get(&channel.id).await.unwrap_err(),
        client.notification_deliveries(&channel.id).await.unwrap_err(),
        client.notification_channel_test(&channel.id).await.unwrap_err(),
        client.notification_delivery_retry(&rest.deliveries[0].id).await.unwrap_err(),
        client.notification_channel_delete(&channel.id).await.unwrap_err(),
    ] {
        assert_eq!(failure.status, 404);
    }
}
