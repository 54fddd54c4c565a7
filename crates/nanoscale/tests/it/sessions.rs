use std::time::Duration;

use testkit::{Database, Postgres};

use crate::server;

/// What another server on the same database revoked is noticed without a word from it.
#[tokio::test]
async fn a_stream_ends_when_its_session_is_gone_from_the_database() {
    let database = Postgres::shared().database();
    let server = server().database(Database::Postgres(database.clone())).start().await;
    let admin = server.setup().await;
    let mut events = admin.events(None).await.unwrap();
    Postgres::shared().psql(&database, "delete from sessions");
    assert!(events.next_within(Duration::from_secs(20)).await.unwrap().is_none());
}
