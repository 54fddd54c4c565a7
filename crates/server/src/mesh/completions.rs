//! Completions from the moment credits are set aside for them to the moment they are paid: once, and for what was produced, whoever
//! dies meanwhile.

pub(crate) mod http;
mod writer;

use std::time::{Duration, Instant};

use domain::mesh::meter::Usage;
use domain::mesh::price::{Price, Shares};
use futures_util::StreamExt;
use ids::{CompletionId, CompletionState, MeshNodeId, TokenId, UserId};
use store::{CompletionEnd, CompletionStep, StepOutcome, Store, StoredCompletion};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agents::MeshAgents;
use super::counters::Counters;
use crate::error::{Error, Result};
use crate::now_ms;
use writer::Writer;

/// The pause before a payment is tried again that the database did not take.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often those are looked at that an earlier server left behind.
const CLEAR_UP: Duration = Duration::from_secs(1);
/// So long a machine has to come back and say what it produced.
const MISSING: Duration = Duration::from_secs(600);
/// So many machines are asked at the same time.
const ASKED: usize = 16;
const PAGE: i64 = 100;
/// So long somebody who looks waits for what has just ended.
const WRITTEN: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Completions {
    store: Store,
    writer: Writer,
    agents: MeshAgents,
    /// The number of this server.
    epoch: i64,
    fee_bps: u32,
    counters: Counters,
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// Where payments are worked at, and when there is no more time for them.
pub(super) struct Work {
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

/// What is asked for, and of which machine.
pub(super) struct NewCompletion {
    pub(super) user: UserId,
    /// By which it is asked for, if by one, and what that may spend in all.
    pub(super) token: Option<(TokenId, Option<i64>)>,
    pub(super) model: String,
    pub(super) path: &'static str,
    pub(super) held: i64,
    pub(super) at: Where,
}

/// The machine that works at one, and why that.
pub(super) struct Where {
    pub(super) node: MeshNodeId,
    /// Whose it is; nobody's where the coordinator asks for models itself.
    pub(super) provider: Option<UserId>,
    pub(super) price: Price,
    pub(super) choices: Vec<api::CompletionChoice>,
}

/// Why no credits are set aside.
#[derive(Debug, Clone, Copy)]
pub(super) enum NotHeld {
    /// Its user has too few.
    TooFewCredits,
    /// Its token may spend no more.
    TokenSpent,
}

/// A completion under way. However this is dropped, it is paid for what was produced by then.
pub(super) struct Open {
    completions: Completions,
    /// `None` when it is being settled.
    stored: Option<StoredCompletion>,
    began: Instant,
    first_byte: Option<Duration>,
    usage: Option<Usage>,
}

// === impl Completions ===

impl Completions {
    pub(super) fn new(store: Store, agents: MeshAgents, epoch: i64, fee_bps: u32, work: Work) -> Self {
        let Work { tasks, closing } = work;
        let counters = Counters::new().unwrap_or_else(|error| unreachable!("the names are valid: {error}"));
        Self { writer: Writer::new(store.clone()), store, agents, epoch, fee_bps, counters, tasks, closing }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sets credits aside for a completion.
    pub(super) async fn hold(&self, new: NewCompletion) -> Result<std::result::Result<Open, NotHeld>> {
        let (token_id, limit) = new.token.map_or((None, None), |(token, limit)| (Some(token), limit));
        let stored = StoredCompletion {
            id: CompletionId::new(),
            user_id: new.user,
            token_id,
            model: new.model,
            path: new.path.to_owned(),
            state: CompletionState::Held,
            epoch: self.epoch,
            node_id: new.at.node,
            provider_id: new.at.provider,
            price: new.at.price,
            held: new.held,
            input_tokens: 0,
            output_tokens: 0,
            cost: 0,
            choices: serde_json::to_string(&new.at.choices).map_err(Error::internal)?,
            first_byte_ms: None,
            created_at: now_ms(),
            ended_at: None,
        };
        let completions = self.clone();
        // Whoever asked may hang up at any moment: what was set aside is known to somebody then, too.
        let held = tokio::spawn(async move {
            let (began, writer) = (Instant::now(), completions.writer.clone());
            let step = CompletionStep::Hold(stored.clone(), limit);
            // From here on it is settled whatever comes, also where it is not known whether it was written.
            let mut open = Open { completions, stored: Some(stored), began, first_byte: None, usage: None };
            let outcome = writer.take(step).await?;
            if outcome == StepOutcome::Taken {
                return Ok(Ok(open));
            }
            open.stored = None;
            let is_tokens = outcome == StepOutcome::TokenSpent;
            Ok(Err(if is_tokens { NotHeld::TokenSpent } else { NotHeld::TooFewCredits }))
        });
        held.await.map_err(Error::internal)?
    }

    /// `sqlite_ready` or `postgres_ready`, if it answers.
    pub(super) async fn database(&self) -> Result<String> {
        self.store.ping().await?;
        Ok(format!("{}_ready", self.store.engine()))
    }

    /// What a token's completions have taken by now.
    pub(super) async fn spent(&self, token: &TokenId) -> Result<i64> {
        Ok(self.store.read().await?.token_spent(token).await?)
    }

    /// A page of somebody's, and whether there are more.
    pub(super) async fn list(
        &self,
        user: &UserId,
        before: Option<&CompletionId>,
    ) -> Result<(Vec<StoredCompletion>, bool)> {
        let mut completions = self.store.read().await?.completions_of(user, before, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = completions.len() > page;
        completions.truncate(page);
        Ok((completions, more))
    }

    pub(super) async fn find(&self, id: &CompletionId) -> Result<Option<StoredCompletion>> {
        Ok(self.store.read().await?.completion(id).await?)
    }

    /// Waits until what ended by now is in the database, so that nobody sees what they asked for before as still under way.
    pub(super) async fn written(&self) {
        // Where the database has much to do, what it has is shown.
        let _ = tokio::time::timeout(WRITTEN, self.writer.flush()).await;
    }

    /// Pays for one, as soon as the database takes it. What a server that ends does not get done, the next one does.
    async fn settle(
        &self,
        stored: StoredCompletion,
        end: CompletionEnd,
        first: Option<oneshot::Receiver<Result<StepOutcome>>>,
    ) {
        let mut tried = match first {
            Some(first) => first.await.map_err(Error::internal).flatten().map(drop),
            None => self.try_settle(&stored, &end).await,
        };
        let mut pause = RETRY;
        while let Err(error) = tried {
            tracing::warn!(completion.id = %stored.id, %error, "a completion is not settled yet");
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_MAX);
            tried = self.try_settle(&stored, &end).await;
        }
    }

    async fn try_settle(&self, stored: &StoredCompletion, end: &CompletionEnd) -> Result<()> {
        self.writer.take(CompletionStep::Settle(stored.clone(), end.clone())).await.map(drop)
    }

    fn end(
        &self,
        stored: &StoredCompletion,
        state: CompletionState,
        (input, output): (u64, u64),
        first_byte: Option<Duration>,
    ) -> CompletionEnd {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        CompletionEnd {
            state,
            input_tokens: count(input),
            output_tokens: count(output),
            first_byte_ms: first_byte.map(|it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX)),
            shares: Shares::of(stored.price.of(input, output), stored.held, self.fee_bps),
        }
    }

    /// Settles what servers before this one left behind, for what the machines say that they produced.
    pub(super) async fn clear_up(&self) {
        let began = Instant::now();
        loop {
            let left = async { Ok::<_, Error>(self.store.read().await?.completions_left(self.epoch).await?) };
            match left.await {
                Ok(left) if left.is_empty() => return,
                Ok(left) => {
                    let is_late = began.elapsed() > MISSING;
                    let clear_up = |stored| self.clear_up_one(stored, is_late);
                    futures_util::stream::iter(left).for_each_concurrent(ASKED, clear_up).await;
                }
                Err(error) => tracing::warn!(%error, "what an earlier server left behind cannot be read yet"),
            }
            tokio::time::sleep(CLEAR_UP).await;
        }
    }

    async fn clear_up_one(&self, stored: StoredCompletion, is_late: bool) {
        let produced = match self.agents.way(&stored.node_id) {
            Some(way) => way.completion(&stored.id).await,
            None if is_late => Ok(None),
            None => return,
        };
        let (state, tokens) = match produced {
            Ok(Some(counted)) if !counted.ended && !is_late => return,
            Ok(Some(counted)) if counted.output_tokens > 0 => {
                (CompletionState::Broken, (counted.input_tokens, counted.output_tokens))
            }
            Ok(_) => (CompletionState::Failed, (0, 0)),
            Err(_) if is_late => (CompletionState::Failed, (0, 0)),
            Err(error) => return tracing::debug!(%error, "a machine does not say what it produced"),
        };
        let end = self.end(&stored, state, tokens, None);
        if let Err(error) = self.try_settle(&stored, &end).await {
            tracing::warn!(completion.id = %stored.id, %error, "a completion is not settled yet");
        }
    }
}

// === impl Open ===

impl Open {
    pub(super) fn id(&self) -> CompletionId {
        self.stored.as_ref().map_or_else(CompletionId::new, |stored| stored.id.clone())
    }

    /// What was produced by now.
    pub(super) fn produced(&mut self, usage: Usage) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.began.elapsed());
        }
        self.usage = Some(usage);
    }

    pub(super) fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Settles it. Nobody waits for that; unless the database fails, it comes before all that is written from now on.
    pub(super) fn settle(mut self, state: CompletionState) {
        self.settle_once(state);
    }

    fn settle_once(&mut self, state: CompletionState) {
        let Some(stored) = self.stored.take() else { return };
        let tokens = self.usage.map_or((0, 0), |usage| (usage.input_tokens, usage.output_tokens));
        let end = self.completions.end(&stored, state, tokens, self.first_byte);
        let completions = self.completions.clone();
        completions.counters.ended(&stored.model, &end);
        let first = completions.writer.give(CompletionStep::Settle(stored.clone(), end.clone()));
        self.completions.tasks.spawn(async move { completions.settle(stored, end, first).await });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let state = match self.usage {
            Some(_) => CompletionState::Cancelled,
            None => CompletionState::Failed,
        };
        self.settle_once(state);
    }
}
