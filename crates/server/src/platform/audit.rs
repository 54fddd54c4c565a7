//! What people did to what concerns everybody, in a chain of which no entry can be changed unseen.

use axum::extract::State;
use serde::Deserialize;
use store::{AuditEvent, Store};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Admin;
use crate::error::{Error, Result};
use crate::http::Query;
use crate::rfc3339;
use crate::state::AppState;

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 200;
/// Entries that are looked at in one go.
const BATCH: i64 = 1000;

#[derive(Clone)]
pub(crate) struct Audit {
    store: Store,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(audit_list)).routes(routes!(audit_verify))
}

#[derive(Deserialize)]
struct Page {
    subject: Option<String>,
    before: Option<i64>,
    limit: Option<i64>,
}

/// What was done, newest first; to one machine, token or project when `subject` is its id.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(("subject" = Option<String>, Query),
    ("before" = Option<i64>, Query), ("limit" = Option<i64>, Query)), responses(
    (status = 200, body = api::AuditEventList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody)))]
async fn audit_list(
    _: Admin,
    State(audit): State<Audit>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::AuditEventList>> {
    let limit = page.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Error::invalid("limit", "INVALID_LIMIT", format!("a page has 1 to {LIMIT_MAX} entries")));
    }
    let before = page.before.unwrap_or(i64::MAX);
    let mut events = audit.store.read().await?.audit_list(page.subject.as_deref(), before, limit + 1).await?;
    let more = events.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = events.last().filter(|_| more).map(|last| last.position.to_string());
    Ok(axum::Json(api::AuditEventList { events: events.into_iter().map(shown).collect(), next_cursor }))
}

/// Whether every entry is what was written, and none is missing.
#[utoipa::path(get, path = "/api/audit/verify", tag = "audit", responses((status = 200, body = api::AuditVerified),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody)))]
async fn audit_verify(_: Admin, State(audit): State<Audit>) -> Result<axum::Json<api::AuditVerified>> {
    audit.verify().await.map(axum::Json)
}

impl Audit {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    async fn verify(&self) -> Result<api::AuditVerified> {
        let mut tx = self.store.read().await?;
        let written = tx.audit_count().await?;
        let (mut before, mut next) = (String::new(), 1);
        while next <= written {
            let events = tx.audit_after(next - 1, BATCH).await?;
            if events.is_empty() {
                return Ok(api::AuditVerified { intact: false, events: next - 1, broken_at: Some(next) });
            }
            for event in events {
                if event.position != next || event.hash != event.expected_hash(&before) {
                    return Ok(api::AuditVerified { intact: false, events: next - 1, broken_at: Some(next) });
                }
                before = event.hash;
                next += 1;
            }
        }
        Ok(api::AuditVerified { intact: true, events: written, broken_at: None })
    }
}

fn shown(event: AuditEvent) -> api::AuditEvent {
    api::AuditEvent {
        position: event.position,
        time: rfc3339(event.at),
        actor: event.actor,
        action: event.action,
        subject: event.subject,
        detail: event.detail,
    }
}
