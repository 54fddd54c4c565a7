use axum::extract::State;
use axum::http::StatusCode;
use ids::LedgerTransactionId;
use serde::Deserialize;
use store::{StoredEntry, account_of};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::{Admin, User};
use crate::error::{Error, Result};
use crate::http::{Json, Query};
use crate::mesh::Mesh;
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(statement)).routes(routes!(grant_create)).routes(routes!(ledger_audit))
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
}

/// What moved on the caller's account, newest first.
#[utoipa::path(get, path = "/api/mesh/statement", tag = "mesh", params(("cursor" = Option<String>, Query)),
    responses((status = 200, body = api::LedgerStatement), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn statement(
    User(user): User,
    State(mesh): State<Mesh>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::LedgerStatement>> {
    let parts = mesh.on()?;
    let ledger = &parts.ledger;
    let before = page.cursor.as_deref().map(str::parse::<LedgerTransactionId>).transpose().map_err(|_| {
        Error::invalid("cursor", "INVALID_CURSOR", "`cursor` is taken from an earlier answer as it came")
    })?;
    parts.completions.written().await;
    let (entries, more) = ledger.statement(&user.id, before.as_ref()).await?;
    let next_cursor = entries.last().filter(|_| more).map(|last| last.transaction_id.to_string());
    let balance = ledger.balance(&user.id).await?;
    Ok(axum::Json(api::LedgerStatement { balance, entries: entries.into_iter().map(shown).collect(), next_cursor }))
}

/// Gives somebody credits, which stand against the account `issued`.
#[utoipa::path(post, path = "/api/mesh/grants", tag = "mesh", request_body = api::GrantCreate, responses(
    (status = 201, body = api::LedgerEntry), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn grant_create(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    Json(grant): Json<api::GrantCreate>,
) -> Result<(StatusCode, axum::Json<api::LedgerEntry>)> {
    let entry = mesh.on()?.ledger.grant(&user, &grant).await?;
    Ok((StatusCode::CREATED, axum::Json(shown(entry))))
}

/// All accounts, and whether everything adds up.
#[utoipa::path(get, path = "/api/mesh/ledger", tag = "mesh", responses((status = 200, body = api::LedgerAudit),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn ledger_audit(_: Admin, State(mesh): State<Mesh>) -> Result<axum::Json<api::LedgerAudit>> {
    let parts = mesh.on()?;
    parts.completions.written().await;
    let (accounts, check, users) = parts.ledger.check().await?;
    let accounts = accounts.into_iter().map(|(account, balance)| {
        let owner = users.iter().find(|user| account_of(&user.id) == account);
        api::LedgerAccount { username: owner.map(|user| user.username.clone()), account, balance }
    });
    Ok(axum::Json(api::LedgerAudit {
        accounts: accounts.collect(),
        sum: check.sum,
        wrong: check.wrong,
        open_completions: check.open_completions,
    }))
}

fn shown(entry: StoredEntry) -> api::LedgerEntry {
    api::LedgerEntry {
        transaction_id: entry.transaction_id,
        kind: entry.kind,
        amount: entry.amount,
        balance: entry.balance,
        completion_id: entry.completion_id,
        reason: entry.reason,
        created_at: rfc3339(entry.created_at),
    }
}
