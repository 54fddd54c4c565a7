//! Works the outbox off. Woken by commits and by a timer, it takes no input, reads everything anew and may
//! be cut off anywhere: an attempt whose end nobody kept counts as lost after a while, and is made again
//! with the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::notification::{Channel, Delivery, pause_after, pause_max};
use ids::{DeliveryState, NotificationChannelId};
use rand::Rng;
use store::DeliveryAttempt;
use tokio::task::{Id, JoinSet};

use super::Notifications;
use super::channels::announce;
use super::post::RETRY_AFTER_MAX;
use super::transport::{Letter, Outcome, PATIENCE, Verdict, send};
use crate::error::{Error, Result};
use crate::now_ms;

/// With several servers on one database, what others leave is looked for this often.
const PERIOD_MS: i64 = 5_000;
const RETRY: Duration = Duration::from_secs(1);
/// An attempt ends by itself before this.
const LEASE_MS: i64 = PATIENCE.as_millis() as i64 + 5_000;
const PURGE_PERIOD: Duration = Duration::from_secs(3600);
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;
const KEPT_PER_CHANNEL: i64 = 1000;

/// A task per channel with something to send: a slow one holds up nobody but itself.
#[derive(Default)]
struct Workers {
    tasks: JoinSet<()>,
    channels: BTreeMap<Id, NotificationChannelId>,
}

impl Notifications {
    /// Sends for ever.
    pub(crate) async fn send_forever(&self) {
        let mut committed = self.store.events_committed();
        let mut workers = Workers::default();
        let mut purged = None::<Instant>;
        loop {
            committed.mark_unchanged();
            let pause = match self.start_due(&mut workers).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "notifications cannot be read; trying again");
                    RETRY
                }
            };
            if purged.is_none_or(|at| at.elapsed() > PURGE_PERIOD) {
                purged = Some(Instant::now());
                if let Err(error) = self.purge().await {
                    tracing::warn!(%error, "old notifications cannot be removed");
                }
            }
            tokio::select! {
                _ = committed.changed() => {}
                Some(ended) = workers.tasks.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    workers.channels.remove(&id);
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Gives every channel with something due a worker; how long until there may be more to do.
    async fn start_due(&self, workers: &mut Workers) -> Result<Duration> {
        let now = now_ms();
        let busy = workers.channels.values().cloned().collect::<BTreeSet<_>>();
        let mut pause = PERIOD_MS;
        for (channel, due_at) in self.store.read().await?.delivery_due(self.farthest(now)).await? {
            if busy.contains(&channel) {
                continue;
            }
            if due_at > now {
                pause = pause.min(due_at - now);
                continue;
            }
            let (notifications, id) = (self.clone(), channel.clone());
            let worker = workers.tasks.spawn(async move {
                if let Err(error) = notifications.work_off(&id).await {
                    tracing::warn!(%error, channel.id = %id, "notifications of a channel cannot be sent");
                    tokio::time::sleep(RETRY).await;
                }
            });
            workers.channels.insert(worker.id(), channel);
        }
        Ok(Duration::from_millis(u64::try_from(pause).unwrap_or(0)))
    }

    /// Sends what a channel has due, oldest first.
    async fn work_off(&self, id: &NotificationChannelId) -> Result<()> {
        loop {
            let now = now_ms();
            let mut tx = self.store.write().await?;
            let Some(channel) = tx.notification_channel(id).await? else { return Ok(()) };
            let Some(delivery) = tx.delivery_next(id, now, self.farthest(now)).await? else { return Ok(()) };
            if !channel.enabled {
                tx.delivery_abandon(id, "the channel is switched off", now).await?;
                announce(&mut tx, now).await?;
                return Ok(tx.commit().await?);
            }
            let claimed = tx.delivery_claim(&delivery.id, delivery.attempts, now + LEASE_MS).await?;
            tx.commit().await?;
            if claimed {
                let delivery = Delivery { attempts: delivery.attempts + 1, ..delivery };
                let outcome = self.attempt(&channel, &delivery).await;
                self.settle(&channel, &delivery, outcome).await?;
            }
        }
    }

    async fn attempt(&self, channel: &Channel, delivery: &Delivery) -> Outcome {
        let letter = serde_json::from_str(&delivery.payload).map_err(Error::internal);
        let (settings, payload) = match self.open(channel).and_then(|settings| Ok((settings, letter?))) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, channel.id = %channel.id, "a channel's settings cannot be opened");
                return Outcome::never("the channel's settings cannot be opened; set them again");
            }
        };
        let letter = Letter { subject: &delivery.subject, payload: &payload, body: &delivery.payload };
        send(&settings, &letter, &self.config.allow_hosts).await
    }

    async fn settle(&self, channel: &Channel, delivery: &Delivery, outcome: Outcome) -> Result<()> {
        let now = now_ms();
        let (state, next_attempt_at) = match outcome.verdict {
            Verdict::Delivered => (DeliveryState::Delivered, None),
            Verdict::Never | Verdict::Gone => (DeliveryState::Failed, None),
            Verdict::Later(wanted) => match self.pause(delivery.attempts, wanted) {
                Some(pause) => (DeliveryState::Pending, Some(now + pause)),
                None => (DeliveryState::Failed, None),
            },
        };
        tracing::info!(
            channel.id = %channel.id,
            delivery.id = %delivery.id,
            delivery.attempts,
            status = outcome.status,
            error = outcome.error,
            "a notification is {state}"
        );
        let attempt = DeliveryAttempt {
            state,
            next_attempt_at,
            error: outcome.error.as_deref(),
            status: outcome.status.map(i64::from),
        };
        let mut tx = self.store.write().await?;
        tx.delivery_settle(&delivery.id, delivery.attempts, &attempt, now).await?;
        if outcome.verdict == Verdict::Gone {
            let reason = "the other side answered 410: it wants no more notifications; set another address, or \
                switch the channel on again";
            tx.notification_channel_disable(&channel.id, reason, now).await?;
            tx.delivery_abandon(&channel.id, "the channel was switched off: the other side answered 410", now).await?;
        }
        announce(&mut tx, now).await?;
        Ok(tx.commit().await?)
    }

    /// The longer one of our own pause and the one that the other side asked for.
    fn pause(&self, attempts: i64, wanted: Option<Duration>) -> Option<i64> {
        let first = i64::try_from(self.config.first_retry.as_millis()).unwrap_or(i64::MAX);
        let own = pause_after(attempts, first, rand::rng().random())?;
        Some(own.max(wanted.map_or(0, |wanted| i64::try_from(wanted.as_millis()).unwrap_or(i64::MAX))))
    }

    /// No next attempt is ever set for later than this.
    fn farthest(&self, now: i64) -> i64 {
        let first = i64::try_from(self.config.first_retry.as_millis()).unwrap_or(i64::MAX);
        let asked = i64::try_from(RETRY_AFTER_MAX.as_millis()).unwrap_or(i64::MAX);
        now.saturating_add(pause_max(first).max(asked))
    }

    async fn purge(&self) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.delivery_purge(now_ms() - KEPT_MS, KEPT_PER_CHANNEL).await?;
        Ok(tx.commit().await?)
    }

    /// Sends a test at once, also through a channel that is switched off.
    pub(super) async fn test(&self, id: &NotificationChannelId) -> Result<api::NotificationTest> {
        let channel = self.get(id).await?.channel;
        let settings = self.open(&channel)?;
        let payload = self.test_payload(&channel.name);
        let body = serde_json::to_string(&payload).map_err(Error::internal)?;
        let letter = Letter { subject: "NanoScale: a test", payload: &payload, body: &body };
        let begun = Instant::now();
        let outcome = send(&settings, &letter, &self.config.allow_hosts).await;
        Ok(api::NotificationTest {
            ok: outcome.verdict == Verdict::Delivered,
            status: outcome.status,
            error: outcome.error,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}
