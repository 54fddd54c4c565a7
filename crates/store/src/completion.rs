use domain::mesh::price::{Price, Shares};
use ids::{CompletionId, CompletionState, MeshNodeId, UserId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::ledger::{FEE, HELD, Movement, account_of};
use crate::{StoreResult, Tx};

/// A request for a model.
#[derive(Debug, Clone)]
pub struct StoredCompletion {
    pub id: CompletionId,
    pub user_id: UserId,
    pub model: String,
    /// The route that was called.
    pub path: String,
    pub state: CompletionState,
    /// The number of the server that works at it.
    pub epoch: i64,
    pub node_id: MeshNodeId,
    /// Whose machine that is.
    pub provider_id: UserId,
    pub price: Price,
    /// What was set aside for it.
    pub held: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost: i64,
    /// Why it went where it went: JSON.
    pub choices: String,
    pub first_byte_ms: Option<i64>,
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

/// What came of one.
#[derive(Debug, Clone)]
pub struct CompletionEnd {
    pub state: CompletionState,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub first_byte_ms: Option<i64>,
    pub shares: Shares,
}

const COLUMNS: &str = "id, user_id, model, path, state, epoch, node_id, provider_id, input_price, output_price, held, \
    input_tokens, output_tokens, cost, choices, first_byte_ms, created_at, ended_at";

fn completion(row: &AnyRow) -> StoreResult<StoredCompletion> {
    Ok(StoredCompletion {
        id: parse("completion id", row.try_get("id")?)?,
        user_id: parse("user id", row.try_get("user_id")?)?,
        model: row.try_get("model")?,
        path: row.try_get("path")?,
        state: parse("state of a completion", row.try_get("state")?)?,
        epoch: row.try_get("epoch")?,
        node_id: parse("name of a machine", row.try_get("node_id")?)?,
        provider_id: parse("user id", row.try_get("provider_id")?)?,
        price: Price { input: row.try_get("input_price")?, output: row.try_get("output_price")? },
        held: row.try_get("held")?,
        input_tokens: row.try_get("input_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        cost: row.try_get("cost")?,
        choices: row.try_get("choices")?,
        first_byte_ms: row.try_get("first_byte_ms")?,
        created_at: row.try_get("created_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

impl Tx {
    /// Begins a completion and sets its credits aside. False where its user has too few: then nothing happened, if the transaction
    /// ends without a commit.
    pub async fn completion_hold(&mut self, new: &StoredCompletion) -> StoreResult<bool> {
        let account = account_of(&new.user_id);
        if self.ledger_balance(&account).await? < new.held {
            return Ok(false);
        }
        sqlx::query(
            "insert into mesh_completions (id, user_id, model, path, state, epoch, node_id, provider_id, input_price, \
             output_price, held, choices, created_at) values ($1, $2, $3, $4, 'held', $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(new.id.as_str())
        .bind(new.user_id.as_str())
        .bind(&new.model)
        .bind(&new.path)
        .bind(new.epoch)
        .bind(new.node_id.as_str())
        .bind(new.provider_id.as_str())
        .bind(new.price.input)
        .bind(new.price.output)
        .bind(new.held)
        .bind(&new.choices)
        .bind(new.created_at)
        .execute(&mut *self.inner)
        .await?;
        let movement = Movement {
            kind: "hold",
            completion: Some(&new.id),
            reason: None,
            by: None,
            amounts: &[(&account, -new.held), (HELD, new.held)],
        };
        self.ledger_move(&movement, new.created_at).await?;
        Ok(true)
    }

    /// Ends a completion and pays for it. False where that was done before.
    pub async fn completion_settle(
        &mut self,
        of: &StoredCompletion,
        end: &CompletionEnd,
        now: i64,
    ) -> StoreResult<bool> {
        let changed = sqlx::query(
            "update mesh_completions set state = $1, input_tokens = $2, output_tokens = $3, cost = $4, \
             first_byte_ms = $5, ended_at = $6 where id = $7 and state = 'held'",
        )
        .bind(end.state.as_str())
        .bind(end.input_tokens)
        .bind(end.output_tokens)
        .bind(end.shares.cost)
        .bind(end.first_byte_ms)
        .bind(now)
        .bind(of.id.as_str())
        .execute(&mut *self.inner)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        let (payer, earner) = (account_of(&of.user_id), account_of(&of.provider_id));
        let Shares { fee, earning, rest, .. } = end.shares;
        let mut amounts = vec![(HELD, -of.held), (FEE, fee), (payer.as_str(), rest)];
        match payer == earner {
            // Who uses a machine of their own has one entry.
            true => amounts[2].1 += earning,
            false => amounts.push((earner.as_str(), earning)),
        }
        let movement = Movement { kind: "settle", completion: Some(&of.id), reason: None, by: None, amounts: &amounts };
        self.ledger_move(&movement, now).await?;
        Ok(true)
    }

    pub async fn completion(&mut self, id: &CompletionId) -> StoreResult<Option<StoredCompletion>> {
        let row = sqlx::query(&format!("select {COLUMNS} from mesh_completions where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(completion).transpose()
    }

    /// Somebody's, newest first, those before `before` where that is given.
    pub async fn completions_of(
        &mut self,
        user: &UserId,
        before: Option<&CompletionId>,
        limit: i64,
    ) -> StoreResult<Vec<StoredCompletion>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from mesh_completions where user_id = $1 and ($2 = '' or id < $2) order by id desc limit $3"
        ))
        .bind(user.as_str())
        .bind(before.map_or("", CompletionId::as_str))
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(completion).collect()
    }

    /// Those that a server left behind whose number was before `epoch`.
    pub async fn completions_left(&mut self, epoch: i64) -> StoreResult<Vec<StoredCompletion>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from mesh_completions where state = 'held' and epoch < $1 order by id limit 1000"
        ))
        .bind(epoch)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(completion).collect()
    }

    /// What is set aside for somebody's completions, and what their machines have earned.
    pub async fn completion_sums(&mut self, user: &UserId) -> StoreResult<(i64, i64)> {
        let row = sqlx::query(
            "select (select cast(coalesce(sum(held), 0) as bigint) from mesh_completions \
             where user_id = $1 and state = 'held') as held, \
             (select cast(coalesce(sum(e.amount), 0) as bigint) from ledger_entries e \
              join ledger_transactions t on t.id = e.transaction_id \
              join mesh_completions c on c.id = t.completion_id \
              where e.account_id = $2 and t.kind = 'settle' and c.provider_id = $1 and c.user_id <> $1) as earned",
        )
        .bind(user.as_str())
        .bind(account_of(user))
        .fetch_one(&mut *self.inner)
        .await?;
        Ok((row.try_get("held")?, row.try_get("earned")?))
    }
}
