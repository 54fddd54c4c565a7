//! Movements that are written together: what takes time is each statement, not each row.

use std::collections::HashMap;

use ids::{CompletionId, LedgerTransactionId};
use sqlx::Row;

use super::Movement;
use crate::binds::{binds, rows};
use crate::{StoreError, StoreResult, Tx};

/// Accounts within a transaction beside which nobody writes, and what has moved among them by now.
pub(crate) struct Moves {
    /// What an account has, and whether that has changed.
    balances: HashMap<String, (i64, bool)>,
    made: Vec<Made>,
    entries: usize,
}

struct Made {
    kind: String,
    completion: Option<CompletionId>,
    reason: Option<String>,
    by: Option<String>,
    at: i64,
    /// Account, amount, and what it had then.
    entries: Vec<(String, i64, i64)>,
}

// === impl Moves ===

impl Moves {
    pub(crate) fn balance(&self, account: &str) -> i64 {
        self.balances.get(account).map_or(0, |(balance, _)| *balance)
    }

    pub(crate) fn push(&mut self, movement: &Movement<'_>, at: i64) -> StoreResult<()> {
        let sum: i128 = movement.amounts.iter().map(|(_, amount)| i128::from(*amount)).sum();
        if sum != 0 {
            return Err(StoreError::Corrupt { what: "movement that does not add up to zero", value: sum.to_string() });
        }
        let mut entries = Vec::with_capacity(movement.amounts.len());
        for (account, amount) in movement.amounts.iter().filter(|(_, amount)| *amount != 0) {
            let balance = self.balances.entry((*account).to_owned()).or_default();
            let after = balance.0.checked_add(*amount);
            let after = after.ok_or_else(|| StoreError::Corrupt { what: "balance", value: (*account).to_owned() })?;
            *balance = (after, true);
            entries.push(((*account).to_owned(), *amount, after));
        }
        self.entries += entries.len();
        self.made.push(Made {
            kind: movement.kind.to_owned(),
            completion: movement.completion.cloned(),
            reason: movement.reason.map(str::to_owned),
            by: movement.by.map(str::to_owned),
            at,
            entries,
        });
        Ok(())
    }
}

impl Tx {
    /// To be written in the same transaction, by [`Tx::write_moves`].
    pub(crate) async fn moves(&mut self, accounts: &[&str]) -> StoreResult<Moves> {
        let sql = format!("select id, balance from ledger_accounts where id in ({})", binds(1, accounts.len()));
        let query = accounts.iter().fold(sqlx::query(&sql), |query, account| query.bind(*account));
        let mut balances = HashMap::with_capacity(accounts.len());
        for row in query.fetch_all(&mut *self.inner).await? {
            balances.insert(row.try_get("id")?, (row.try_get("balance")?, false));
        }
        Ok(Moves { balances, made: Vec::new(), entries: 0 })
    }

    /// The ids of what was moved, in the same order.
    pub(crate) async fn write_moves(&mut self, moves: Moves) -> StoreResult<Vec<LedgerTransactionId>> {
        // Later ones sort later, also within a millisecond.
        let mut ids = std::iter::repeat_with(LedgerTransactionId::new).take(moves.made.len()).collect::<Vec<_>>();
        ids.sort();
        self.write_accounts(&moves).await?;
        if ids.is_empty() {
            return Ok(ids);
        }
        let sql = format!(
            "insert into ledger_transactions (id, kind, completion_id, reason, created_by, created_at) values {}",
            rows(ids.len(), 6)
        );
        let query = ids.iter().zip(&moves.made).fold(sqlx::query(&sql), |query, (id, made)| {
            query
                .bind(id.as_str())
                .bind(&made.kind)
                .bind(made.completion.as_ref().map(CompletionId::as_str))
                .bind(&made.reason)
                .bind(&made.by)
                .bind(made.at)
        });
        query.execute(&mut *self.inner).await?;
        if moves.entries > 0 {
            let columns = "insert into ledger_entries (transaction_id, account_id, amount, balance) values";
            let sql = format!("{columns} {}", rows(moves.entries, 4));
            let entries =
                ids.iter().zip(&moves.made).flat_map(|(id, made)| made.entries.iter().map(move |it| (id, it)));
            let query = entries.fold(sqlx::query(&sql), |query, (id, (account, amount, balance))| {
                query.bind(id.as_str()).bind(account).bind(*amount).bind(*balance)
            });
            query.execute(&mut *self.inner).await?;
        }
        Ok(ids)
    }

    async fn write_accounts(&mut self, moves: &Moves) -> StoreResult<()> {
        let changed = moves.balances.iter().filter(|(_, (_, is_changed))| *is_changed).collect::<Vec<_>>();
        if changed.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "insert into ledger_accounts (id, balance) values {} on conflict (id) do update set balance = excluded.balance",
            rows(changed.len(), 2)
        );
        let query = changed
            .iter()
            .fold(sqlx::query(&sql), |query, (account, (balance, _))| query.bind(account.as_str()).bind(*balance));
        query.execute(&mut *self.inner).await?;
        Ok(())
    }
}
