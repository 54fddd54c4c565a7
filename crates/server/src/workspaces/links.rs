//! Links by which somebody without an account watches one terminal, and types nothing.
//!
//! A link's secret is in the part of its URL that browsers do not send: the page takes it from there, and shows it as a
//! token. Only its hash is kept.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use domain::user::User;
use domain::workspace::Workspace;
use ids::{TerminalId, TerminalLinkId, WorkspaceId};
use store::StoredTerminalLink;

use super::Workspaces;
use crate::caller::any_secret;
use crate::error::{Error, Result};
use crate::platform::identity::{TOKEN_PREFIX, digest, random_secret};
use crate::state::AppState;
use crate::{now_ms, rfc3339};

const GOOD_FOR_SECONDS: u64 = 24 * 3600;
const LONGEST_SECONDS: u64 = 30 * 24 * 3600;
/// Of one terminal at a time.
const LINKS_MAX: usize = 20;
/// What another server took back is noticed within this time.
const RECHECK: Duration = Duration::from_secs(10);
/// The page that takes the secret.
const PAGE: &str = "/watch#";

/// Somebody who has a link's secret.
pub(super) struct Watcher {
    pub(super) link: StoredTerminalLink,
    digest: String,
}

impl FromRequestParts<AppState> for Watcher {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        // An API token is for other routes.
        let secret = any_secret(&parts.headers).filter(|secret| !secret.starts_with(TOKEN_PREFIX));
        let digest = digest(secret.ok_or_else(Error::unauthenticated)?);
        let found = Workspaces::from_ref(state).link_by(&digest).await?;
        Ok(Self { link: found.ok_or_else(not_good)?, digest })
    }
}

impl Workspaces {
    pub(super) async fn links(
        &self,
        user: &User,
        (id, terminal): (&WorkspaceId, &TerminalId),
    ) -> Result<Vec<api::TerminalLink>> {
        self.find(user, id).await?;
        let links = self.store.read().await?.terminal_links(id, terminal, now_ms()).await?;
        Ok(links.iter().map(shown).collect())
    }

    /// Makes one, for a terminal that is there.
    pub(super) async fn link_create(
        &self,
        user: &User,
        (id, terminal): (&WorkspaceId, &TerminalId),
        create: &api::TerminalLinkCreate,
    ) -> Result<api::TerminalLinkCreated> {
        let seconds = create.expires_in_seconds.unwrap_or(GOOD_FOR_SECONDS);
        if !(60..=LONGEST_SECONDS).contains(&seconds) {
            let message = "a link is good for a minute to 30 days";
            return Err(Error::invalid("expires_in_seconds", "INVALID_EXPIRY", message));
        }
        let is_there = self.terminals(user, id).await?.iter().any(|it| it.id == *terminal);
        if !is_there {
            return Err(Error::not_found("terminal"));
        }
        let secret = random_secret();
        let now = now_ms();
        let link = StoredTerminalLink {
            id: TerminalLinkId::new(),
            workspace_id: id.clone(),
            terminal_id: terminal.clone(),
            created_at: now,
            expires_at: now.saturating_add_unsigned(seconds * 1000),
        };
        let mut tx = self.store.write().await?;
        if tx.terminal_links(id, terminal, now).await?.len() >= LINKS_MAX {
            let message = format!("a terminal has at most {LINKS_MAX} links; take one back first");
            return Err(Error::conflict("TOO_MANY_LINKS", message));
        }
        tx.terminal_link_insert(&link, &digest(&secret)).await?;
        tx.commit().await?;
        let dashboard = self.config.notifications.public_url.trim_end_matches('/');
        Ok(api::TerminalLinkCreated { link: shown(&link), url: format!("{dashboard}{PAGE}{secret}") })
    }

    /// Takes one back: who watches by it sees no more.
    pub(super) async fn link_delete(
        &self,
        user: &User,
        (id, terminal): (&WorkspaceId, &TerminalId),
        link: &TerminalLinkId,
    ) -> Result<()> {
        self.find(user, id).await?;
        let mut tx = self.store.write().await?;
        if !tx.terminal_link_delete(id, terminal, link).await? {
            return Err(Error::not_found("link"));
        }
        tx.commit().await?;
        self.links_changed.send_replace(());
        Ok(())
    }

    /// Takes all of a terminal back, before it is closed.
    pub(super) async fn links_forget(&self, id: &WorkspaceId, terminal: &TerminalId) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.terminal_links_delete(id, terminal).await?;
        tx.commit().await?;
        self.links_changed.send_replace(());
        Ok(())
    }

    async fn link_by(&self, digest: &str) -> Result<Option<StoredTerminalLink>> {
        Ok(self.store.read().await?.terminal_link_by(digest, now_ms()).await?)
    }

    /// Resolves when a link is good no more, with what to say then.
    pub(super) async fn link_ended(&self, watcher: &Watcher) -> Error {
        let mut changed = self.links_changed.subscribe();
        // A database that does not answer ends nothing.
        while now_ms() < watcher.link.expires_at && !matches!(self.link_by(&watcher.digest).await, Ok(None)) {
            let left = u64::try_from(watcher.link.expires_at - now_ms()).unwrap_or_default();
            let wait = RECHECK.min(Duration::from_millis(left.max(10)));
            let _ = tokio::time::timeout(wait, changed.changed()).await;
        }
        not_good()
    }

    /// The workspace whose terminal is watched.
    pub(super) async fn watched(&self, watcher: &Watcher) -> Result<Workspace> {
        let found = self.store.read().await?.workspace(&watcher.link.workspace_id).await?;
        found.ok_or_else(|| Error::not_found("workspace"))
    }

    pub(super) async fn shared_terminal(&self, watcher: &Watcher) -> Result<api::SharedTerminal> {
        let workspace = self.watched(watcher).await?;
        let terminals = self.terminals_at(&workspace).await?;
        let found = terminals.into_iter().find(|it| it.id == watcher.link.terminal_id);
        let terminal = found.ok_or_else(|| Error::not_found("terminal"))?;
        Ok(api::SharedTerminal {
            workspace_name: workspace.name,
            terminal_name: terminal.name,
            is_running: terminal.is_running,
            expires_at: rfc3339(watcher.link.expires_at),
        })
    }
}

fn not_good() -> Error {
    Error::refused("LINK_INVALID", "this link is not good, or no longer; ask who sent it for another one")
}

fn shown(link: &StoredTerminalLink) -> api::TerminalLink {
    api::TerminalLink {
        id: link.id.clone(),
        created_at: rfc3339(link.created_at),
        expires_at: rfc3339(link.expires_at),
    }
}
