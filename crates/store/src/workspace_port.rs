use ids::{PortAccess, WorkspaceId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

/// Who may reach a port, and by what link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPort {
    pub port: u16,
    pub access: PortAccess,
    /// Of the link's secret.
    pub link_digest: Option<String>,
}

impl Tx {
    /// The ports of a workspace that somebody has opened to others.
    pub async fn workspace_ports(&mut self, id: &WorkspaceId) -> StoreResult<Vec<StoredPort>> {
        let rows =
            sqlx::query("select port, access, link_digest from workspace_ports where workspace_id = $1 order by port")
                .bind(id.as_str())
                .fetch_all(&mut *self.inner)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredPort {
                    port: u16::try_from(row.try_get::<i64, _>("port")?).unwrap_or_default(),
                    access: parse("port access", row.try_get("access")?)?,
                    link_digest: row.try_get("link_digest")?,
                })
            })
            .collect()
    }

    pub async fn workspace_port_put(&mut self, id: &WorkspaceId, port: &StoredPort, now: i64) -> StoreResult<()> {
        sqlx::query(
            "insert into workspace_ports (workspace_id, port, access, link_digest, updated_at) values ($1, $2, $3, $4, $5) \
             on conflict (workspace_id, port) do update \
             set access = excluded.access, link_digest = excluded.link_digest, updated_at = excluded.updated_at",
        )
        .bind(id.as_str())
        .bind(i64::from(port.port))
        .bind(port.access.as_str())
        .bind(port.link_digest.as_deref())
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
