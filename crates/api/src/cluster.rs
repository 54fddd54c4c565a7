use std::collections::BTreeMap;

use ids::{JoinTokenId, NodeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// `POST /api/cluster/generate-token`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenCreate {
    /// What the machine will be called; its own host name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For placement, like `{"region": "eu"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// From 60 seconds to a day; ten minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<i64>,
}

/// The token is shown once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenCreated {
    pub id: JoinTokenId,
    #[schema(example = "nsj_AQ…")]
    pub token: String,
    pub expires_in_seconds: i64,
    pub expires_at: Time,
    /// For a machine that has NanoScale.
    #[schema(example = "nanoscale join nsj_AQ…")]
    pub command: String,
    /// For one that does not.
    pub install_command: String,
    /// Where the machine will look for this server.
    #[schema(example = "https://cloud.example.com:4000")]
    pub url: String,
    /// Whether only this machine itself can get there.
    pub local_only: bool,
}

/// An invitation of one machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    pub id: JoinTokenId,
    /// `open`, `used`, `revoked` or `expired`.
    #[schema(example = "open")]
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub created_at: Time,
    pub expires_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
    /// The node that came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenList {
    pub tokens: Vec<JoinToken>,
}

/// `POST /api/cluster/identity`: asks a server to prove which cluster it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterChallenge {
    /// 32 random bytes, base64url.
    pub nonce: String,
}

/// Base64url of Ed25519 keys and signatures (RFC 8032).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClusterIdentity {
    pub public_key: String,
    /// By that key, over the nonce.
    pub signature: String,
    /// Versions of the link that this server speaks.
    pub protocol_oldest: u32,
    pub protocol_newest: u32,
}

/// `POST /api/cluster/join`: a machine that was invited proves so, and which key is its own. The token's secret stays
/// where it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterJoin {
    /// The token's public part.
    pub token_id: String,
    /// The machine's Ed25519 key, base64url.
    pub public_key: String,
    /// 32 random bytes, base64url.
    pub nonce: String,
    pub name: String,
    /// Version of the link that the machine speaks.
    pub protocol: u32,
    /// HMAC-SHA-256 with the token's secret over all of the above and the cluster's key.
    pub proof: String,
    /// Of the same by the machine's key.
    pub signature: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClusterJoined {
    pub node_id: NodeId,
    /// As it is called here.
    pub name: String,
    /// By the cluster's key, over nonce and node id.
    pub signature: String,
}
