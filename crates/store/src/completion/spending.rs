//! What tokens have spent, of which some may spend only so much.

use std::collections::HashMap;

use ids::TokenId;
use sqlx::Row;

use super::{CompletionEnd, StoredCompletion};
use crate::binds::{binds, rows};
use crate::{StoreResult, Tx};

/// Of some tokens, within a transaction beside which nobody writes.
pub(super) struct Spending {
    spent: HashMap<TokenId, i64>,
}

// === impl Spending ===

impl Spending {
    /// Whether there is room below the limit.
    pub(super) fn hold(&mut self, new: &StoredCompletion, limit: Option<i64>) -> bool {
        let Some(token) = &new.token_id else { return true };
        let spent = self.spent.entry(token.clone()).or_default();
        let with_it = spent.saturating_add(new.held);
        if limit.is_some_and(|limit| with_it > limit) {
            return false;
        }
        *spent = with_it;
        true
    }

    pub(super) fn settle(&mut self, of: &StoredCompletion, end: &CompletionEnd) {
        if let Some(token) = &of.token_id {
            let spent = self.spent.entry(token.clone()).or_default();
            *spent = spent.saturating_sub(end.shares.rest).max(0);
        }
    }
}

impl Tx {
    /// What a token's completions have taken by now, with what is set aside for those under way.
    pub async fn token_spent(&mut self, token: &TokenId) -> StoreResult<i64> {
        Ok(self.spending([token].into_iter()).await?.spent.get(token).copied().unwrap_or_default())
    }

    pub(super) async fn spending(&mut self, tokens: impl Iterator<Item = &TokenId>) -> StoreResult<Spending> {
        let tokens = tokens.map(TokenId::as_str).collect::<Vec<_>>();
        let mut spent = HashMap::new();
        if tokens.is_empty() {
            return Ok(Spending { spent });
        }
        let names = binds(1, tokens.len());
        let sql = format!("select token_id, spent from mesh_token_spending where token_id in ({names})");
        let query = tokens.iter().fold(sqlx::query(&sql), |query, token| query.bind(*token));
        for row in query.fetch_all(&mut *self.inner).await? {
            spent.insert(crate::error::parse("token id", row.try_get("token_id")?)?, row.try_get("spent")?);
        }
        Ok(Spending { spent })
    }

    pub(super) async fn write_spending(&mut self, spending: Spending) -> StoreResult<()> {
        if spending.spent.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "insert into mesh_token_spending (token_id, spent) values {} \
             on conflict (token_id) do update set spent = excluded.spent",
            rows(spending.spent.len(), 2)
        );
        let query = spending
            .spent
            .iter()
            .fold(sqlx::query(&sql), |query, (token, spent)| query.bind(token.as_str()).bind(*spent));
        query.execute(&mut *self.inner).await?;
        Ok(())
    }
}
