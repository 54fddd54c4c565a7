//! How far the completions of this process have come, for a coordinator that wants to know after a link has ended.

mod tap;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::mesh::meter::Usage;
use ids::CompletionId;
use wire::MeshCompletion;

pub(crate) use tap::Tap;

/// So many are remembered whatever their age.
const NEWEST: usize = 4096;
/// What has ended is remembered for so long however many there are,
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// unless there are as many as this, which take some 15 MB.
const MOST: usize = 65_536;

#[derive(Default)]
pub(crate) struct Completions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    known: HashMap<CompletionId, Arc<Progress>>,
    /// Oldest first. An id that came again is in it again, and means its last one.
    order: VecDeque<(CompletionId, Arc<Progress>)>,
}

#[derive(Default)]
struct Progress {
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    /// Set after the counts.
    has_ended: AtomicBool,
    ended_at: Mutex<Option<Instant>>,
}

/// A completion under way. Ends when dropped.
pub(crate) struct Running(Arc<Progress>);

// === impl Completions ===

impl Completions {
    /// `None` while one of this id is under way.
    pub(crate) fn begin(&self, id: &CompletionId) -> Option<Running> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.known.get(id).is_some_and(|progress| !progress.has_ended()) {
            return None;
        }
        table.forget(Instant::now());
        let progress = Arc::<Progress>::default();
        table.known.insert(id.clone(), progress.clone());
        table.order.push_back((id.clone(), progress.clone()));
        Some(Running(progress))
    }

    pub(crate) fn get(&self, id: &CompletionId) -> Option<MeshCompletion> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.known.get(id).map(|progress| progress.told())
    }
}

// === impl Table ===

impl Table {
    /// Makes room for one more.
    fn forget(&mut self, now: Instant) {
        while self.order.len() >= NEWEST && self.order.front().is_some_and(|(_, oldest)| oldest.is_old(now)) {
            self.forget_oldest();
        }
        if self.order.len() >= MOST {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((id, progress)) = self.order.pop_front() else { return };
        if !progress.has_ended() {
            // Its turn comes again.
            self.order.push_back((id, progress));
        } else if self.known.get(&id).is_some_and(|known| Arc::ptr_eq(known, &progress)) {
            self.known.remove(&id);
        }
    }
}

// === impl Progress ===

impl Progress {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn is_old(&self, now: Instant) -> bool {
        let ended_at = *self.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        ended_at.is_some_and(|ended_at| now.duration_since(ended_at) >= REMEMBERED)
    }

    fn told(&self) -> MeshCompletion {
        // In this order: what has ended is complete.
        let ended = self.has_ended();
        let [input_tokens, output_tokens] =
            [&self.input_tokens, &self.output_tokens].map(|count| count.load(Ordering::Relaxed));
        MeshCompletion { ended, input_tokens, output_tokens }
    }
}

// === impl Running ===

impl Running {
    fn note(&self, usage: Usage) {
        self.0.input_tokens.store(usage.input_tokens, Ordering::Relaxed);
        self.0.output_tokens.store(usage.output_tokens, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.ended_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.has_ended.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use domain::mesh::meter::UsageSource;

    use super::*;

    fn usage(output_tokens: u64) -> Usage {
        Usage { input_tokens: 9, cached_tokens: 0, output_tokens, source: UsageSource::Counted }
    }

    #[test]
    fn an_id_is_under_way_once_and_remembered_when_it_has_ended() {
        let (completions, id) = (Completions::default(), CompletionId::new());
        assert_eq!(completions.get(&id), None);
        let running = completions.begin(&id).unwrap();
        running.note(usage(3));
        assert!(completions.begin(&id).is_none());
        let told = |ended, output_tokens| Some(MeshCompletion { ended, input_tokens: 9, output_tokens });
        assert_eq!(completions.get(&id), told(false, 3));
        drop(running);
        assert_eq!(completions.get(&id), told(true, 3));
        // The same once more, and the table remembers the last.
        completions.begin(&id).unwrap().note(usage(4));
        completions.table.lock().unwrap().forget_oldest();
        assert_eq!(completions.get(&id), told(true, 4));
    }

    #[test]
    fn what_is_under_way_or_ended_lately_is_not_forgotten() {
        let completions = Completions::default();
        let ids = std::iter::repeat_with(CompletionId::new).take(NEWEST + 2).collect::<Vec<_>>();
        for id in &ids {
            drop(completions.begin(id).unwrap());
        }
        let mut table = completions.table.lock().unwrap();
        let now = Instant::now();
        table.forget(now);
        assert_eq!(table.known.len(), ids.len(), "young");
        table.forget(now + REMEMBERED);
        assert_eq!((table.known.len(), table.order.len()), (NEWEST - 1, NEWEST - 1));
        assert!(!table.known.contains_key(&ids[2]) && table.known.contains_key(&ids[3]));
    }
}
