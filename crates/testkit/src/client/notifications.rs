//! Notifications over the API.

use std::fmt::Display;
use std::time::Duration;

use ids::{DeliveryState, NotificationChannelId};
use reqwest::Method;

use super::{Client, Result};
use crate::wait::wait_some;

impl Client {
    /// What of the settings is a secret is remembered as one.
    pub async fn notification_channel_create(
        &self,
        create: &api::NotificationChannelCreate,
    ) -> Result<api::NotificationChannel> {
        self.remember_settings(&create.settings);
        self.post("/api/notification-channels", create).await
    }

    pub async fn notification_channel_update(
        &self,
        id: &NotificationChannelId,
        update: &api::NotificationChannelUpdate,
    ) -> Result<api::NotificationChannel> {
        update.settings.iter().for_each(|settings| self.remember_settings(settings));
        self.call(self.raw(Method::PATCH, &format!("/api/notification-channels/{id}")).json(update)).await
    }

    fn remember_settings(&self, settings: &api::NotificationSettings) {
        for secret in [&settings.secret, &settings.password].into_iter().flatten() {
            self.secrets.remember(secret);
        }
        if let Some(url) = &settings.url {
            self.secrets.remember(url);
            // Whoever knows the last part of the path may post.
            url.rsplit('/').take(1).for_each(|part| self.secrets.remember(part));
        }
    }

    pub async fn notification_channel_list(&self) -> Result<Vec<api::NotificationChannel>> {
        Ok(self.get::<api::NotificationChannelList>("/api/notification-channels").await?.notification_channels)
    }

    pub async fn notification_channel_get(&self, id: impl Display) -> Result<api::NotificationChannel> {
        self.get(&format!("/api/notification-channels/{id}")).await
    }

    pub async fn notification_channel_delete(&self, id: impl Display) -> Result<u16> {
        self.act(Method::DELETE, &format!("/api/notification-channels/{id}")).await
    }

    pub async fn notification_channel_test(&self, id: impl Display) -> Result<api::NotificationTest> {
        self.call(self.raw(Method::POST, &format!("/api/notification-channels/{id}/test"))).await
    }

    /// The first page, newest first.
    pub async fn notification_deliveries(&self, id: impl Display) -> Result<Vec<api::NotificationDelivery>> {
        Ok(self.notification_delivery_page(id, 50, None).await?.deliveries)
    }

    pub async fn notification_delivery_page(
        &self,
        id: impl Display,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<api::NotificationDeliveryList> {
        let request = self.raw(Method::GET, &format!("/api/notification-channels/{id}/deliveries"));
        let cursor: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.call(request.query(&[("limit", limit)]).query(&cursor)).await
    }

    pub async fn notification_delivery_retry(&self, id: impl Display) -> Result<api::NotificationDelivery> {
        self.call(self.raw(Method::POST, &format!("/api/notification-deliveries/{id}/retry"))).await
    }

    /// Waits until a channel's newest delivery is in `state`.
    pub async fn wait_for_delivery(
        &self,
        id: impl Display,
        state: DeliveryState,
        within: Duration,
    ) -> api::NotificationDelivery {
        let what = format!("the newest delivery of channel {id} is {state}");
        wait_some(&what, within, async || {
            let newest = self.notification_deliveries(&id).await.ok()?.into_iter().next();
            newest.filter(|delivery| delivery.state == state)
        })
        .await
    }
}
