//! Holds and settlements on their way to the database: those that come at the same time are written together, since what takes time is
//! that each transaction is on the disk before it counts.

use store::{CompletionStep, StepOutcome, Store, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};
use crate::now_ms;

/// Steps of one transaction.
const TOGETHER: usize = 64;
/// Steps that wait for the one before.
const WAITING: usize = 1024;

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

enum Job {
    Step(Box<CompletionStep>, oneshot::Sender<Result<StepOutcome>>),
    /// Told when all that was given before is done with.
    Flush(oneshot::Sender<()>),
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(store: Store) -> Self {
        let (queue, jobs) = mpsc::channel(WAITING);
        tokio::spawn(work(store, jobs));
        Self { queue }
    }

    /// What came of the step ([`store::Tx::completion_steps`]), as soon as that is on the disk.
    pub(super) async fn take(&self, step: CompletionStep) -> Result<StepOutcome> {
        let (outcome, told) = oneshot::channel();
        self.queue.send(Job::Step(Box::new(step), outcome)).await.map_err(Error::internal)?;
        told.await.map_err(Error::internal)?
    }

    /// The same for who does not wait: it comes before all that is given from now on. `None` where too much waits already.
    pub(super) fn give(&self, step: CompletionStep) -> Option<oneshot::Receiver<Result<StepOutcome>>> {
        let (outcome, told) = oneshot::channel();
        self.queue.try_send(Job::Step(Box::new(step), outcome)).ok()?;
        Some(told)
    }

    /// Waits for all that was given before.
    pub(super) async fn flush(&self) {
        let (done, told) = oneshot::channel();
        if self.queue.send(Job::Flush(done)).await.is_ok() {
            let _ = told.await;
        }
    }
}

/// Until nobody can send any more.
async fn work(store: Store, mut jobs: mpsc::Receiver<Job>) {
    let mut together = Vec::new();
    while jobs.recv_many(&mut together, TOGETHER).await > 0 {
        let (mut steps, mut waiting, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for job in together.drain(..) {
            match job {
                Job::Step(step, outcome) => {
                    steps.push(*step);
                    waiting.push(outcome);
                }
                Job::Flush(done) => flushed.push(done),
            }
        }
        if !steps.is_empty() {
            work_at(&store, steps, waiting).await;
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}

async fn work_at(store: &Store, steps: Vec<CompletionStep>, waiting: Vec<oneshot::Sender<Result<StepOutcome>>>) {
    match write(store, &steps).await {
        Ok(outcomes) => {
            for (waiting, outcome) in waiting.into_iter().zip(outcomes) {
                let _ = waiting.send(Ok(outcome));
            }
        }
        Err(error) => apart(store, steps, waiting, error).await,
    }
}

async fn write(store: &Store, steps: &[CompletionStep]) -> std::result::Result<Vec<StepOutcome>, StoreError> {
    let mut tx = store.write().await?;
    let outcomes = tx.completion_steps(steps, now_ms()).await?;
    if outcomes.contains(&StepOutcome::Taken) {
        tx.commit().await?;
    }
    Ok(outcomes)
}

async fn write_one(store: &Store, step: CompletionStep) -> Result<StepOutcome> {
    let outcome = write(store, &[step]).await?.pop();
    outcome.ok_or_else(|| Error::internal("a step had no outcome"))
}

/// What failed together is tried one by one, unless it is the database that fails.
async fn apart(
    store: &Store,
    steps: Vec<CompletionStep>,
    waiting: Vec<oneshot::Sender<Result<StepOutcome>>>,
    error: StoreError,
) {
    let is_of_one = matches!(error, StoreError::Taken(_) | StoreError::Corrupt { .. } | StoreError::Query(_));
    let mut error = Some(error);
    for (step, waiting) in steps.into_iter().zip(waiting) {
        let outcome = if is_of_one {
            write_one(store, step).await
        } else {
            let unavailable =
                || Error::unavailable("DATABASE_UNAVAILABLE", "the database does not answer; try again in a moment");
            Err(error.take().map_or_else(unavailable, Error::from))
        };
        let _ = waiting.send(outcome);
    }
}
