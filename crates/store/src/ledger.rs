pub(crate) mod moves;

use ids::{CompletionId, LedgerTransactionId, UserId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreError, StoreResult, Tx};

/// Where credits come from. It alone may be below zero.
pub const ISSUED: &str = "issued";
/// What is set aside for completions under way.
pub const HELD: &str = "held";
/// What the coordinator has earned.
pub const FEE: &str = "fee";

/// The account of a person.
pub fn account_of(user: &UserId) -> String {
    format!("user:{user}")
}

/// Credits that are moved, all at once: the amounts add up to zero.
#[derive(Debug, Clone)]
pub struct Movement<'a> {
    /// `grant`, `hold` or `settle`.
    pub kind: &'a str,
    pub completion: Option<&'a CompletionId>,
    pub reason: Option<&'a str>,
    pub by: Option<&'a str>,
    pub amounts: &'a [(&'a str, i64)],
}

/// A movement as one account sees it.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    pub transaction_id: LedgerTransactionId,
    pub kind: String,
    pub amount: i64,
    pub balance: i64,
    pub completion_id: Option<CompletionId>,
    pub reason: Option<String>,
    pub created_at: i64,
}

/// Whether the ledger adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerCheck {
    /// Of all entries.
    pub sum: i64,
    /// Transactions that do not add up to zero, and accounts that are not the sum of their entries.
    pub wrong: i64,
    pub open_completions: i64,
}

impl Tx {
    /// Moves credits. [`StoreError::Taken`] when this was done for the completion before.
    pub async fn ledger_move(&mut self, movement: &Movement<'_>, now: i64) -> StoreResult<LedgerTransactionId> {
        let accounts = movement.amounts.iter().map(|(account, _)| *account).collect::<Vec<_>>();
        let mut moves = self.moves(&accounts).await?;
        moves.push(movement, now)?;
        let id = self.write_moves(moves).await?.pop();
        id.ok_or_else(|| StoreError::Corrupt { what: "movement", value: movement.kind.to_owned() })
    }

    pub async fn ledger_balance(&mut self, account: &str) -> StoreResult<i64> {
        let row = sqlx::query("select balance from ledger_accounts where id = $1")
            .bind(account)
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    pub async fn ledger_accounts(&mut self) -> StoreResult<Vec<(String, i64)>> {
        let rows =
            sqlx::query("select id, balance from ledger_accounts order by id").fetch_all(&mut *self.inner).await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("balance")?))).collect()
    }

    /// Entries of an account, newest first, those before `before` where that is given.
    pub async fn ledger_statement(
        &mut self,
        account: &str,
        before: Option<&LedgerTransactionId>,
        limit: i64,
    ) -> StoreResult<Vec<StoredEntry>> {
        let rows = sqlx::query(
            "select e.transaction_id, t.kind, e.amount, e.balance, t.completion_id, t.reason, t.created_at \
             from ledger_entries e join ledger_transactions t on t.id = e.transaction_id \
             where e.account_id = $1 and ($2 = '' or e.transaction_id < $2) order by e.transaction_id desc limit $3",
        )
        .bind(account)
        .bind(before.map_or("", LedgerTransactionId::as_str))
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                let completion = row.try_get::<Option<String>, _>("completion_id")?;
                Ok(StoredEntry {
                    transaction_id: parse("transaction id", row.try_get("transaction_id")?)?,
                    kind: row.try_get("kind")?,
                    amount: row.try_get("amount")?,
                    balance: row.try_get("balance")?,
                    completion_id: completion.as_deref().map(|id| parse("completion id", id)).transpose()?,
                    reason: row.try_get("reason")?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect()
    }

    /// Adds everything up.
    pub async fn ledger_check(&mut self) -> StoreResult<LedgerCheck> {
        // A sum of bigints is a numeric in PostgreSQL, which `Any` does not read.
        let row = sqlx::query(
            "select (select cast(coalesce(sum(amount), 0) as bigint) from ledger_entries) as total, \
             (select count(*) from (select transaction_id from ledger_entries group by transaction_id \
              having sum(amount) <> 0) as lopsided) \
             + (select count(*) from ledger_accounts a where a.balance <> \
              (select coalesce(sum(amount), 0) from ledger_entries e where e.account_id = a.id)) as wrong, \
             (select count(*) from mesh_completions where state = 'held') as open_completions",
        )
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(LedgerCheck {
            sum: row.try_get("total")?,
            wrong: row.try_get("wrong")?,
            open_completions: row.try_get("open_completions")?,
        })
    }
}
