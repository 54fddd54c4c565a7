mod spending;

use std::collections::HashSet;

use domain::mesh::price::{Price, Shares};
use ids::{CompletionId, CompletionState, MeshNodeId, TokenId, UserId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::binds::{binds, rows};
use crate::error::parse;
use crate::ledger::moves::Moves;
use crate::ledger::{FEE, HELD, Movement, account_of};
use crate::{StoreResult, Tx};

/// A request for a model.
#[derive(Debug, Clone)]
pub struct StoredCompletion {
    pub id: CompletionId,
    pub user_id: UserId,
    /// By which token it was asked for, if by one.
    pub token_id: Option<TokenId>,
    pub model: String,
    /// The route that was called.
    pub path: String,
    pub state: CompletionState,
    /// The number of the server that works at it.
    pub epoch: i64,
    pub node_id: MeshNodeId,
    /// Whose machine that is; nobody's where the coordinator asked for models itself.
    pub provider_id: Option<UserId>,
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

/// What is done to one.
#[derive(Debug, Clone)]
pub enum CompletionStep {
    /// Begins it, and sets its credits aside. Its token may have spent so much with it, where there is a number.
    Hold(StoredCompletion, Option<i64>),
    /// Ends it, and pays for it.
    Settle(StoredCompletion, CompletionEnd),
}

impl CompletionStep {
    fn completion(&self) -> &StoredCompletion {
        match self {
            Self::Hold(of, _) | Self::Settle(of, _) => of,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    Taken,
    /// Not held: its user has too few credits.
    TooFewCredits,
    /// Not held: its token may spend no more.
    TokenSpent,
    /// Not settled: it was done before.
    DoneBefore,
}

const COLUMNS: &str = "id, user_id, token_id, model, path, state, epoch, node_id, provider_id, input_price, output_price, held, \
    input_tokens, output_tokens, cost, choices, first_byte_ms, created_at, ended_at";

fn completion(row: &AnyRow) -> StoreResult<StoredCompletion> {
    Ok(StoredCompletion {
        id: parse("completion id", row.try_get("id")?)?,
        user_id: parse("user id", row.try_get("user_id")?)?,
        token_id: row.try_get::<Option<String>, _>("token_id")?.map(|id| parse("token id", &id)).transpose()?,
        model: row.try_get("model")?,
        path: row.try_get("path")?,
        state: parse("state of a completion", row.try_get("state")?)?,
        epoch: row.try_get("epoch")?,
        node_id: parse("name of a machine", row.try_get("node_id")?)?,
        provider_id: Some(row.try_get::<String, _>("provider_id")?)
            .filter(|id| !id.is_empty())
            .map(|id| parse("user id", &id))
            .transpose()?,
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

/// Who earns by one: the owner of the machine, or the coordinator.
fn earner(of: &StoredCompletion) -> String {
    of.provider_id.as_ref().map_or_else(|| FEE.to_owned(), account_of)
}

fn hold<'a>(new: &'a StoredCompletion, amounts: &'a [(&'a str, i64)]) -> Movement<'a> {
    Movement { kind: "hold", completion: Some(&new.id), reason: None, by: None, amounts }
}

fn settle(moves: &mut Moves, of: &StoredCompletion, end: &CompletionEnd, now: i64) -> StoreResult<()> {
    let (payer, earner) = (account_of(&of.user_id), earner(of));
    let Shares { fee, earning, rest, .. } = end.shares;
    let mut amounts = vec![(HELD, -of.held), (FEE, fee), (payer.as_str(), rest)];
    match amounts.iter_mut().find(|(account, _)| *account == earner) {
        // An account has one entry: also of who uses a machine of their own, and of the coordinator.
        Some((_, amount)) => *amount += earning,
        None => amounts.push((earner.as_str(), earning)),
    }
    let movement = Movement { kind: "settle", completion: Some(&of.id), reason: None, by: None, amounts: &amounts };
    moves.push(&movement, now)
}

impl Tx {
    /// Takes steps of completions, each for itself, and tells what came of each.
    pub async fn completion_steps(&mut self, steps: &[CompletionStep], now: i64) -> StoreResult<Vec<StepOutcome>> {
        let mut accounts = vec![HELD.to_owned(), FEE.to_owned()];
        accounts.extend(steps.iter().flat_map(|step| {
            let of = step.completion();
            [account_of(&of.user_id), earner(of)]
        }));
        accounts.sort();
        accounts.dedup();
        let mut moves = self.moves(&accounts.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut spending = self.spending(steps.iter().filter_map(|step| step.completion().token_id.as_ref())).await?;
        let mut open = self.completions_open(steps).await?;
        let (mut outcomes, mut begun, mut ended) = (Vec::with_capacity(steps.len()), Vec::new(), Vec::new());
        for step in steps {
            let outcome = match step {
                CompletionStep::Hold(new, _) if moves.balance(&account_of(&new.user_id)) < new.held => {
                    StepOutcome::TooFewCredits
                }
                CompletionStep::Hold(new, limit) => match spending.hold(new, *limit) {
                    false => StepOutcome::TokenSpent,
                    true => {
                        moves.push(&hold(new, &[(&account_of(&new.user_id), -new.held), (HELD, new.held)]), now)?;
                        begun.push(new);
                        StepOutcome::Taken
                    }
                },
                CompletionStep::Settle(of, end) => match open.remove(of.id.as_str()) {
                    false => StepOutcome::DoneBefore,
                    true => {
                        settle(&mut moves, of, end, now)?;
                        spending.settle(of, end);
                        ended.push((of, end));
                        StepOutcome::Taken
                    }
                },
            };
            outcomes.push(outcome);
        }
        self.completions_insert(&begun).await?;
        self.completions_end(&ended, now).await?;
        self.write_moves(moves).await?;
        self.write_spending(spending).await?;
        Ok(outcomes)
    }

    /// Of those that are to be settled, the ones that are not yet.
    async fn completions_open(&mut self, steps: &[CompletionStep]) -> StoreResult<HashSet<String>> {
        let ids = steps.iter().filter_map(|step| match step {
            CompletionStep::Hold(..) => None,
            CompletionStep::Settle(of, _) => Some(of.id.as_str()),
        });
        let ids = ids.collect::<Vec<_>>();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = format!("select id from mesh_completions where state = 'held' and id in ({})", binds(1, ids.len()));
        let query = ids.iter().fold(sqlx::query(&sql), |query, id| query.bind(*id));
        query.fetch_all(&mut *self.inner).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    async fn completions_insert(&mut self, new: &[&StoredCompletion]) -> StoreResult<()> {
        if new.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "insert into mesh_completions (id, user_id, token_id, model, path, state, epoch, node_id, provider_id, \
             input_price, output_price, held, choices, created_at) values {}",
            rows(new.len(), 14)
        );
        let query = new.iter().fold(sqlx::query(&sql), |query, new| {
            query
                .bind(new.id.as_str())
                .bind(new.user_id.as_str())
                .bind(new.token_id.as_ref().map(TokenId::as_str))
                .bind(&new.model)
                .bind(&new.path)
                .bind(CompletionState::Held.as_str())
                .bind(new.epoch)
                .bind(new.node_id.as_str())
                .bind(new.provider_id.as_ref().map_or("", UserId::as_str))
                .bind(new.price.input)
                .bind(new.price.output)
                .bind(new.held)
                .bind(&new.choices)
                .bind(new.created_at)
        });
        query.execute(&mut *self.inner).await?;
        Ok(())
    }

    async fn completions_end(&mut self, ended: &[(&StoredCompletion, &CompletionEnd)], now: i64) -> StoreResult<()> {
        if ended.is_empty() {
            return Ok(());
        }
        // PostgreSQL takes a parameter of a list of values for text where nothing says otherwise.
        let sql = format!(
            "update mesh_completions set state = v.column2, input_tokens = cast(v.column3 as bigint), \
             output_tokens = cast(v.column4 as bigint), cost = cast(v.column5 as bigint), \
             first_byte_ms = cast(v.column6 as bigint), ended_at = cast(v.column7 as bigint) \
             from (values {}) as v where mesh_completions.id = v.column1 and mesh_completions.state = 'held'",
            rows(ended.len(), 7)
        );
        let query = ended.iter().fold(sqlx::query(&sql), |query, (of, end)| {
            query
                .bind(of.id.as_str())
                .bind(end.state.as_str())
                .bind(end.input_tokens)
                .bind(end.output_tokens)
                .bind(end.shares.cost)
                .bind(end.first_byte_ms)
                .bind(now)
        });
        query.execute(&mut *self.inner).await?;
        Ok(())
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
