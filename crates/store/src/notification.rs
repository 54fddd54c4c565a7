use domain::notification::Channel;
use ids::{NodeId, NotificationChannelId, ProjectId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::{StoreResult, Tx};

const COLUMNS: &str =
    "id, name, kind, settings_sealed, events, project_ids, enabled, disabled_reason, created_at, updated_at";

fn channel(row: &AnyRow) -> StoreResult<Channel> {
    let words = |column: &str| row.try_get::<String, _>(column);
    Ok(Channel {
        id: parse("channel id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        kind: parse("channel kind", row.try_get("kind")?)?,
        settings_sealed: row.try_get("settings_sealed")?,
        // One that a newer version knew is passed over.
        events: words("events")?.split_whitespace().filter_map(|event| event.parse().ok()).collect(),
        project_ids: words("project_ids")?
            .split_whitespace()
            .map(|id| parse("project id", id))
            .collect::<StoreResult<_>>()?,
        enabled: row.try_get::<i64, _>("enabled")? == 1,
        disabled_reason: row.try_get("disabled_reason")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn events(channel: &Channel) -> String {
    channel.events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(" ")
}

fn projects(channel: &Channel) -> String {
    channel.project_ids.iter().map(ProjectId::as_str).collect::<Vec<_>>().join(" ")
}

impl Tx {
    /// [`crate::StoreError::Taken`] when another one has the name.
    pub async fn notification_channel_insert(&mut self, channel: &Channel) -> StoreResult<()> {
        sqlx::query(&format!(
            "insert into notification_channels ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ))
        .bind(channel.id.as_str())
        .bind(&channel.name)
        .bind(channel.kind.as_str())
        .bind(&channel.settings_sealed)
        .bind(events(channel))
        .bind(projects(channel))
        .bind(i64::from(channel.enabled))
        .bind(&channel.disabled_reason)
        .bind(channel.created_at)
        .bind(channel.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Everything but id, kind and the time it was made; whether it is still there.
    pub async fn notification_channel_update(&mut self, channel: &Channel) -> StoreResult<bool> {
        let done = sqlx::query(
            "update notification_channels set name = $2, settings_sealed = $3, events = $4, project_ids = $5, \
             enabled = $6, disabled_reason = $7, updated_at = $8 where id = $1",
        )
        .bind(channel.id.as_str())
        .bind(&channel.name)
        .bind(&channel.settings_sealed)
        .bind(events(channel))
        .bind(projects(channel))
        .bind(i64::from(channel.enabled))
        .bind(&channel.disabled_reason)
        .bind(channel.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Switches a channel off that was on; whether it was.
    pub async fn notification_channel_disable(
        &mut self,
        id: &NotificationChannelId,
        reason: &str,
        now: i64,
    ) -> StoreResult<bool> {
        let done = sqlx::query(
            "update notification_channels set enabled = 0, disabled_reason = $2, updated_at = $3 \
             where id = $1 and enabled = 1",
        )
        .bind(id.as_str())
        .bind(reason)
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// With its deliveries; whether it was there.
    pub async fn notification_channel_delete(&mut self, id: &NotificationChannelId) -> StoreResult<bool> {
        let done = sqlx::query("delete from notification_channels where id = $1")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn notification_channel(&mut self, id: &NotificationChannelId) -> StoreResult<Option<Channel>> {
        let row = sqlx::query(&format!("select {COLUMNS} from notification_channels where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(channel).transpose()
    }

    /// By name.
    pub async fn notification_channel_list(&mut self) -> StoreResult<Vec<Channel>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from notification_channels order by name, id"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(channel).collect()
    }

    /// Remembers that people are told of a node's full disk; whether they were not before.
    pub async fn node_disk_notice(&mut self, id: &NodeId, now: i64) -> StoreResult<bool> {
        let done = sqlx::query("update nodes set disk_noticed_at = $2 where id = $1 and disk_noticed_at is null")
            .bind(id.as_str())
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The node's disk has room again: the next time it is full is news.
    pub async fn node_disk_notice_clear(&mut self, id: &NodeId) -> StoreResult<()> {
        sqlx::query("update nodes set disk_noticed_at = null where id = $1")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
