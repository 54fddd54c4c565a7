//! Notifications by mail and to Slack, where they may go, and the disk that is nearly full.

use std::time::Duration;

use ids::{DeliveryState, NotificationEvent, NotificationKind, SmtpTls};
use serde_json::json;
use testkit::{Client, Database, MailServer, PATIENCE, Postgres, Receiver, TestServer};

use crate::apps::{archive, deploy_failing, project};
use crate::both::notifications::webhook;
use crate::server;

fn slack(name: &str, url: String) -> api::NotificationChannelCreate {
    api::NotificationChannelCreate { kind: NotificationKind::Slack, ..webhook(name, url) }
}

fn email(mail: &MailServer, tls: SmtpTls, to: &[&str]) -> api::NotificationChannelCreate {
    let signs_in = tls != SmtpTls::None;
    let settings = api::NotificationSettings {
        host: Some(MailServer::HOST.into()),
        port: Some(mail.port().into()),
        tls: Some(tls),
        username: signs_in.then(|| MailServer::USERNAME.into()),
        password: signs_in.then(|| mail.password().to_owned()),
        from: Some("NanoScale <cloud@example.com>".into()),
        to: Some(to.iter().map(|&address| address.to_owned()).collect()),
        ..api::NotificationSettings::default()
    };
    api::NotificationChannelCreate { kind: NotificationKind::Email, settings, ..webhook("mail", String::new()) }
}

fn failing() -> Vec<u8> {
    archive(&[("README.md", "x")])
}

async fn mail_fixture(mail: &MailServer) -> (TestServer, Client) {
    // The system's own certificates are no business of a test's.
    let authority = mail.authority();
    let server = server().notification_allow(mail.host()).env("SSL_CERT_FILE", authority.display().to_string());
    let server = server.start().await;
    let client = server.setup().await;
    (server, client)
}

#[tokio::test]
async fn slack_gets_a_text_that_cannot_call_everybody() {
    let receiver = Receiver::start().await;
    let server = server().notification_allow(receiver.host()).start().await;
    let client = server.setup().await;
    let channel = client.notification_channel_create(&slack("team", receiver.slack_url())).await.unwrap();
    let id = project(&client, "<!channel> & @everyone").await;
    deploy_failing(&client, &id, failing()).await;
    let told = receiver.wait_for(1, PATIENCE).await.remove(0);
    let text = told.json::<serde_json::Value>()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("&lt;!channel&gt; &amp; @\u{200b}everyone: deployment 1 failed"), "{text}");
    assert!(text.contains(&format!("<{}/projects/{id}/deployments/", server.api_url())), "{text}");
    client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
    // Slack says in a word what is wrong.
    receiver.answer_with(404, &[], "no_service", 1);
    let test = client.notification_channel_test(&channel.id).await.unwrap();
    assert!(!test.ok && test.error.unwrap().contains("no_service"));
}

#[tokio::test]
async fn https_is_held_to_the_name_and_its_authority() {
    let (known, stranger) = (Receiver::start_https().await, Receiver::start_https().await);
    let authority = known.authority().display().to_string();
    let server = server().env("SSL_CERT_FILE", authority).notification_allow(known.host());
    // The same place under a name that is not the certificate's.
    let by_address = known.host().replace(Receiver::HTTPS_NAME, "127.0.0.1");
    let server = server.notification_allow(stranger.host()).notification_allow(by_address.clone()).start().await;
    let client = server.setup().await;
    let tested = async |url: String| {
        let channel = client.notification_channel_create(&webhook(&testkit::random_secret(), url)).await.unwrap();
        client.notification_channel_test(&channel.id).await.unwrap()
    };
    let test = tested(known.url()).await;
    assert!(test.ok, "{test:?}");
    for url in [stranger.url(), known.url().replace(&known.host(), &by_address)] {
        let test = tested(url).await;
        assert!(!test.ok && test.error.as_ref().unwrap().contains("certificate"), "{test:?}");
    }
    assert_eq!((known.received().len(), stranger.received().len()), (1, 0));
}

#[tokio::test]
async fn mail_goes_out_encrypted_and_signed_in() {
    for tls in [SmtpTls::StartTls, SmtpTls::Implicit] {
        let mail = MailServer::start(tls);
        let (_server, client) = mail_fixture(&mail).await;
        let to = ["ada@example.com", "Grace <grace@example.com>"];
        let channel = client.notification_channel_create(&email(&mail, tls, &to)).await.unwrap();
        assert_eq!((channel.settings.tls, channel.settings.has_password), (Some(tls), Some(true)));
        let id = project(&client, "größe <b>").await;
        deploy_failing(&client, &id, failing()).await;
        let sent = mail.wait_for(1, PATIENCE).await.remove(0);
        assert!(sent.encrypted && sent.signed_in);
        assert_eq!((sent.from.as_str(), sent.to.len()), ("cloud@example.com", 2));
        assert_eq!(sent.headers["subject"], "größe <b>: deployment 1 failed");
        assert_eq!(sent.headers["to"], "ada@example.com, Grace <grace@example.com>");
        let delivered = client.wait_for_delivery(&channel.id, DeliveryState::Delivered, PATIENCE).await;
        assert_eq!(sent.headers["x-nanoscale-delivery"], delivered.id.as_str());
        assert_eq!(sent.headers["message-id"], format!("<{}@example.com>", delivered.id));
        let (plain, html) = (sent.plain.unwrap(), sent.html.unwrap());
        assert!(plain.contains("Deployment 1 of größe <b> failed") && plain.contains("/deployments/"), "{plain}");
        assert!(html.contains("größe &lt;b&gt;") && !html.contains("<b>"), "{html}");
    }
}

#[tokio::test]
async fn mail_that_is_refused_says_why_and_mail_that_is_put_off_is_sent_later() {
    let mail = MailServer::start(SmtpTls::None);
    let (_server, client) = mail_fixture(&mail).await;
    let channel = client.notification_channel_create(&email(&mail, SmtpTls::None, &["nobody@example.com"])).await;
    let channel = channel.unwrap().id;
    let id = project(&client, "shop").await;
    deploy_failing(&client, &id, failing()).await;
    let refused = client.wait_for_delivery(&channel, DeliveryState::Failed, PATIENCE).await;
    assert_eq!((refused.attempts, refused.last_status), (1, Some(550)), "asking again does not make a mailbox");
    assert!(refused.last_error.unwrap().contains("no such mailbox"));

    let settings =
        api::NotificationSettings { to: Some(vec!["busy@example.com".into()]), ..api::NotificationSettings::default() };
    let update =
        api::NotificationChannelUpdate { settings: Some(settings), ..api::NotificationChannelUpdate::default() };
    client.notification_channel_update(&channel, &update).await.unwrap();
    client.notification_delivery_retry(&refused.id).await.unwrap();
    let delivered = client.wait_for_delivery(&channel, DeliveryState::Delivered, PATIENCE).await;
    assert_eq!((delivered.id, delivered.attempts), (refused.id, 2));
    assert_eq!(mail.mails()[0].to, ["busy@example.com"]);
}

#[tokio::test]
async fn the_test_button_says_what_became_of_it_for_each_kind() {
    let (receiver, mail) = (Receiver::start().await, MailServer::start(SmtpTls::StartTls));
    // Its certificate comes from an authority that the server does not know.
    let stranger = MailServer::start(SmtpTls::Implicit);
    let authority = mail.authority();
    let server = server()
        .notification_allow(receiver.host())
        .notification_allow(mail.host())
        .notification_allow(stranger.host())
        .env("SSL_CERT_FILE", authority.display().to_string())
        .start()
        .await;
    let client = server.setup().await;
    for create in [
        webhook("hook", receiver.url()),
        slack("team", receiver.slack_url()),
        email(&mail, SmtpTls::StartTls, &["ada@example.com"]),
    ] {
        let channel = client.notification_channel_create(&create).await.unwrap();
        let test = client.notification_channel_test(&channel.id).await.unwrap();
        assert!(test.ok && test.error.is_none() && test.status.is_some(), "{test:?}");
        assert!(client.notification_deliveries(&channel.id).await.unwrap().is_empty(), "a test is no fact");
    }
    assert_eq!(receiver.received()[0].header("x-nanoscale-event"), Some("test"));
    assert_eq!(mail.wait_for(1, PATIENCE).await[0].headers["subject"], "NanoScale: a test");

    let mut wrong = email(&mail, SmtpTls::StartTls, &["ada@example.com"]);
    wrong.name = "wrong password".into();
    wrong.settings.password = Some("not the password".into());
    let channel = client.notification_channel_create(&wrong).await.unwrap();
    let test = client.notification_channel_test(&channel.id).await.unwrap();
    assert_eq!((test.ok, test.status), (false, Some(535)), "{test:?}");

    let port = Some(stranger.port().into());
    let settings = api::NotificationSettings { port, tls: Some(SmtpTls::Implicit), ..Default::default() };
    let update = api::NotificationChannelUpdate { settings: Some(settings), ..Default::default() };
    client.notification_channel_update(&channel.id, &update).await.unwrap();
    let test = client.notification_channel_test(&channel.id).await.unwrap();
    assert!(!test.ok && test.status.is_none(), "{test:?}");
}

#[tokio::test]
async fn a_password_is_not_sent_where_it_was_not_meant_for() {
    let mail = MailServer::start(SmtpTls::StartTls);
    let (_server, client) = mail_fixture(&mail).await;
    let channel =
        client.notification_channel_create(&email(&mail, SmtpTls::StartTls, &["ada@example.com"])).await.unwrap();
    let settings = api::NotificationSettings { host: Some("smtp.example.com".into()), ..Default::default() };
    let update = api::NotificationChannelUpdate { settings: Some(settings), ..Default::default() };
    let refused = client.notification_channel_update(&channel.id, &update).await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("PASSWORD_NEEDED", Some("settings.password")));
}

async fn refused(client: &Client, create: &api::NotificationChannelCreate) -> String {
    let failure = client.notification_channel_create(create).await.err();
    let failure = failure.unwrap_or_else(|| panic!("{:?} was accepted", create.settings.url));
    assert_eq!(failure.status, 400);
    failure.code().to_owned()
}

#[tokio::test]
async fn nothing_is_sent_into_private_ranges() {
    let receiver = Receiver::start().await;
    let mut server = server().notification_allow(receiver.host()).start().await;
    let client = server.setup().await;
    let port = receiver.host().rsplit_once(':').unwrap().1.to_owned();
    for (url, code) in [
        ("http://example.com/hook".to_owned(), "INSECURE_URL"),
        ("ftp://example.com/hook".to_owned(), "INVALID_URL"),
        ("https://127.0.0.1/hook".to_owned(), "PRIVATE_HOST"),
        ("https://2130706433/hook".to_owned(), "PRIVATE_HOST"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "PRIVATE_HOST"),
        ("https://10.1.2.3/hook".to_owned(), "PRIVATE_HOST"),
        ("https://[::1]/hook".to_owned(), "PRIVATE_HOST"),
        ("https://[::ffff:127.0.0.1]/hook".to_owned(), "PRIVATE_HOST"),
        ("https://localhost/hook".to_owned(), "PRIVATE_HOST"),
        // The listed host is another port of this machine.
        (format!("https://127.0.0.1:{}/hook", port.parse::<u16>().unwrap() ^ 1), "PRIVATE_HOST"),
    ] {
        assert_eq!(refused(&client, &webhook("x", url.clone())).await, code, "{url}");
    }
    let mut mail = email(&MailServer::start(SmtpTls::None), SmtpTls::None, &["ada@example.com"]);
    assert_eq!(refused(&client, &mail).await, "PRIVATE_HOST");
    mail.settings.host = Some("10.0.0.1".into());
    assert_eq!(refused(&client, &mail).await, "PRIVATE_HOST");

    // What was right when it was set is looked at again when it is sent.
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap().id;
    server.configure(json!({"notifications": {"allow_hosts": []}}));
    server.restart().await;
    let test = client.notification_channel_test(&channel).await.unwrap();
    assert!(!test.ok && test.error.unwrap().contains("notifications.allow_hosts"));
    let id = project(&client, "shop").await;
    deploy_failing(&client, &id, failing()).await;
    let failed = client.wait_for_delivery(&channel, DeliveryState::Failed, PATIENCE).await;
    assert!(failed.last_error.unwrap().contains("private range"));
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn redirects_are_told_and_not_followed() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let server = server().notification_allow(receiver.host()).notification_allow(elsewhere.host()).start().await;
    let client = server.setup().await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer_with(307, &[("location", &elsewhere.url())], "", 1);
    let test = client.notification_channel_test(&channel.id).await.unwrap();
    let error = test.error.unwrap();
    assert!(!test.ok && test.status == Some(307) && error.contains("`127.0.0.1`"), "{error}");
    assert!(server.secrets().found_in(&error).is_empty(), "{error}");
    assert!(elsewhere.received().is_empty());
}

/// What the other side answers may repeat what it was sent.
#[tokio::test]
async fn an_answer_that_repeats_the_address_is_not_kept_with_it() {
    let receiver = Receiver::start().await;
    let server = server().notification_allow(receiver.host()).start().await;
    let client = server.setup().await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    let path = receiver.url().split_once("/hooks").map(|(_, rest)| format!("/hooks{rest}")).unwrap();
    receiver.answer_with(404, &[], &format!("Cannot POST {path}"), 1);
    let test = client.notification_channel_test(&channel.id).await.unwrap();
    assert!(test.error.unwrap().contains("Cannot POST [url]"));
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_told_once_until_it_had_room_again() {
    let receiver = Receiver::start().await;
    let mark = |percent: u32| json!({"limits": {"disk_notice_percent": percent}});
    let mut server = server().notification_allow(receiver.host()).config(mark(100)).start().await;
    let client = server.setup().await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    assert!(channel.events.contains(&NotificationEvent::NodeDiskNearlyFull));
    server.configure(mark(1));
    server.restart().await;
    let told = receiver.wait_for(1, PATIENCE).await.remove(0).json::<api::NotificationPayload>();
    assert_eq!(told.event, "node.disk_nearly_full");
    let node = told.node.unwrap();
    assert!(node.disk_used_bytes > 0 && node.disk_total_bytes >= node.disk_used_bytes);
    assert_eq!(told.url, format!("{}/servers/{}", server.api_url(), node.id));

    // Known over a restart; several samples later nothing was said again.
    server.restart().await;
    samples(&client, &node.id, 3).await;
    assert_eq!(client.notification_deliveries(&channel.id).await.unwrap().len(), 1);

    server.configure(mark(100));
    server.restart().await;
    samples(&client, &node.id, 3).await;
    server.configure(mark(1));
    server.restart().await;
    receiver.wait_for(2, PATIENCE).await;
    let listed = client.notification_deliveries(&channel.id).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:#?}");
}

/// Waits until a node has reported so often since the server's start.
async fn samples(client: &Client, node: &ids::NodeId, count: usize) {
    testkit::wait_until("the node reports", PATIENCE, async || {
        client.node_metrics(node).await.is_ok_and(|history| history.samples.len() >= count)
    })
    .await;
}

#[tokio::test]
async fn only_administrators_see_and_change_channels() {
    let url = Postgres::shared().database();
    let server = server().database(Database::Postgres(url.clone())).start().await;
    let client = server.setup().await;
    assert!(client.notification_channel_list().await.is_ok());
    Postgres::shared().psql(&url, "update users set role = 'user'");
    let failure = client.notification_channel_list().await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (403, "ADMIN_ONLY"));
    let create = webhook("ops", "https://example.com/hook".into());
    assert_eq!(client.notification_channel_create(&create).await.unwrap_err().status, 403);
}

#[tokio::test]
async fn a_delivery_is_given_up_after_eight_attempts() {
    let receiver = Receiver::start().await;
    let config = json!({"notifications": {"first_retry_ms": 1}});
    let server = server().notification_allow(receiver.host()).config(config).start().await;
    let client = server.setup().await;
    let channel = client.notification_channel_create(&webhook("ops", receiver.url())).await.unwrap();
    receiver.answer(500, 20);
    let id = project(&client, "shop").await;
    deploy_failing(&client, &id, failing()).await;
    let failed = client.wait_for_delivery(&channel.id, DeliveryState::Failed, Duration::from_secs(60)).await;
    assert_eq!((failed.attempts, failed.last_status), (8, Some(500)));
    assert_eq!(receiver.received().len(), 8);
}
