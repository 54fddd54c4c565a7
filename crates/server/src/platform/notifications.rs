//! Tells people what happens. A fact leaves its deliveries in the database in its own transaction,
//! one per channel that wants it; the sender works them off until the other side has them.

mod channels;
mod disk;
mod email;
mod facts;
pub(crate) mod http;
mod post;
mod sender;
mod settings;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;

use store::Store;

use crate::config::NotificationConfig;
use crate::platform::vault::Vault;

#[derive(Clone)]
pub(crate) struct Notifications {
    store: Store,
    vault: Arc<Vault>,
    config: Arc<NotificationConfig>,
}

impl Notifications {
    pub(crate) fn new(store: Store, vault: Arc<Vault>, config: NotificationConfig) -> Self {
        Self { store, vault, config: Arc::new(config) }
    }
}
