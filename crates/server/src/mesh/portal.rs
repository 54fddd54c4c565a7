//! How coordinator and control plane ask the portal: over its internal HTTP API, also where it is the same process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::mesh::enrolment::Enrolment;
use ids::{EnrolmentState, MeshNodeId, MeshNodeKind, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::MeshConfig;
use super::people::{Authenticate, Authenticated, PeopleList, Person, Vouched};
use crate::error::{Error, Result};

/// What coordinator and control plane show.
pub(super) const SERVICE_TOKEN: &str = "x-portal-service-token";
const TIMEOUT: Duration = Duration::from_secs(5);
/// Who was allowed to take part before the portal ceased to answer may do so for this time.
pub(super) const GRACE: Duration = Duration::from_secs(300);

#[derive(Clone)]
pub(crate) struct Portal {
    client: reqwest::Client,
    url: String,
    token: String,
    /// Those that were allowed to take part when the portal was asked last.
    allowed: Arc<Mutex<HashMap<MeshNodeId, (KnownNode, Instant)>>>,
    /// When it answered last.
    answered: Arc<Mutex<Instant>>,
}

/// `POST /internal/nodes/validate`: may this machine take part?
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validate {
    pub(super) node_id: String,
    pub(super) node_kind: MeshNodeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registration_token: Option<String>,
    /// Of which it has proven to have the private half.
    pub(super) public_key: link::PublicKey,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Validated {
    pub(super) allowed: bool,
    /// `ok`, or why not.
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<KnownNode>,
}

/// A machine as the portal knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnownNode {
    pub(super) node_id: MeshNodeId,
    pub(super) node_kind: MeshNodeKind,
    pub(super) owner_user_id: UserId,
    pub(super) active: bool,
    pub(super) state: EnrolmentState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device_id: Option<String>,
}

impl From<Enrolment> for KnownNode {
    fn from(it: Enrolment) -> Self {
        Self {
            node_id: it.node_id,
            node_kind: it.kind,
            owner_user_id: it.owner_id,
            active: it.state == EnrolmentState::Active,
            state: it.state,
            public_key: it.public_key,
            device_id: it.device_id,
        }
    }
}

/// `POST /internal/nodes/lookup`: how these machines stand. Those that it does not know are left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lookup {
    pub(super) node_ids: Vec<MeshNodeId>,
    /// That they are linked at this moment, which the portal takes down.
    #[serde(default)]
    pub(super) seen: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LookedUp {
    pub(super) nodes: Vec<KnownNode>,
}

/// `POST /internal/nodes/{id}/approval`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approval {
    pub(super) approved: bool,
    pub(super) node_kind: MeshNodeKind,
}

/// What it says to an approval.
pub(super) enum Approved {
    Node(KnownNode),
    NotFound,
    KindMismatch,
}

impl Portal {
    pub(super) fn new(config: &MeshConfig) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            client: client.no_proxy().build().map_err(Error::internal)?,
            url: config.portal_url.trim_end_matches('/').to_owned(),
            token: config.portal_service_token.clone(),
            allowed: Arc::default(),
            answered: Arc::new(Mutex::new(Instant::now())),
        })
    }

    /// May a machine take part? While the portal does not answer, what it said last counts for [`GRACE`].
    pub(super) async fn validate(&self, asked: &Validate) -> Result<Validated> {
        let answered = self.post::<Validated>("/internal/nodes/validate", asked).await;
        match answered.and_then(|validated| validated.ok_or_else(unreadable)) {
            Ok(validated) => {
                if let Some(node) = &validated.node {
                    self.allowed().insert(node.node_id.clone(), (node.clone(), Instant::now()));
                } else if let Ok(node) = asked.node_id.parse() {
                    self.forget_key(&node, &asked.public_key);
                }
                Ok(validated)
            }
            Err(error) => {
                let node = self.still_allowed(asked).ok_or(error)?;
                tracing::warn!(node.id = %node.node_id, "the portal does not answer; a machine that it knew may go on for a while");
                Ok(Validated { allowed: true, reason: "ok".into(), node: Some(node) })
            }
        }
    }

    /// How machines that are linked stand; `seen` takes down that they are.
    pub(super) async fn lookup(&self, node_ids: &[MeshNodeId], seen: bool) -> Result<Vec<KnownNode>> {
        let asked = Lookup { node_ids: node_ids.to_vec(), seen };
        let found: LookedUp = self.post("/internal/nodes/lookup", &asked).await?.ok_or_else(unreadable)?;
        let mut allowed = self.allowed();
        for node in node_ids {
            allowed.remove(node);
        }
        let active = found.nodes.iter().filter(|node| node.active);
        allowed.extend(active.map(|node| (node.node_id.clone(), (node.clone(), Instant::now()))));
        drop(allowed);
        Ok(found.nodes)
    }

    fn allowed(&self) -> MutexGuard<'_, HashMap<MeshNodeId, (KnownNode, Instant)>> {
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        allowed.retain(|_, (_, at)| at.elapsed() < GRACE);
        allowed
    }

    fn still_allowed(&self, asked: &Validate) -> Option<KnownNode> {
        let node = asked.node_id.parse::<MeshNodeId>().ok()?;
        let (known, _) = self.allowed().get(&node)?.clone();
        let is_same = known.node_kind == asked.node_kind && known.public_key == Some(asked.public_key.to_string());
        is_same.then_some(known)
    }

    /// It is said of this key only: somebody else's says nothing of the machine.
    fn forget_key(&self, node: &MeshNodeId, key: &link::PublicKey) {
        let mut allowed = self.allowed();
        if allowed.get(node).is_some_and(|(known, _)| known.public_key == Some(key.to_string())) {
            allowed.remove(node);
        }
    }

    pub(super) async fn approve(&self, node: &MeshNodeId, asked: &Approval) -> Result<Approved> {
        let response = self.send(&format!("/internal/nodes/{node}/approval"), asked).await?;
        match response.status() {
            reqwest::StatusCode::NOT_FOUND => Ok(Approved::NotFound),
            reqwest::StatusCode::CONFLICT => Ok(Approved::KindMismatch),
            status if status.is_success() => response.json().await.map(Approved::Node).map_err(Error::internal),
            _ => Err(unreadable()),
        }
    }

    /// Whose API token that is, if it stands.
    pub(super) async fn authenticate(&self, token_hash: &str) -> Result<Option<Vouched>> {
        let asked = Authenticate { token_hash: token_hash.to_owned() };
        let answered: Authenticated =
            self.post("/internal/people/authenticate", &asked).await?.ok_or_else(unreadable)?;
        Ok(answered.caller)
    }

    /// Everybody who has an account.
    pub(super) async fn people(&self) -> Result<Vec<Person>> {
        let listed: PeopleList = self.post("/internal/people", &()).await?.ok_or_else(unreadable)?;
        Ok(listed.people)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<Option<T>> {
        let response = self.send(path, body).await?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let answer = response.json().await.map_err(Error::internal)?;
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(Some(answer))
    }

    /// Whether it has not answered for so long that what it said last counts no more.
    pub(super) fn is_silent(&self) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > GRACE
    }

    async fn send(&self, path: &str, body: &impl Serialize) -> Result<reqwest::Response> {
        let request = self.client.post(format!("{}{path}", self.url)).header(SERVICE_TOKEN, &self.token).json(body);
        request.send().await.map_err(|error| unreachable().because(error))
    }
}

pub(super) fn unreachable() -> Error {
    Error::unavailable("PORTAL_UNREACHABLE", "the portal of the mesh does not answer; try again in a moment")
}

fn unreadable() -> Error {
    Error::unavailable("PORTAL_UNREACHABLE", "the portal of the mesh refuses to answer; look at PORTAL_SERVICE_TOKEN")
}
