//! Which machines take part: their owners ask for it, somebody who may approves, and a machine is known by its key.

pub(crate) mod http;
mod pulls;

use domain::mesh::enrolment::{Decision, Enrolment};
use domain::user::User;
use ids::{EnrolmentId, EnrolmentState, MeshNodeId, MeshNodeKind, UserId};
use link::PublicKey;
use store::{Store, StoreError};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::identity::{Identity, digest, random_secret};

/// Machines that one person may have waiting for approval.
const PENDING_MAX: usize = 50;
const DEVICE_MAX: usize = 128;

/// Owned by the portal.
#[derive(Clone)]
pub(crate) struct Enrolments {
    store: Store,
    identity: Identity,
}

/// What a machine shows when it registers or links.
pub(crate) struct Shown<'a> {
    pub(crate) node_id: &'a str,
    pub(crate) kind: MeshNodeKind,
    pub(crate) token: Option<&'a str>,
    /// Of which it has proven to have the private half.
    pub(crate) public_key: &'a PublicKey,
}

/// Why a machine does not take part. The words are those that machines and their owners know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dormant {
    NotEnrolled,
    KindMismatch,
    TokenRequired,
    TokenInvalid,
    KeyMismatch,
    Pending,
    Suspended,
    Rejected,
}

impl Dormant {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotEnrolled => "node_not_enrolled",
            Self::KindMismatch => "node_kind_mismatch",
            Self::TokenRequired => "registration_token_required",
            Self::TokenInvalid => "registration_token_invalid",
            Self::KeyMismatch => "key_mismatch",
            Self::Pending => "node_pending_coordinator_approval",
            Self::Suspended => "node_suspended",
            Self::Rejected => "node_rejected",
        }
    }
}

// === impl Enrolments ===

impl Enrolments {
    pub(crate) fn new(store: Store, identity: Identity) -> Self {
        Self { store, identity }
    }

    /// Takes note of the wish, and gives the token with which the machine registers.
    pub(crate) async fn create(&self, owner: &User, create: &api::EnrolmentCreate) -> Result<(Enrolment, String)> {
        let node_id = node_id(&create.node_id)?;
        let device_id = create.device_id.as_deref().map(device).transpose()?;
        let token = random_secret();
        let enrolment = Enrolment {
            id: EnrolmentId::new(),
            node_id,
            kind: create.kind.unwrap_or(MeshNodeKind::Agent),
            state: EnrolmentState::Pending,
            owner_id: owner.id.clone(),
            device_id,
            token_hash: Some(digest(&token)),
            public_key: None,
            created_at: now_ms(),
            decided_at: None,
            decided_by: None,
            last_seen_at: None,
        };
        let mut tx = self.store.write().await?;
        let theirs = tx.enrolments(Some(&owner.id)).await?;
        if theirs.iter().filter(|it| it.state == EnrolmentState::Pending).count() >= PENDING_MAX {
            let message =
                format!("{PENDING_MAX} machines of yours wait for approval; withdraw those that you do not need");
            return Err(Error::conflict("TOO_MANY_PENDING", message));
        }
        match tx.enrolment_insert(&enrolment).await {
            // Whose it is, is nobody's business.
            Err(StoreError::Taken(_)) => {
                let message = "a machine of this name takes part already; choose another name";
                return Err(Error::conflict("NODE_ID_TAKEN", message).at("node_id"));
            }
            result => result?,
        }
        let detail = format!("{} {}", enrolment.kind, enrolment.node_id);
        tx.audit(&owner.username, "enrolment.created", enrolment.id.as_str(), &detail, now_ms()).await?;
        tx.commit().await?;
        Ok((enrolment, token))
    }

    /// Everybody's for who may decide, their own for others.
    pub(crate) async fn list(&self, user: &User) -> Result<Vec<Enrolment>> {
        let owner = (!may_decide(user)).then_some(&user.id);
        Ok(self.store.read().await?.enrolments(owner).await?)
    }

    /// Those of one person.
    pub(crate) async fn of(&self, owner: &UserId) -> Result<Vec<Enrolment>> {
        Ok(self.store.read().await?.enrolments(Some(owner)).await?)
    }

    pub(crate) async fn of_nodes(&self, nodes: &[MeshNodeId]) -> Result<Vec<Enrolment>> {
        Ok(self.store.read().await?.enrolments_of_nodes(nodes).await?)
    }

    pub(crate) async fn find(&self, node: &MeshNodeId) -> Result<Option<Enrolment>> {
        Ok(self.store.read().await?.enrolment_of_node(node).await?)
    }

    /// The names of owners.
    pub(crate) async fn names(&self) -> Result<Vec<User>> {
        self.identity.user_list().await
    }

    /// One's own, or anybody's for who may decide.
    async fn reached(&self, user: &User, id: &EnrolmentId) -> Result<Enrolment> {
        let found = self.store.read().await?.enrolment(id).await?;
        let reached = found.filter(|it| it.owner_id == user.id || may_decide(user));
        reached.ok_or_else(|| Error::not_found("machine"))
    }

    /// Approves, rejects or suspends, in the name of `by`.
    pub(crate) async fn decide(&self, id: &EnrolmentId, decision: Decision, by: &str) -> Result<Enrolment> {
        let mut tx = self.store.write().await?;
        let mut enrolment = tx.enrolment(id).await?.ok_or_else(|| Error::not_found("machine"))?;
        let from = enrolment.state;
        let to = decision.apply(from).ok_or_else(|| {
            Error::conflict("NOT_ACTIVE", format!("a machine that is {from} takes no part yet; reject it instead"))
        })?;
        let now = now_ms();
        if from != to {
            tx.enrolment_decide(id, (from, to), by, now).await?;
            let detail = format!("{} {}: {from} to {to}", enrolment.kind, enrolment.node_id);
            tx.audit(by, "enrolment.decided", id.as_str(), &detail, now).await?;
            tx.commit().await?;
            (enrolment.state, enrolment.decided_at, enrolment.decided_by) = (to, Some(now), Some(by.to_owned()));
        }
        Ok(enrolment)
    }

    /// What a machine is called.
    pub(crate) async fn node_of(&self, by: &User, id: &EnrolmentId) -> Result<MeshNodeId> {
        Ok(self.reached(by, id).await?.node_id)
    }

    /// Takes down which model somebody has ordered.
    pub(crate) async fn ordered(&self, by: &User, id: &EnrolmentId, detail: &str) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.audit(&by.username, "model.ordered", id.as_str(), detail, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Lets another key take the place of the machine's own; it waits for approval anew.
    pub(crate) async fn rekey(&self, user: &User, id: &EnrolmentId) -> Result<(Enrolment, String)> {
        self.reached(user, id).await?;
        let token = random_secret();
        let mut tx = self.store.write().await?;
        if !tx.enrolment_rekey(id, &digest(&token)).await? {
            return Err(refused(tx.enrolment(id).await?.is_some()));
        }
        tx.audit(&user.username, "enrolment.rekeyed", id.as_str(), "", now_ms()).await?;
        let enrolment = tx.enrolment(id).await?.ok_or_else(|| Error::not_found("machine"))?;
        tx.commit().await?;
        Ok((enrolment, token))
    }

    /// The machine takes part no longer. What it has earned stays.
    pub(crate) async fn withdraw(&self, user: &User, id: &EnrolmentId) -> Result<()> {
        let enrolment = self.reached(user, id).await?;
        let mut tx = self.store.write().await?;
        if !tx.enrolment_delete(id).await? {
            return Err(refused(tx.enrolment(id).await?.is_some()));
        }
        let detail = format!("{} {}", enrolment.kind, enrolment.node_id);
        tx.audit(&user.username, "enrolment.withdrawn", id.as_str(), &detail, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Whether a machine may take part at this moment. One that shows its token for the first time is known by its key from then on.
    pub(crate) async fn validate(&self, shown: &Shown<'_>) -> Result<std::result::Result<Enrolment, Dormant>> {
        let Ok(node) = shown.node_id.parse::<MeshNodeId>() else { return Ok(Err(Dormant::NotEnrolled)) };
        let Some(mut enrolment) = self.find(&node).await? else { return Ok(Err(Dormant::NotEnrolled)) };
        if enrolment.kind != shown.kind {
            return Ok(Err(Dormant::KindMismatch));
        }
        let key = shown.public_key.to_string();
        let token_hash = shown.token.map(digest);
        let is_token = token_hash.as_ref().is_some_and(|hash| {
            enrolment.token_hash.as_ref().is_some_and(|own| bool::from(own.as_bytes().ct_eq(hash.as_bytes())))
        });
        let is_its_key = enrolment.public_key.as_deref() == Some(&key);
        let refused = match (&enrolment.public_key, &token_hash) {
            (_, Some(_)) if !is_token => Some(Dormant::TokenInvalid),
            (Some(_), _) if is_its_key => None,
            (_, None) => Some(Dormant::TokenRequired),
            (Some(_), _) => Some(Dormant::KeyMismatch),
            (None, Some(hash)) => match self.bind(&node, hash, &key).await? {
                true => {
                    enrolment.public_key = Some(key);
                    None
                }
                false => Some(Dormant::KeyMismatch),
            },
        };
        let state = match enrolment.state {
            EnrolmentState::Active => None,
            EnrolmentState::Pending => Some(Dormant::Pending),
            EnrolmentState::Suspended => Some(Dormant::Suspended),
            EnrolmentState::Rejected => Some(Dormant::Rejected),
        };
        Ok(refused.or(state).map_or(Ok(enrolment), Err))
    }

    /// False where another machine has that key, or another was faster.
    async fn bind(&self, node: &MeshNodeId, token_hash: &str, key: &str) -> Result<bool> {
        let mut tx = self.store.write().await?;
        let bound = match tx.enrolment_bind(node, token_hash, key).await {
            Err(StoreError::Taken(_)) => return Ok(false),
            bound => bound?,
        };
        tx.commit().await?;
        Ok(bound)
    }

    /// Takes down that they were there.
    pub(crate) async fn seen(&self, nodes: &[MeshNodeId]) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.enrolments_seen(nodes, now_ms()).await?;
        Ok(tx.commit().await?)
    }
}

/// Who approves, rejects and suspends.
pub(crate) fn may_decide(user: &User) -> bool {
    user.is_admin()
}

/// Why nothing changed: somebody else was faster to withdraw it, or it is suspended.
fn refused(is_there: bool) -> Error {
    if !is_there {
        return Error::not_found("machine");
    }
    let message = "this machine is suspended; who runs the mesh has to lift that first";
    Error::conflict("SUSPENDED", message)
}

fn node_id(text: &str) -> Result<MeshNodeId> {
    let invalid = |message: String| Error::invalid("node_id", "INVALID_NODE_ID", message);
    let node: MeshNodeId = text.parse().map_err(|error: ids::Invalid| invalid(error.to_string()))?;
    if node.is_of_coordinator() {
        return Err(invalid("names that begin with `coordinator.` are the coordinator's own; choose another".into()));
    }
    Ok(node)
}

fn device(text: &str) -> Result<String> {
    let text = text.trim();
    if (3..=DEVICE_MAX).contains(&text.chars().count()) && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    let message = format!("a device is named by 3 to {DEVICE_MAX} printable characters");
    Err(Error::invalid("device_id", "INVALID_DEVICE_ID", message))
}
