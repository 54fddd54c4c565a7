//! What this machine offers at a moment, and what it works at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wire::{MESH_PROTOCOL, MeshModel, MeshPull, MeshReport, PullState};

use crate::terms::Terms;

/// Orders that are remembered.
const PULLS_MAX: usize = 8;

/// A model as one upstream serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) loaded: bool,
    pub(crate) context: u32,
    pub(crate) slots: u32,
    /// Requests that the upstream says it works at, ours among them.
    pub(crate) busy: u32,
}

/// Of all upstreams, each by its place in the configuration.
#[derive(Clone)]
pub(crate) struct Offer {
    inner: Arc<Inner>,
}

struct Inner {
    terms: Terms,
    state: Mutex<State>,
    report: watch::Sender<MeshReport>,
}

#[derive(Default)]
struct State {
    paused: Option<String>,
    /// Ours are not in their `busy`.
    found: BTreeMap<usize, Vec<Found>>,
    /// What was passed on and has not ended, by upstream and model.
    under_way: HashMap<(usize, String), u32>,
    /// The newest last.
    pulls: Vec<MeshPull>,
}

/// How much was under way at an upstream when it was asked what it works at.
pub(crate) struct Before(HashMap<String, u32>);

/// One request that is passed on. Ends when dropped.
pub(crate) struct Claim {
    offer: Offer,
    model: (usize, String),
}

/// Why a model is not to be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOffered {
    Paused(String),
    Absent,
}

// === impl Offer ===

impl Offer {
    pub(crate) fn new(terms: Terms) -> Self {
        let report = MeshReport {
            protocol: MESH_PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            os: std::env::consts::OS.into(),
            generation: 1,
            paused: None,
            models: Vec::new(),
            allows_pulls: terms.allows_pulls,
            pulls: Vec::new(),
        };
        Self { inner: Arc::new(Inner { terms, state: Mutex::default(), report: watch::Sender::new(report) }) }
    }

    pub(crate) fn report(&self) -> watch::Receiver<MeshReport> {
        self.inner.report.subscribe()
    }

    pub(crate) fn pause(&self, reason: Option<String>) {
        self.change(|state| state.paused = reason);
    }

    /// To be called before an upstream is asked, and handed over with what it answers.
    pub(crate) fn before(&self, upstream: usize) -> Before {
        Before(self.inner.state().under_way_at(upstream))
    }

    /// What an upstream serves, until it is asked the next time.
    pub(crate) fn set_found(&self, upstream: usize, mut found: Vec<Found>, before: &Before) {
        self.change(|state| {
            let now = state.under_way_at(upstream);
            for model in &mut found {
                // One that began or ended meanwhile may have been counted over there: what is left is others'.
                let ours = [&before.0, &now].map(|counts| counts.get(&model.name).copied().unwrap_or(0));
                model.busy = model.busy.saturating_sub(ours[0].max(ours[1]));
            }
            state.found.insert(upstream, found);
        });
    }

    /// Begins a request of somebody else's for a model, at the upstream where it is likely to be answered first.
    pub(crate) fn claim(&self, model: &str) -> Result<Claim, NotOffered> {
        let paused = self.inner.state().paused.clone();
        match paused {
            Some(reason) => Err(NotOffered::Paused(reason)),
            None if !self.inner.terms.offers(model) => Err(NotOffered::Absent),
            None => self.claim_own(model).ok_or(NotOffered::Absent),
        }
    }

    /// The same of the owner's, who may always.
    pub(crate) fn claim_own(&self, model: &str) -> Option<Claim> {
        let claimed = self.change(|state| {
            let serving = state.found.iter().filter_map(|(upstream, found)| {
                let found = found.iter().find(|found| found.name == model)?;
                Some((found, (*upstream, found.name.clone())))
            });
            let (_, best) = serving.min_by_key(|(found, at)| state.load(found, at))?;
            *state.under_way.entry(best.clone()).or_default() += 1;
            Some(best)
        });
        claimed.map(|model| Claim { offer: self.clone(), model })
    }

    /// All models of this machine by name, with the tokens that fit into a request wherever it goes.
    pub(crate) fn all(&self) -> BTreeMap<String, u32> {
        let state = self.inner.state();
        let mut all = BTreeMap::<String, u32>::new();
        for found in state.found.values().flatten() {
            let context = all.entry(found.name.clone()).or_insert(found.context);
            *context = found.context.min(*context);
        }
        all
    }

    pub(crate) fn allows_pulls(&self) -> bool {
        self.inner.terms.allows_pulls
    }

    pub(crate) fn pulls(&self) -> Vec<MeshPull> {
        self.inner.state().pulls.clone()
    }

    /// How one stands now. Of those that have ended, the newest are remembered.
    pub(crate) fn set_pull(&self, pull: MeshPull) {
        self.change(|state| {
            match state.pulls.iter_mut().find(|known| known.model == pull.model) {
                Some(known) => *known = pull,
                None => state.pulls.push(pull),
            }
            let is_old = |pull: &MeshPull| pull.state != PullState::Running;
            if state.pulls.len() > PULLS_MAX
                && let Some(oldest) = state.pulls.iter().position(is_old)
            {
                state.pulls.remove(oldest);
            }
        });
    }

    /// Slots of all models.
    pub(crate) fn slots(&self) -> u32 {
        self.inner.report.borrow().models.iter().map(|model| model.slots).sum()
    }

    /// Whoever waits for a report hears of it if it has become another one.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.inner.state();
        let result = change(&mut state);
        let (paused, models, pulls) = (state.paused.clone(), state.models(&self.inner.terms), state.pulls.clone());
        // Within the lock, so that reports follow one another as changes do.
        self.inner.report.send_if_modified(|report| {
            let is_other = report.paused != paused || report.models != models || report.pulls != pulls;
            if is_other {
                (report.paused, report.models, report.pulls) = (paused, models, pulls);
                report.generation += 1;
            }
            is_other
        });
        result
    }
}

// === impl Inner ===

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn under_way_at(&self, upstream: usize) -> HashMap<String, u32> {
        let here = self.under_way.iter().filter(|((at, _), _)| *at == upstream);
        here.map(|((_, model), count)| (model.clone(), *count)).collect()
    }

    fn busy(&self, found: &Found, at: &(usize, String)) -> u32 {
        found.busy.saturating_add(self.under_way.get(at).copied().unwrap_or(0))
    }

    /// By which to choose, the least first: a model that is not in memory, then how many wait for a slot, or work in one.
    fn load(&self, found: &Found, at: &(usize, String)) -> (bool, i64) {
        (!found.loaded, i64::from(self.busy(found, at)) - i64::from(found.slots))
    }

    /// As the coordinator is told: it does not know of upstreams.
    fn models(&self, terms: &Terms) -> Vec<MeshModel> {
        let mut models = BTreeMap::<&str, MeshModel>::new();
        let found = self.found.iter().flat_map(|(upstream, all)| all.iter().map(|found| (*upstream, found)));
        for (upstream, found) in found.filter(|(_, found)| terms.offers(&found.name)) {
            let busy = self.busy(found, &(upstream, found.name.clone()));
            let Found { name, loaded, context, slots, .. } = found;
            let known = models.entry(name).or_insert_with(|| MeshModel {
                name: name.clone(),
                loaded: false,
                context: *context,
                slots: 0,
                busy: 0,
                price: terms.price(name),
            });
            known.loaded |= loaded;
            // What fits wherever it goes.
            known.context = known.context.min(*context);
            known.slots = known.slots.saturating_add(*slots);
            known.busy = known.busy.saturating_add(busy);
        }
        models.into_values().collect()
    }
}

// === impl Claim ===

impl Claim {
    /// Its place in the configuration.
    pub(crate) fn upstream(&self) -> usize {
        self.model.0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.offer.change(|state| {
            if let Some(count) = state.under_way.get_mut(&self.model) {
                *count -= 1;
                if *count == 0 {
                    state.under_way.remove(&self.model);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer::new(Terms::default())
    }

    fn found(name: &str, slots: u32, busy: u32) -> Found {
        Found { name: name.into(), loaded: true, context: 4096, slots, busy }
    }

    fn busy(offer: &Offer) -> Vec<u32> {
        offer.report().borrow().models.iter().map(|model| model.busy).collect()
    }

    #[test]
    fn a_report_is_another_one_only_when_something_changes() {
        let offer = offer();
        let reports = offer.report();
        let set = |found: Vec<Found>| offer.set_found(0, found, &offer.before(0));
        let generation = || reports.borrow().generation;
        set(vec![found("a", 2, 0)]);
        let first = generation();
        set(vec![found("a", 2, 0)]);
        assert_eq!(generation(), first);
        offer.pause(Some("away for the day".into()));
        assert_eq!((generation(), reports.borrow().paused.as_deref()), (first + 1, Some("away for the day")));
        assert_eq!(offer.claim("a").err(), Some(NotOffered::Paused("away for the day".into())));
        offer.pause(None);
        assert_eq!(offer.claim("b").err(), Some(NotOffered::Absent));
        drop(offer.claim("a").unwrap());
        assert_eq!(generation(), first + 4);
        set(Vec::new());
        assert_eq!(offer.claim("a").err(), Some(NotOffered::Absent));
    }

    #[test]
    fn what_the_owner_keeps_is_not_offered() {
        let offer = Offer::new(Terms { models: ["a".into()].into(), ..Terms::default() });
        offer.set_found(0, vec![found("a", 1, 0), found("b", 1, 0)], &offer.before(0));
        assert_eq!(offer.report().borrow().models.len(), 1);
        assert_eq!(offer.claim("b").err(), Some(NotOffered::Absent));
    }

    #[test]
    fn what_it_works_at_is_counted_once() {
        let offer = offer();
        offer.set_found(0, vec![found("a", 4, 1)], &offer.before(0));
        let before = offer.before(0);
        let claim = offer.claim("a").unwrap();
        assert_eq!(busy(&offer), [2], "the owner's own and ours");
        // The engine has seen ours already, though it was asked before.
        offer.set_found(0, vec![found("a", 4, 2)], &before);
        assert_eq!(busy(&offer), [2]);
        let before = offer.before(0);
        drop(claim);
        assert_eq!(busy(&offer), [1]);
        // It said so before ours ended.
        offer.set_found(0, vec![found("a", 4, 2)], &before);
        assert_eq!(busy(&offer), [1]);
    }

    #[test]
    fn of_two_upstreams_the_one_with_less_to_do_is_asked() {
        let offer = offer();
        offer.set_found(0, vec![found("a", 1, 0)], &offer.before(0));
        offer.set_found(1, vec![Found { context: 2048, ..found("a", 2, 0) }], &offer.before(1));
        let report = offer.report().borrow().clone();
        assert_eq!((report.models.len(), report.models[0].slots, report.models[0].context), (1, 3, 2048));
        let claims = [(); 4].map(|()| offer.claim("a").unwrap());
        assert_eq!(claims.each_ref().map(Claim::upstream), [1, 0, 1, 0]);
        assert_eq!(offer.slots(), 3);
    }
}
