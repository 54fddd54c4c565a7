//! Making, reading and changing channels, and what was delivered through them.

use std::collections::BTreeMap;

use domain::notification::{Channel, Delivery};
use ids::{
    DeliveryState, NotificationChannelId, NotificationDeliveryId, NotificationEvent, NotificationKind, ProjectId,
};
use store::{StoreError, Tx};

use super::Notifications;
use super::settings::Settings;
use crate::error::{Error, Problems, Result};
use crate::now_ms;
use crate::platform::outbound;

/// Every fact looks at each of them.
const CHANNELS_MAX: usize = 100;
const NAME_MAX: usize = 80;

/// A channel as its readers get it.
pub(super) struct Read {
    pub(super) channel: Channel,
    pub(super) settings: api::NotificationSettingsShown,
    pub(super) latest: Option<Delivery>,
}

impl Notifications {
    pub(super) async fn list(&self) -> Result<Vec<Read>> {
        let mut tx = self.store.read().await?;
        let mut latest = latest(&mut tx).await?;
        let channels = tx.notification_channel_list().await?;
        channels.into_iter().map(|channel| self.read(channel, &mut latest)).collect()
    }

    pub(super) async fn get(&self, id: &NotificationChannelId) -> Result<Read> {
        let mut tx = self.store.read().await?;
        let channel = find(&mut tx, id).await?;
        self.read(channel, &mut latest(&mut tx).await?)
    }

    fn read(&self, channel: Channel, latest: &mut BTreeMap<NotificationChannelId, Delivery>) -> Result<Read> {
        let settings = self.open(&channel)?.shown();
        Ok(Read { latest: latest.remove(&channel.id), channel, settings })
    }

    /// Checks everything before it makes anything, and names every problem.
    pub(super) async fn create(&self, create: api::NotificationChannelCreate) -> Result<Read> {
        let mut problems = Problems::default();
        let name = name(&create.name, &mut problems);
        let events = match create.events {
            Some(events) => chosen(events, &mut problems),
            None => NotificationEvent::ALL.iter().copied().filter(|event| event.on_by_default()).collect(),
        };
        let project_ids = create.project_ids.unwrap_or_default();
        self.check_projects(&project_ids, &[], &mut problems).await?;
        let settings = self.settings(create.kind, &create.settings, None, &mut problems).await;
        let settings = problems.none(settings)?;
        let (id, now) = (NotificationChannelId::new(), now_ms());
        let channel = Channel {
            settings_sealed: self.seal(&id, &settings)?,
            id,
            name,
            kind: create.kind,
            events,
            project_ids,
            enabled: create.enabled.unwrap_or(true),
            disabled_reason: None,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store.write().await?;
        if tx.notification_channel_list().await?.len() >= CHANNELS_MAX {
            let message = format!("there are {CHANNELS_MAX} notification channels already; remove one first");
            return Err(Error::conflict("TOO_MANY_CHANNELS", message));
        }
        tx.notification_channel_insert(&channel).await.map_err(|error| taken(error, &channel.name))?;
        announce(&mut tx, now).await?;
        tx.commit().await?;
        Ok(Read { settings: settings.shown(), channel, latest: None })
    }

    /// Changes what the request names. Switching it off gives up what it had still to tell.
    pub(super) async fn update(
        &self,
        id: &NotificationChannelId,
        update: api::NotificationChannelUpdate,
    ) -> Result<Read> {
        let old = find(&mut self.store.read().await?, id).await?;
        let mut problems = Problems::default();
        let name = update.name.map_or_else(|| old.name.clone(), |text| name(&text, &mut problems));
        let events = update.events.map_or_else(|| old.events.clone(), |events| chosen(events, &mut problems));
        let project_ids = update.project_ids.unwrap_or_else(|| old.project_ids.clone());
        self.check_projects(&project_ids, &old.project_ids, &mut problems).await?;
        let settings_sealed = match update.settings {
            Some(input) => {
                let stored = self.open(&old)?;
                let settings = self.settings(old.kind, &input, Some(&stored), &mut problems).await;
                self.seal(id, &problems.none(settings)?)?
            }
            None => problems.none(Some(old.settings_sealed.clone()))?,
        };
        let (enabled, now) = (update.enabled.unwrap_or(old.enabled), now_ms());
        let disabled_reason = old.disabled_reason.filter(|_| !enabled);
        let channel =
            Channel { name, events, project_ids, settings_sealed, enabled, disabled_reason, updated_at: now, ..old };
        let mut tx = self.store.write().await?;
        let there = tx.notification_channel_update(&channel).await.map_err(|error| taken(error, &channel.name))?;
        if !there {
            return Err(unknown());
        }
        if !enabled {
            tx.delivery_abandon(id, "the channel was switched off", now).await?;
        }
        announce(&mut tx, now).await?;
        tx.commit().await?;
        self.get(id).await
    }

    pub(super) async fn delete(&self, id: &NotificationChannelId) -> Result<()> {
        let mut tx = self.store.write().await?;
        if !tx.notification_channel_delete(id).await? {
            return Err(unknown());
        }
        announce(&mut tx, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Newest first.
    pub(super) async fn deliveries(
        &self,
        id: &NotificationChannelId,
        before: Option<&NotificationDeliveryId>,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        let mut tx = self.store.read().await?;
        find(&mut tx, id).await?;
        Ok(tx.delivery_list(id, before, limit).await?)
    }

    /// Sends a delivery once more that did not get through, or does not wait for its next turn.
    pub(super) async fn retry(&self, id: &NotificationDeliveryId) -> Result<Delivery> {
        let missing = || Error::not_found("notification delivery");
        let mut tx = self.store.write().await?;
        let delivery = tx.delivery(id).await?.ok_or_else(missing)?;
        if !find(&mut tx, &delivery.channel_id).await?.enabled {
            let message = "the channel is switched off; switch it on first";
            return Err(Error::conflict("CHANNEL_DISABLED", message));
        }
        if delivery.state == DeliveryState::Delivered || !tx.delivery_retry(id, now_ms()).await? {
            return Err(Error::conflict("ALREADY_DELIVERED", "this was delivered already"));
        }
        announce(&mut tx, now_ms()).await?;
        let delivery = tx.delivery(id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        Ok(delivery)
    }

    pub(super) fn open(&self, channel: &Channel) -> Result<Settings> {
        let text = self.vault.open(&place(&channel.id), &channel.settings_sealed).map_err(Error::internal)?;
        serde_json::from_str(&text).map_err(Error::internal)
    }

    fn seal(&self, id: &NotificationChannelId, settings: &Settings) -> Result<String> {
        let text = serde_json::to_string(settings).map_err(Error::internal)?;
        self.vault.seal(&place(id), &text).map_err(Error::internal)
    }

    /// Reads settings, and says at once what the sender would refuse.
    async fn settings(
        &self,
        kind: NotificationKind,
        input: &api::NotificationSettings,
        stored: Option<&Settings>,
        problems: &mut Problems,
    ) -> Option<Settings> {
        let allow_hosts = &self.config.allow_hosts;
        let settings = Settings::read(kind, input, stored, allow_hosts, problems)?;
        let (host, port) = settings.place();
        if !outbound::is_listed(host, port, allow_hosts)
            && let Some(ip) = outbound::private_at(host, port).await
        {
            let field = if kind == NotificationKind::Email { "settings.host" } else { "settings.url" };
            problems.add(field, "PRIVATE_HOST", outbound::private_message(host, ip));
        }
        Some(settings)
    }

    /// Those that were there before may be gone by now.
    async fn check_projects(&self, ids: &[ProjectId], known: &[ProjectId], problems: &mut Problems) -> Result<()> {
        let mut tx = self.store.read().await?;
        for (index, id) in ids.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
            if tx.project(id).await?.is_none() {
                let message = format!("there is no project `{id}`");
                problems.add(&format!("project_ids[{index}]"), "UNKNOWN_PROJECT", message);
            }
        }
        Ok(())
    }
}

/// Tells browsers, and wakes the sender.
pub(super) async fn announce(tx: &mut Tx, now: i64) -> Result<()> {
    Ok(tx.event_insert("notification.updated", None, None, now).await?)
}

fn place(id: &NotificationChannelId) -> String {
    format!("notification_channels/{id}/settings_sealed")
}

fn unknown() -> Error {
    Error::not_found("notification channel")
}

async fn find(tx: &mut Tx, id: &NotificationChannelId) -> Result<Channel> {
    tx.notification_channel(id).await?.ok_or_else(unknown)
}

async fn latest(tx: &mut Tx) -> Result<BTreeMap<NotificationChannelId, Delivery>> {
    let latest = tx.delivery_latest().await?;
    Ok(latest.into_iter().map(|delivery| (delivery.channel_id.clone(), delivery)).collect())
}

fn name(text: &str, problems: &mut Problems) -> String {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        let message = format!("a channel's name has 1 to {NAME_MAX} characters, none of them a control character");
        problems.add("name", "INVALID_NAME", message);
    }
    name.to_owned()
}

fn chosen(events: Vec<NotificationEvent>, problems: &mut Problems) -> Vec<NotificationEvent> {
    if events.is_empty() {
        let message = "choose at least one event; to tell nothing for a while, switch the channel off";
        problems.add("events", "NO_EVENTS", message);
    }
    NotificationEvent::ALL.iter().copied().filter(|event| events.contains(event)).collect()
}

fn taken(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::Taken(_) => {
            let message = format!("there is a notification channel named `{name}` already");
            Error::conflict("NAME_TAKEN", message).at("name")
        }
        other => other.into(),
    }
}
