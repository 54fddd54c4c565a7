//! Machines that serve models, and are linked at this moment; and where the coordinator asks for models itself.

pub(crate) mod hosted;
pub(super) mod inference;
mod link;
mod measured;
mod way;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::link::tls::Acceptor;
use ::link::{KeyPair, PublicKey};
use domain::mesh::meter::Dialect;
use domain::mesh::prefix::{Prefix, Prefixes};
use domain::mesh::price::Price;
use domain::mesh::schedule::Candidate;
use ids::{MeshNodeId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use wire::{Failure, MeshModel, MeshPull, MeshPullOrder, MeshReport};

use measured::Measured;
pub(crate) use way::{AnswerBody, Way};

use super::coordinator::LinkedAgent;
use super::portal::{KnownNode, Portal};
use crate::error::{Error, Result};
use hosted::Hosted;

/// Why an order reaches no machine.
pub(crate) const OFFLINE: &str = "offline";
pub(crate) const NO_ANSWER: &str = "no_answer";
/// How often the portal is asked whether those that are linked may still take part.
const CHECK: Duration = Duration::from_secs(1);
/// How often it is taken down that they are there.
const SEEN: Duration = Duration::from_secs(60);
/// Completions that a machine has of a model at most: one more would wait for ever.
const WAITING_PER_SLOT: u32 = 16;
const WAITING_MAX: u32 = 512;
/// Machines that prove who they are at the same time.
const HANDSHAKES: usize = 1024;

#[derive(Clone)]
pub(crate) struct MeshAgents {
    inner: Arc<Inner>,
}

struct Inner {
    acceptor: Acceptor,
    handshakes: Semaphore,
    portal: Portal,
    /// Microcredits: what is dearer for a token is not offered.
    max_price: u32,
    linked: Mutex<BTreeMap<MeshNodeId, Linked>>,
    /// What was measured of a machine and a model outlives its link.
    measured: Mutex<HashMap<(MeshNodeId, String), Measured>>,
    prefixes: Mutex<Prefixes>,
    check: Notify,
    closing: CancellationToken,
}

struct Linked {
    /// Absent where the coordinator asks for models itself.
    holder: Option<Holder>,
    way: Way,
    report: MeshReport,
    /// Completions of ours that it works at, by model: reports come later.
    under_way: HashMap<String, Arc<AtomicU32>>,
    ends: CancellationToken,
}

/// Whose machine it is, and what it is known by.
struct Holder {
    owner: UserId,
    key: PublicKey,
}

/// A machine as people see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownAgent {
    pub(crate) paused: Option<String>,
    pub(crate) models: Vec<api::MeshModel>,
    pub(crate) allows_pulls: bool,
    pub(crate) pulls: Vec<MeshPull>,
}

/// A model, over all machines that have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served {
    /// Whether it is asked within the mesh somewhere, and not of a hosted provider.
    pub(crate) in_the_mesh: bool,
    /// One of those that have it.
    pub(crate) by: Option<MeshNodeId>,
    /// The most tokens that fit into a request for it.
    pub(crate) context: u32,
    /// Whether it is in memory somewhere.
    pub(crate) loaded: bool,
}

/// A machine that has a model, and how to ask it.
#[derive(Clone)]
pub(crate) struct Reachable {
    pub(crate) candidate: Candidate,
    /// Nobody where the coordinator asks for models itself.
    pub(crate) owner: Option<UserId>,
    pub(crate) price: Price,
    pub(crate) way: Way,
}

/// One completion is counted at a machine while this is held.
pub(crate) struct Place(Option<Arc<AtomicU32>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(under_way) = &self.0 {
            under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl AsRef<Candidate> for Reachable {
    fn as_ref(&self) -> &Candidate {
        &self.candidate
    }
}

// === impl Served ===

impl Served {
    /// `mesh`, or what the hosted provider is called that is asked.
    pub(crate) fn owned_by(&self) -> String {
        let hosted = self.by.as_ref().filter(|_| !self.in_the_mesh).map(MeshNodeId::as_str);
        hosted.and_then(|node| node.split_once('.')).map_or_else(|| "mesh".to_owned(), |(_, name)| name.to_owned())
    }
}

// === impl Linked ===

impl Linked {
    /// Requests that it works at, or that wait for it.
    fn busy(&self, model: &MeshModel) -> u32 {
        let ours = self.under_way.get(&model.name).map(|count| count.load(Ordering::Relaxed));
        model.busy.max(ours.unwrap_or_default())
    }

    fn shown(&self, node: &MeshNodeId, measured: &HashMap<(MeshNodeId, String), Measured>) -> LinkedAgent {
        let models = self.report.models.iter().map(|model| api::MeshModel {
            name: model.name.clone(),
            tokens_per_second: measured.get(&(node.clone(), model.name.clone())).and_then(Measured::write_speed),
            busy: self.busy(model),
            loaded: model.loaded,
            context: model.context,
            slots: model.slots,
            input_price: model.price.input,
            output_price: model.price.output,
        });
        let MeshReport { paused, allows_pulls, pulls, version, os, .. } = self.report.clone();
        let shown = ShownAgent { paused, models: models.collect(), allows_pulls, pulls };
        LinkedAgent { node_id: node.clone(), version, os, shown }
    }
}

// === impl MeshAgents ===

impl MeshAgents {
    pub(super) fn new(key: &KeyPair, portal: Portal, max_price: u32, closing: CancellationToken) -> Result<Self> {
        let inner = Inner {
            acceptor: Acceptor::new(key).map_err(Error::internal)?,
            handshakes: Semaphore::new(HANDSHAKES),
            portal,
            max_price,
            linked: Mutex::default(),
            measured: Mutex::default(),
            prefixes: Mutex::default(),
            check: Notify::new(),
            closing,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn linked(&self) -> MutexGuard<'_, BTreeMap<MeshNodeId, Linked>> {
        self.inner.linked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is measured of models that a machine has no longer is forgotten.
    fn forget_others(&self, node: &MeshNodeId, models: &[MeshModel]) {
        let has = |name: &str| models.iter().any(|model| model.name == name);
        self.measured().retain(|(of, name), _| of != node || has(name));
    }

    fn measured(&self) -> MutexGuard<'_, HashMap<(MeshNodeId, String), Measured>> {
        self.inner.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prefixes(&self) -> MutexGuard<'_, Prefixes> {
        self.inner.prefixes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machines of the mesh that are linked at this moment.
    pub(crate) fn ids(&self) -> Vec<MeshNodeId> {
        let linked = self.linked();
        linked.iter().filter(|(_, linked)| linked.holder.is_some()).map(|(node, _)| node.clone()).collect()
    }

    /// Offers models of hosted providers, and no others than these.
    pub(crate) fn set_hosted(&self, providers: Vec<(MeshNodeId, Hosted, Vec<MeshModel>)>) {
        let mut all = self.linked();
        all.retain(|node, linked| !linked.way.is_hosted() || providers.iter().any(|(of, ..)| of == node));
        for (node, hosted, models) in providers {
            let (way, ends) = (Way::Hosted(hosted), self.inner.closing.child_token());
            let before = all.remove(&node);
            let under_way = before.map(|before| before.under_way).unwrap_or_default();
            let report = MeshReport { models, ..MeshReport::default() };
            all.insert(node, Linked { holder: None, way, report, under_way, ends });
        }
    }

    /// The same, as people see them.
    pub(crate) fn all(&self) -> Vec<LinkedAgent> {
        let (all, measured) = (self.linked(), self.measured());
        let linked = all.iter().filter(|(_, linked)| linked.holder.is_some());
        linked.map(|(node, linked)| linked.shown(node, &measured)).collect()
    }

    pub(crate) fn one(&self, node: &MeshNodeId) -> Option<LinkedAgent> {
        let (all, measured) = (self.linked(), self.measured());
        Some(all.get(node).filter(|linked| linked.holder.is_some())?.shown(node, &measured))
    }

    /// How to ask a machine, where it is linked.
    pub(crate) fn way(&self, node: &MeshNodeId) -> Option<Way> {
        self.linked().get(node).map(|linked| linked.way.clone())
    }

    /// Every model that somebody serves, by its name.
    pub(crate) fn models(&self) -> BTreeMap<String, Served> {
        let mut models = BTreeMap::<String, Served>::new();
        for (node, linked) in self.linked().iter().filter(|(_, linked)| linked.report.paused.is_none()) {
            for model in &linked.report.models {
                let served = models.entry(model.name.clone()).or_default();
                served.by.get_or_insert_with(|| node.clone());
                if !linked.way.is_hosted() {
                    served.in_the_mesh = true;
                }
                served.context = served.context.max(model.context);
                served.loaded |= model.loaded;
            }
        }
        models
    }

    /// All that have a model, and are asked in this dialect: machines, and hosted providers.
    pub(crate) fn with_model(
        &self,
        name: &str,
        dialect: Dialect,
        prefix: &Prefix,
        prompt_tokens: u64,
    ) -> Vec<Reachable> {
        let linked = self.linked();
        let (measured, prefixes) = (self.measured(), self.prefixes());
        let readers = prefixes.readers(prefix);
        let found = linked.iter().filter(|(_, it)| it.way.speaks(dialect)).filter_map(|(node, linked)| {
            let model = linked.report.models.iter().find(|model| model.name == name)?;
            let known = measured.get(&(node.clone(), name.to_owned()));
            let mut candidate = candidate(node, linked, model, known);
            candidate.remembers(readers.share(node) * known.map_or(1.0, Measured::recall), prompt_tokens);
            Some(Reachable {
                candidate,
                owner: linked.holder.as_ref().map(|holder| holder.owner.clone()),
                price: Price { input: model.price.input.into(), output: model.price.output.into() },
                way: linked.way.clone(),
            })
        });
        found.collect()
    }

    /// Counts a completion at a machine, so that those that come at the same moment spread.
    pub(crate) fn take_place(&self, node: &MeshNodeId, model: &str) -> Place {
        let mut all = self.linked();
        let under_way = all.get_mut(node).map(|linked| {
            // Who holds none has none.
            linked.under_way.retain(|_, count| Arc::strong_count(count) > 1);
            linked.under_way.entry(model.to_owned()).or_default().clone()
        });
        if let Some(under_way) = &under_way {
            under_way.fetch_add(1, Ordering::Relaxed);
        }
        Place(under_way)
    }

    /// A completion went well; how fast that was, and how much of the prompt was remembered.
    pub(crate) fn succeeded(&self, node: &MeshNodeId, model: &str, timing: measured::Timing, prefix: &Prefix) {
        let mut prefixes = self.prefixes();
        let expected = prefixes.readers(prefix).share(node);
        prefixes.learn(prefix, node);
        drop(prefixes);
        self.measured().entry((node.clone(), model.to_owned())).or_default().succeeded(timing, expected);
    }

    /// It did not, and for a while others are asked.
    pub(crate) fn failed(&self, node: &MeshNodeId, model: &str) {
        self.measured().entry((node.clone(), model.to_owned())).or_default().failed(Instant::now());
    }

    /// Tells a machine to fetch a model, or says why not. What it has taken is known before its next report tells of it.
    pub(crate) async fn pull(
        &self,
        node: &MeshNodeId,
        order: &MeshPullOrder,
    ) -> std::result::Result<MeshPull, Failure> {
        let failure = |code: &str| Failure { code: code.into(), reason: String::new(), last_lines: Vec::new() };
        let way = self.way(node).ok_or_else(|| failure(OFFLINE))?;
        let pull = way.pull(order).await.map_err(|error| {
            tracing::warn!(%error, node.id = %node, "a machine does not take an order");
            failure(NO_ANSWER)
        })??;
        if let Some(linked) = self.linked().get_mut(node) {
            linked.report.pulls.retain(|known| known.model != pull.model);
            linked.report.pulls.push(pull.clone());
        }
        Ok(pull)
    }

    /// Those that are linked are checked at once.
    pub(crate) fn check_soon(&self) {
        self.inner.check.notify_one();
    }

    /// Ends the links of those that may take part no longer.
    pub(super) async fn check_forever(&self) {
        let mut seen = None::<Instant>;
        loop {
            let nodes = self.ids();
            if !nodes.is_empty() {
                let is_to_be_seen = seen.is_none_or(|seen| seen.elapsed() >= SEEN);
                match self.inner.portal.lookup(&nodes, is_to_be_seen).await {
                    Ok(known) => {
                        seen = if is_to_be_seen { Some(Instant::now()) } else { seen };
                        self.end_others(nodes, &known);
                    }
                    Err(error) if self.inner.portal.is_silent() => {
                        tracing::error!(%error, "the portal does not answer for so long that no machine is trusted any more");
                        self.end_others(nodes, &[]);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "machines of the mesh cannot be checked; they go on for a while");
                    }
                }
            }
            let _ = tokio::time::timeout(CHECK, self.inner.check.notified()).await;
        }
    }

    fn end_others(&self, looked_at: Vec<MeshNodeId>, known: &[KnownNode]) {
        let active = known.iter().filter(|node| node.active);
        let keys = active.map(|node| (&node.node_id, node.public_key.as_ref())).collect::<HashMap<_, _>>();
        let all = self.linked();
        for node in looked_at {
            let Some(linked) = all.get(&node) else { continue };
            let key = linked.holder.as_ref().map(|holder| holder.key.to_string());
            if keys.get(&node).copied().flatten() != key.as_ref() {
                tracing::info!(node.id = %node, "a machine may take part in the mesh no longer");
                linked.ends.cancel();
            }
        }
    }
}

fn candidate(node: &MeshNodeId, linked: &Linked, model: &MeshModel, known: Option<&Measured>) -> Candidate {
    let busy = linked.busy(model);
    Candidate {
        node_id: node.clone(),
        loaded: model.loaded,
        context: model.context.into(),
        slots: model.slots,
        busy,
        read_speed: known.and_then(Measured::read_speed),
        write_speed: known.and_then(Measured::write_speed),
        cached_tokens: 0,
        paused: linked.report.paused.is_some(),
        full: busy >= model.slots.saturating_mul(WAITING_PER_SLOT).min(WAITING_MAX),
        ejected: known.is_some_and(|known| known.is_ejected(Instant::now())),
        tried: false,
    }
}

pub(crate) use measured::Timing;
