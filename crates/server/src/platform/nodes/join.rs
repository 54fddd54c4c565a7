//! How a machine becomes a node: somebody makes a token, the machine proves that it has it and which key is its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use checkpoint::Checkpoint;
use domain::node::{JoinToken, Labels, Node, Worth};
use domain::user::User;
use ids::{JoinTokenId, Label, NodeAccess, NodeId, NodeName, NodeState};
use link::{JoinToken as TokenText, PublicKey, proof};
use rand::RngCore;
use store::{StoreError, Tx};
use url::Url;
use wire::{LINK_PROTOCOL, LINK_PROTOCOL_OLDEST};

use super::{Known, Nodes};
use crate::error::{Error, Result};
use crate::now_ms;

/// Seconds that a token is good for, unless somebody wants it otherwise.
pub(super) const LIFETIME: i64 = 600;
const LIFETIMES: std::ops::RangeInclusive<i64> = 60..=24 * 3600;
const LABELS_MAX: usize = 32;
/// Names that are tried when that of a machine is taken: `worker`, `worker-2`, …
const NAMES: usize = 100;

impl Nodes {
    /// Invites a machine, which will look for this server at `url`.
    pub(super) async fn token_create(
        &self,
        user: &User,
        url: Url,
        create: &api::JoinTokenCreate,
    ) -> Result<(JoinToken, TokenText)> {
        let lifetime = create.expires_in_seconds.unwrap_or(LIFETIME);
        if !LIFETIMES.contains(&lifetime) {
            let message = "a token lives from 60 seconds to a day (86400)";
            return Err(Error::invalid("expires_in_seconds", "INVALID_LIFETIME", message));
        }
        let name = create.name.as_deref().filter(|name| !name.trim().is_empty()).map(node_name).transpose()?;
        let now = now_ms();
        let token = JoinToken {
            id: JoinTokenId::new(),
            name: name.map(|name| name.as_str().to_owned()),
            labels: labels(&create.labels)?,
            created_by: user.id.clone(),
            created_at: now,
            expires_at: now + lifetime * 1000,
            revoked_at: None,
            used: None,
        };
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        let text =
            TokenText { id: token.id.to_string(), secret, cluster: self.inner.cluster.public(), url: url.clone() };
        let sealed = self.inner.vault.seal(&place(&token.id), &STANDARD.encode(secret)).map_err(Error::internal)?;
        let mut tx = self.inner.store.write().await?;
        tx.join_token_insert(&token, &sealed).await?;
        let detail = format!("for {}, good for {lifetime} s", token.name.as_deref().unwrap_or("any machine"));
        tx.audit(&user.username, "join_token.created", token.id.as_str(), &detail, now).await?;
        tx.commit().await?;
        Ok((token, text))
    }

    /// Those that this user made, or all for an administrator, the newest first.
    pub(super) async fn token_list(&self, user: &User) -> Result<Vec<JoinToken>> {
        let mut tokens = self.inner.store.read().await?.join_token_list().await?;
        tokens.retain(|token| is_theirs(token, user));
        Ok(tokens)
    }

    /// Makes a token worthless. What it has brought in stays.
    pub(super) async fn token_revoke(&self, user: &User, id: &JoinTokenId) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        let found = tx.join_token(id).await?.filter(|(token, _)| is_theirs(token, user));
        let (token, _) = found.ok_or_else(|| Error::not_found("join token"))?;
        if !tx.join_token_revoke(id, now_ms()).await? {
            let (what, instead) = match &token.used {
                Some(used) => ("was used already", format!("; remove node {} if it should not be here", used.node_id)),
                None => ("was revoked already", String::new()),
            };
            return Err(Error::conflict("TOKEN_SETTLED", format!("this token {what}{instead}")));
        }
        tx.audit(&user.username, "join_token.revoked", id.as_str(), "", now_ms()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Proves to a machine which cluster this is.
    pub(super) fn identify(&self, challenge: &api::ClusterChallenge) -> Result<api::ClusterIdentity> {
        check_nonce(&challenge.nonce)?;
        let identity = proof::Identity { nonce: &challenge.nonce, cluster: self.inner.cluster.public() };
        Ok(api::ClusterIdentity {
            public_key: identity.cluster.to_string(),
            signature: identity.sign(&self.inner.cluster),
            protocol_oldest: LINK_PROTOCOL_OLDEST,
            protocol_newest: LINK_PROTOCOL,
        })
    }

    /// Takes a machine in, or recognises the one that has used this token.
    pub(super) async fn join(&self, join: &api::ClusterJoin) -> Result<api::ClusterJoined> {
        check_nonce(&join.nonce)?;
        if !(LINK_PROTOCOL_OLDEST..=LINK_PROTOCOL).contains(&join.protocol) {
            let message = format!(
                "the machine speaks version {} of the link and this server {LINK_PROTOCOL_OLDEST} to {LINK_PROTOCOL}; \
                 install NanoScale {} on both",
                join.protocol,
                env!("CARGO_PKG_VERSION")
            );
            return Err(Error::conflict("PROTOCOL_UNSUPPORTED", message));
        }
        let name = node_name(&join.name)?;
        let key = join.public_key.parse::<PublicKey>();
        let key = key.map_err(|_| Error::invalid("public_key", "INVALID_KEY", "the key is not an Ed25519 key"))?;
        // Whoever cannot show the secret does not learn what became of the token.
        let unknown = || Error::refused("TOKEN_UNKNOWN", "this cluster has no such join token; make a new one");
        let id = join.token_id.parse::<JoinTokenId>().map_err(|_| unknown())?;
        let (token, sealed) = self.inner.store.read().await?.join_token(&id).await?.ok_or_else(unknown)?;
        let opened = self.inner.vault.open(&place(&id), &sealed).map_err(Error::internal)?;
        let secret = STANDARD.decode(opened).map_err(Error::internal)?;
        let said = proof::Join {
            cluster: self.inner.cluster.public(),
            nonce: &join.nonce,
            node: key,
            token_id: id.as_str(),
            name: &join.name,
            protocol: join.protocol,
        };
        if !said.is_proven(&secret, &join.proof) {
            return Err(unknown());
        }
        if !said.is_signed(&join.signature) {
            return Err(Error::refused("KEY_NOT_PROVEN", "the machine did not prove that the key is its own"));
        }
        let node = self.take_in(&token, key, &name).await?;
        let joined = proof::Joined { cluster: said.cluster, nonce: &join.nonce, node_id: node.id.as_str() };
        let signature = joined.sign(&self.inner.cluster);
        Ok(api::ClusterJoined { node_id: node.id, name: node.name, signature })
    }

    async fn take_in(&self, token: &JoinToken, key: PublicKey, name: &NodeName) -> Result<Node> {
        let now = now_ms();
        let key = key.to_string();
        let mut tx = self.inner.store.write().await?;
        // As it is now: others may have been faster.
        let (token, _) = tx.join_token(&token.id).await?.ok_or_else(|| Error::not_found("join token"))?;
        let known = tx.node_by_key(&key).await?.filter(|node| node.state != NodeState::Removed);
        match (token.worth(&key, now), known) {
            // With its own token, or a new one: it is who it was.
            (Worth::Again | Worth::Good, Some(node)) => return Ok(node),
            (Worth::Good, None) => {}
            (Worth::Again, None) => {
                let message = "the node that this token brought in was removed; make a new join token";
                return Err(Error::refused("NODE_REMOVED", message));
            }
            (Worth::Used, _) => {
                let message = "this join token was used by another machine; make one for each";
                return Err(Error::refused("TOKEN_USED", message));
            }
            (Worth::Revoked, _) => {
                return Err(Error::refused("TOKEN_REVOKED", "this join token was revoked; make a new one"));
            }
            (Worth::Expired, _) => {
                return Err(Error::refused("TOKEN_EXPIRED", "this join token has expired; make a new one"));
            }
        }
        let wanted = token.name.as_deref().unwrap_or(name.as_str());
        let node = Node {
            id: NodeId::new(),
            name: free_name(&mut tx, wanted).await?,
            embedded: false,
            state: NodeState::Joining,
            public_key: Some(key.clone()),
            labels: token.labels.clone(),
            owner: Some(token.created_by.clone()),
            access: NodeAccess::Everybody,
            granted_to: Vec::new(),
            created_at: now,
            last_seen_at: None,
        };
        match tx.node_insert(&node).await {
            Err(StoreError::Taken(_)) => {
                return Err(Error::conflict("CONFLICT", "the name or key was taken at this moment; try again"));
            }
            inserted => inserted?,
        }
        if !tx.join_token_use(&token.id, &key, &node.id, now).await? {
            return Err(Error::conflict("CONFLICT", "the token was used at this moment; try again"));
        }
        let actor = format!("node:{}", node.id);
        tx.audit(&actor, "node.joined", node.id.as_str(), &format!("as {} with token {}", node.name, token.id), now)
            .await?;
        tx.event_insert("node.updated", None, None, now).await?;
        checkpoint::reach(Checkpoint::NodeRecording).await;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::NodeRecorded).await;
        self.lock().insert(node.id.clone(), Known::new(node.clone(), &self.inner.closing));
        tracing::info!(node.id = %node.id, node.name = node.name, "a machine has joined");
        Ok(node)
    }
}

/// Somebody else's invitations are nobody's business but an administrator's.
fn is_theirs(token: &JoinToken, user: &User) -> bool {
    user.is_admin() || token.created_by == user.id
}

/// The name, or the first of `name-2`, `name-3`, … that is free.
async fn free_name(tx: &mut Tx, wanted: &str) -> Result<String> {
    if !tx.node_name_exists(wanted).await? {
        return Ok(wanted.to_owned());
    }
    // A name has at most 63 characters.
    let stem = &wanted[..wanted.floor_char_boundary(59)];
    for number in 2..NAMES {
        let name = format!("{stem}-{number}");
        if !tx.node_name_exists(&name).await? {
            return Ok(name);
        }
    }
    Err(Error::conflict("NAME_TAKEN", format!("too many servers are named `{wanted}`; give this one another name")))
}

pub(super) fn node_name(text: &str) -> Result<NodeName> {
    text.parse().map_err(|error: ids::Invalid| Error::invalid("name", "INVALID_NAME", error.to_string()))
}

pub(crate) fn labels(given: &Labels) -> Result<Labels> {
    if given.len() > LABELS_MAX {
        return Err(Error::invalid("labels", "INVALID_LABEL", format!("a server has at most {LABELS_MAX} labels")));
    }
    let checked = given.iter().map(|(key, value)| Label::new(key, value).map(|label| (label.key, label.value)));
    checked
        .collect::<std::result::Result<_, _>>()
        .map_err(|error: ids::Invalid| Error::invalid("labels", "INVALID_LABEL", error.to_string()))
}

fn check_nonce(nonce: &str) -> Result<()> {
    if proof::is_nonce(nonce) {
        Ok(())
    } else {
        Err(Error::invalid("nonce", "INVALID_NONCE", "a nonce is 32 random bytes in base64url"))
    }
}

fn place(id: &JoinTokenId) -> String {
    format!("join_tokens/{id}/secret")
}
