use domain::notification::Delivery;
use ids::{DeliveryState, DeploymentId, NotificationChannelId, NotificationDeliveryId, ProjectId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{LINE_MAX, REASON_MAX, plain};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, channel_id, fact, event, project_id, deployment_id, subject, payload, state, attempts, \
    next_attempt_at, last_error, last_status, created_at, finished_at";

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct DeliveryAttempt<'a> {
    /// Still pending when it shall be tried again.
    pub state: DeliveryState,
    pub next_attempt_at: Option<i64>,
    pub error: Option<&'a str>,
    pub status: Option<i64>,
}

fn delivery(row: &AnyRow) -> StoreResult<Delivery> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    Ok(Delivery {
        id: parse("delivery id", row.try_get("id")?)?,
        channel_id: parse("channel id", row.try_get("channel_id")?)?,
        fact: row.try_get("fact")?,
        event: parse("notification event", row.try_get("event")?)?,
        project_id: text("project_id")?.map(|id| parse("project id", &id)).transpose()?,
        deployment_id: text("deployment_id")?.map(|id| parse("deployment id", &id)).transpose()?,
        subject: row.try_get("subject")?,
        payload: row.try_get("payload")?,
        state: parse("delivery state", row.try_get("state")?)?,
        attempts: row.try_get("attempts")?,
        next_attempt_at: row.try_get("next_attempt_at")?,
        last_error: text("last_error")?,
        last_status: row.try_get("last_status")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

impl Tx {
    /// Puts a delivery into the outbox; whether the channel was not told this fact before.
    pub async fn delivery_insert(&mut self, delivery: &Delivery) -> StoreResult<bool> {
        let done = sqlx::query(&format!(
            "insert into notification_deliveries ({COLUMNS}) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             on conflict (channel_id, fact) do nothing"
        ))
        .bind(delivery.id.as_str())
        .bind(delivery.channel_id.as_str())
        .bind(&delivery.fact)
        .bind(delivery.event.as_str())
        .bind(delivery.project_id.as_ref().map(ProjectId::as_str))
        .bind(delivery.deployment_id.as_ref().map(DeploymentId::as_str))
        .bind(plain(&delivery.subject, LINE_MAX))
        .bind(delivery.payload.replace('\0', "\u{fffd}"))
        .bind(delivery.state.as_str())
        .bind(delivery.attempts)
        .bind(delivery.next_attempt_at)
        .bind(delivery.last_error.as_deref().map(|error| plain(error, REASON_MAX)))
        .bind(delivery.last_status)
        .bind(delivery.created_at)
        .bind(delivery.finished_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn delivery(&mut self, id: &NotificationDeliveryId) -> StoreResult<Option<Delivery>> {
        let row = sqlx::query(&format!("select {COLUMNS} from notification_deliveries where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(delivery).transpose()
    }

    /// A channel's, newest first, those older than `before`.
    pub async fn delivery_list(
        &mut self,
        channel: &NotificationChannelId,
        before: Option<&NotificationDeliveryId>,
        limit: i64,
    ) -> StoreResult<Vec<Delivery>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from notification_deliveries where channel_id = $1 and id < $2 order by id desc limit $3"
        ))
        .bind(channel.as_str())
        // An id begins with a digit up to 7, the top of 128 bits.
        .bind(before.map_or("8", NotificationDeliveryId::as_str))
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// The newest one of every channel.
    pub async fn delivery_latest(&mut self) -> StoreResult<Vec<Delivery>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from notification_deliveries where id in \
             (select max(id) from notification_deliveries group by channel_id)"
        ))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// Channels with something to send, and from when on. What would wait beyond `latest` waits since before the
    /// clock was set back, and is due.
    pub async fn delivery_due(&mut self, latest: i64) -> StoreResult<Vec<(NotificationChannelId, i64)>> {
        let rows = sqlx::query(
            "select channel_id, min(case when next_attempt_at > $1 then 0 else next_attempt_at end) \
             from notification_deliveries where state = 'pending' group by channel_id",
        )
        .bind(latest)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| Ok((parse("channel id", row.try_get(0)?)?, row.try_get::<Option<i64>, _>(1)?.unwrap_or(0))))
            .collect()
    }

    /// The channel's oldest delivery whose time has come.
    pub async fn delivery_next(
        &mut self,
        channel: &NotificationChannelId,
        now: i64,
        latest: i64,
    ) -> StoreResult<Option<Delivery>> {
        let row = sqlx::query(&format!(
            "select {COLUMNS} from notification_deliveries where channel_id = $1 and state = 'pending' \
             and (next_attempt_at <= $2 or next_attempt_at > $3) order by id limit 1"
        ))
        .bind(channel.as_str())
        .bind(now)
        .bind(latest)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.as_ref().map(delivery).transpose()
    }

    /// Takes a delivery for one attempt, which counts as lost at `until`; whether nobody else has begun one.
    pub async fn delivery_claim(
        &mut self,
        id: &NotificationDeliveryId,
        attempts: i64,
        until: i64,
    ) -> StoreResult<bool> {
        let done = sqlx::query(
            "update notification_deliveries set attempts = attempts + 1, next_attempt_at = $3 \
             where id = $1 and state = 'pending' and attempts = $2",
        )
        .bind(id.as_str())
        .bind(attempts)
        .bind(until)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps what became of the attempt that made it `attempts`; whether that was still the last one.
    pub async fn delivery_settle(
        &mut self,
        id: &NotificationDeliveryId,
        attempts: i64,
        attempt: &DeliveryAttempt<'_>,
        now: i64,
    ) -> StoreResult<bool> {
        let finished = (attempt.state != DeliveryState::Pending).then_some(now);
        let done = sqlx::query(
            "update notification_deliveries set state = $3, next_attempt_at = $4, last_error = $5, last_status = $6, \
             finished_at = $7 where id = $1 and state = 'pending' and attempts = $2",
        )
        .bind(id.as_str())
        .bind(attempts)
        .bind(attempt.state.as_str())
        .bind(attempt.next_attempt_at)
        .bind(attempt.error.map(|error| plain(error, REASON_MAX)))
        .bind(attempt.status)
        .bind(finished)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Sends a delivery once more, at once; whether it had not been delivered. One that waits keeps its count.
    pub async fn delivery_retry(&mut self, id: &NotificationDeliveryId, now: i64) -> StoreResult<bool> {
        let done = sqlx::query(
            "update notification_deliveries set attempts = case state when 'pending' then attempts else 0 end, \
             state = 'pending', next_attempt_at = $2, finished_at = null where id = $1 and state <> 'delivered'",
        )
        .bind(id.as_str())
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives up what a channel had still to send.
    pub async fn delivery_abandon(
        &mut self,
        channel: &NotificationChannelId,
        reason: &str,
        now: i64,
    ) -> StoreResult<()> {
        sqlx::query(
            "update notification_deliveries set state = 'abandoned', next_attempt_at = null, last_error = $2, \
             finished_at = $3 where channel_id = $1 and state = 'pending'",
        )
        .bind(channel.as_str())
        .bind(plain(reason, REASON_MAX))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Forgets settled deliveries from before `before`, and all but the newest `kept` of each channel.
    pub async fn delivery_purge(&mut self, before: i64, kept: i64) -> StoreResult<()> {
        sqlx::query("delete from notification_deliveries where state <> 'pending' and created_at < $1")
            .bind(before)
            .execute(&mut *self.inner)
            .await?;
        for channel in self.notification_channel_list().await? {
            sqlx::query(
                "delete from notification_deliveries where channel_id = $1 and state <> 'pending' and id <= \
                 (select id from notification_deliveries where channel_id = $1 order by id desc limit 1 offset $2)",
            )
            .bind(channel.id.as_str())
            .bind(kept)
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(())
    }
}
