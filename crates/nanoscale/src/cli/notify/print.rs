//! Channels and deliveries as people read them.

use anyhow::Result;
use ids::{DeliveryState, NotificationEvent};

use crate::cli::output::{self, Cell, Colour, Fields, Table};
use crate::cli::time;

/// So much of why something failed stands in a table.
const ERROR_SHOWN: usize = 60;

pub(super) fn channels(list: &api::NotificationChannelList) -> Result<()> {
    if list.notification_channels.is_empty() {
        return output::line("Nobody is told of anything yet; `nanoscale notify add --help` says how to change that.");
    }
    let mut table = Table::new(["NAME", "KIND", "TO", "TELLS", "LAST DELIVERY", "ID"]);
    for channel in &list.notification_channels {
        table.row([
            Cell::new(&channel.name, Colour::Bold),
            channel.kind.into(),
            output::shortened(&target(&channel.settings), 40).into(),
            tells(channel),
            channel.latest_delivery.as_ref().map_or_else(|| "none yet".into(), |latest| state(latest.state)),
            Cell::new(&channel.id, Colour::Dim),
        ]);
    }
    table.print()
}

/// Where it goes, without what is secret.
fn target(settings: &api::NotificationSettingsShown) -> String {
    match (&settings.url_host, &settings.to) {
        (Some(host), _) => host.clone(),
        (None, Some(to)) => to.join(", "),
        (None, None) => String::new(),
    }
}

fn tells(channel: &api::NotificationChannel) -> Cell {
    match (channel.enabled, channel.events.len()) {
        (false, _) => Cell::new("switched off", Colour::Yellow),
        (true, count) if count == NotificationEvent::ALL.len() => "everything".into(),
        (true, count) => format!("{count} events").into(),
    }
}

fn state(state: DeliveryState) -> Cell {
    let colour = match state {
        DeliveryState::Delivered => Colour::Green,
        DeliveryState::Pending => Colour::Yellow,
        DeliveryState::Failed => Colour::Red,
        DeliveryState::Abandoned => Colour::Dim,
    };
    Cell::new(state, colour)
}

pub(super) fn channel(channel: &api::NotificationChannel) -> Result<()> {
    let settings = &channel.settings;
    let events = channel.events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ");
    let projects = match channel.project_ids.as_slice() {
        [] => "all".to_owned(),
        ids => ids.iter().map(ids::ProjectId::as_str).collect::<Vec<_>>().join(", "),
    };
    let yes = |has: bool| if has { "yes" } else { "no" };
    let mut fields = Fields::default();
    fields.add("name", &channel.name).add("id", &channel.id).add("kind", channel.kind);
    fields.add_some("posts to", settings.url_host.as_ref()).add_some("signed", settings.has_secret.map(yes));
    fields.add_some("mail server", settings.host.as_ref()).add_some("port", settings.port);
    fields.add_some("encryption", settings.tls).add_some("signs in as", settings.username.as_ref());
    fields.add_some("from", settings.from.as_ref()).add_some("to", settings.to.as_ref().map(|to| to.join(", ")));
    fields.add("tells", events).add("projects", projects).add("switched on", yes(channel.enabled));
    fields.add_some("because", channel.disabled_reason.as_ref());
    if let Some(latest) = &channel.latest_delivery {
        fields.add("last delivery", state(latest.state)).add("of", time::ago(&latest.created_at));
        fields.add_some("error", latest.last_error.as_ref());
    }
    fields.print()
}

pub(super) fn deliveries(list: &api::NotificationDeliveryList) -> Result<()> {
    if list.deliveries.is_empty() {
        return output::line("Nothing was told yet.");
    }
    let mut table = Table::new(["STATE", "WHAT", "WHEN", "TRIES", "ERROR", "ID"]);
    for delivery in &list.deliveries {
        table.row([
            state(delivery.state),
            output::shortened(&delivery.subject, ERROR_SHOWN).into(),
            time::ago(&delivery.created_at).into(),
            delivery.attempts.into(),
            output::shortened(delivery.last_error.as_deref().unwrap_or("-"), ERROR_SHOWN).into(),
            Cell::new(&delivery.id, Colour::Dim),
        ]);
    }
    table.print()
}
