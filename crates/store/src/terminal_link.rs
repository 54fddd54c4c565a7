use ids::{TerminalId, TerminalLinkId, WorkspaceId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

/// By what others may watch a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTerminalLink {
    pub id: TerminalLinkId,
    pub workspace_id: WorkspaceId,
    pub terminal_id: TerminalId,
    pub created_at: i64,
    pub expires_at: i64,
}

impl Tx {
    /// Those of a terminal that are good at `now`, oldest first.
    pub async fn terminal_links(
        &mut self,
        workspace: &WorkspaceId,
        terminal: &TerminalId,
        now: i64,
    ) -> StoreResult<Vec<StoredTerminalLink>> {
        let rows = sqlx::query(
            "select id, workspace_id, terminal_id, created_at, expires_at from terminal_links \
             where workspace_id = $1 and terminal_id = $2 and expires_at > $3 order by id",
        )
        .bind(workspace.as_str())
        .bind(terminal.as_str())
        .bind(now)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(link).collect()
    }

    /// The one whose secret has this digest, if it is good at `now`.
    pub async fn terminal_link_by(&mut self, digest: &str, now: i64) -> StoreResult<Option<StoredTerminalLink>> {
        let row = sqlx::query(
            "select id, workspace_id, terminal_id, created_at, expires_at from terminal_links \
             where digest = $1 and expires_at > $2",
        )
        .bind(digest)
        .bind(now)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.as_ref().map(link).transpose()
    }

    /// Makes one, and forgets those that have run out.
    pub async fn terminal_link_insert(&mut self, link: &StoredTerminalLink, digest: &str) -> StoreResult<()> {
        sqlx::query("delete from terminal_links where expires_at <= $1")
            .bind(link.created_at)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "insert into terminal_links (id, workspace_id, terminal_id, digest, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(link.id.as_str())
        .bind(link.workspace_id.as_str())
        .bind(link.terminal_id.as_str())
        .bind(digest)
        .bind(link.created_at)
        .bind(link.expires_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether there was one.
    pub async fn terminal_link_delete(
        &mut self,
        workspace: &WorkspaceId,
        terminal: &TerminalId,
        id: &TerminalLinkId,
    ) -> StoreResult<bool> {
        let deleted =
            sqlx::query("delete from terminal_links where workspace_id = $1 and terminal_id = $2 and id = $3")
                .bind(workspace.as_str())
                .bind(terminal.as_str())
                .bind(id.as_str())
                .execute(&mut *self.inner)
                .await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// All of a terminal.
    pub async fn terminal_links_delete(&mut self, workspace: &WorkspaceId, terminal: &TerminalId) -> StoreResult<()> {
        sqlx::query("delete from terminal_links where workspace_id = $1 and terminal_id = $2")
            .bind(workspace.as_str())
            .bind(terminal.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

fn link(row: &sqlx::any::AnyRow) -> StoreResult<StoredTerminalLink> {
    Ok(StoredTerminalLink {
        id: parse("terminal link", row.try_get("id")?)?,
        workspace_id: parse("workspace", row.try_get("workspace_id")?)?,
        terminal_id: parse("terminal", row.try_get("terminal_id")?)?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
