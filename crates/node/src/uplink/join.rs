//! A machine's first contact with the cluster that it was invited to.

use std::path::Path;
use std::time::Duration;

use ::link::{JoinToken, PublicKey, proof};
use checkpoint::Checkpoint;
use ids::NodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;
use wire::LINK_PROTOCOL;

use super::Membership;
use super::membership::{Stored, load_key};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a machine could not join, as a sentence for the person who tried.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: Url, reason: String },
    #[error(
        "another cluster answers at {0} than the one the token is for, or somebody stands between; nothing was sent to it. \
         Make a new token on the right server, or give its address with --url"
    )]
    WrongCluster(Url),
    #[error("{url} answers like no NanoScale server: {reason}")]
    NotAServer { url: Url, reason: String },
    /// In the server's words.
    #[error("the server refuses this machine ({code}): {message}")]
    Refused { code: String, message: String },
    #[error("the node's directory cannot be used: {0}")]
    Directory(#[from] std::io::Error),
    #[error(transparent)]
    Key(#[from] ::link::KeyError),
}

/// Makes this machine a node of the cluster that `token` is of, and keeps that in `directory`. `url` is another way
/// to the same server. A machine that has used this token before is the node that it was.
///
/// # Errors
/// When the cluster cannot be reached, is another one, or refuses.
pub async fn join(directory: &Path, token: &JoinToken, url: Url, name: &str) -> Result<Membership, JoinError> {
    let key = load_key(directory)?;
    checkpoint::reach(Checkpoint::MachineKeyMade).await;
    let client = client()?;
    let nonce = proof::nonce()?;
    let ask = Ask { client: &client, url: &url };
    let identity: Identity = ask.post("/api/cluster/identity", &Challenge { nonce: &nonce }).await?;
    let shown = proof::Identity { nonce: &nonce, cluster: token.cluster };
    // Before anything of this machine is said.
    if identity.public_key != token.cluster || !shown.is_signed(&identity.signature) {
        return Err(JoinError::WrongCluster(url));
    }
    checkpoint::reach(Checkpoint::ClusterProven).await;
    let said = proof::Join::of(token, &nonce, key.public(), name, LINK_PROTOCOL);
    let joined: Joined = ask
        .post(
            "/api/cluster/join",
            &Join {
                token_id: &token.id,
                public_key: key.public(),
                nonce: &nonce,
                name,
                protocol: LINK_PROTOCOL,
                proof: said.prove(&token.secret),
                signature: said.sign(&key),
            },
        )
        .await?;
    let answer = proof::Joined { cluster: token.cluster, nonce: &nonce, node_id: joined.node_id.as_str() };
    if !answer.is_signed(&joined.signature) {
        return Err(JoinError::WrongCluster(url));
    }
    checkpoint::reach(Checkpoint::JoinAnswered).await;
    let stored =
        Stored { url, cluster: token.cluster, node_id: joined.node_id, name: joined.name, token_id: token.id.clone() };
    let membership = Membership::keep(directory, key, stored)?;
    checkpoint::reach(Checkpoint::MembershipKept).await;
    Ok(membership)
}

/// Its certificate is not looked at: the cluster proves by its key who it is, and nothing secret is sent.
fn client() -> Result<reqwest::Client, JoinError> {
    let built = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build();
    built.map_err(|error| JoinError::Directory(std::io::Error::other(error)))
}

struct Ask<'a> {
    client: &'a reqwest::Client,
    url: &'a Url,
}

impl Ask<'_> {
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, JoinError> {
        let unreachable = |error: reqwest::Error| {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            JoinError::Unreachable { url: self.url.clone(), reason }
        };
        let strange = |reason: String| JoinError::NotAServer { url: self.url.clone(), reason };
        let at = self.url.join(path).map_err(|error| strange(error.to_string()))?;
        let response = self.client.post(at).json(body).send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| strange(error.to_string()));
        }
        match serde_json::from_slice::<Told>(&bytes) {
            Ok(told) => Err(JoinError::Refused { code: told.error, message: told.message }),
            Err(_) => Err(strange(format!("it answers {status}"))),
        }
    }
}

#[derive(Serialize)]
struct Challenge<'a> {
    nonce: &'a str,
}

#[derive(Deserialize)]
struct Identity {
    public_key: PublicKey,
    signature: String,
}

#[derive(Serialize)]
struct Join<'a> {
    token_id: &'a str,
    public_key: PublicKey,
    nonce: &'a str,
    name: &'a str,
    protocol: u32,
    proof: String,
    signature: String,
}

#[derive(Deserialize)]
struct Joined {
    node_id: NodeId,
    name: String,
    signature: String,
}

#[derive(Deserialize)]
struct Told {
    error: String,
    message: String,
}
