use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{StoreResult, Tx};

const COLUMNS: &str = "position, at, actor, action, subject, detail, hash";

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub position: i64,
    pub at: i64,
    /// A user's name, or `node:<id>`.
    pub actor: String,
    /// `node.drained`.
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// In words, without secrets.
    pub detail: String,
    /// SHA-256 over this entry and the hash of the one before it, in hexadecimal.
    pub hash: String,
}

impl AuditEvent {
    /// What [`AuditEvent::hash`] is when nobody has changed anything since.
    pub fn expected_hash(&self, before: &str) -> String {
        let mut hasher = Sha256::new();
        let (position, at) = (self.position.to_string(), self.at.to_string());
        for field in [before, &position, &at, &self.actor, &self.action, &self.subject, &self.detail] {
            hasher.update(u64::try_from(field.len()).unwrap_or_default().to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Tx {
    /// Keeps what was done, in the transaction that does it.
    pub async fn audit(&mut self, actor: &str, action: &str, subject: &str, detail: &str, at: i64) -> StoreResult<()> {
        // The counter's row stays locked to the end, so that each entry sees the one before it.
        let position = self.count_up("audit").await?;
        let before = sqlx::query("select hash from audit_events where position = $1")
            .bind(position - 1)
            .fetch_optional(&mut *self.inner)
            .await?;
        let before = before.map(|row| row.try_get::<String, _>("hash")).transpose()?.unwrap_or_default();
        let mut event = AuditEvent {
            position,
            at,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
            hash: String::new(),
        };
        event.hash = event.expected_hash(&before);
        sqlx::query(
            "insert into audit_events (position, at, actor, action, subject, detail, hash) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(event.position)
        .bind(event.at)
        .bind(&event.actor)
        .bind(&event.action)
        .bind(&event.subject)
        .bind(&event.detail)
        .bind(&event.hash)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// How many entries were written.
    pub async fn audit_count(&mut self) -> StoreResult<i64> {
        let row = sqlx::query("select value from counters where name = 'audit'").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get(0)?)
    }

    /// Up to `limit` entries after a position, oldest first.
    pub async fn audit_after(&mut self, position: i64, limit: i64) -> StoreResult<Vec<AuditEvent>> {
        let rows =
            sqlx::query(&format!("select {COLUMNS} from audit_events where position > $1 order by position limit $2"))
                .bind(position)
                .bind(limit)
                .fetch_all(&mut *self.inner)
                .await?;
        rows.iter().map(event).collect()
    }

    /// Up to `limit` entries before a position, newest first; of one subject when there is one.
    pub async fn audit_list(&mut self, subject: Option<&str>, before: i64, limit: i64) -> StoreResult<Vec<AuditEvent>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from audit_events where position < $1 and ($2 = '' or subject = $2) \
             order by position desc limit $3"
        ))
        .bind(before)
        .bind(subject.unwrap_or_default())
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(event).collect()
    }
}

fn event(row: &AnyRow) -> StoreResult<AuditEvent> {
    Ok(AuditEvent {
        position: row.try_get("position")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
        hash: row.try_get("hash")?,
    })
}
