use ids::WorkspaceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A token for the terminals of a workspace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalTokenCreate {
    #[serde(alias = "workspaceId")]
    pub workspace_id: WorkspaceId,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TerminalToken {
    /// A JWT, signed with a key of `/.well-known/jwks.json`.
    pub token: String,
    pub expires_at: Time,
    /// Where it is to be shown.
    pub workspace_url: String,
}

/// Public keys (RFC 7517).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JsonWebKeySet {
    pub keys: Vec<JsonWebKey>,
}

/// The public half of an RSA key (RFC 7518 section 6.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JsonWebKey {
    #[schema(example = "RSA")]
    pub kty: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub key_use: String,
    #[schema(example = "RS256")]
    pub alg: String,
    pub kid: String,
    pub n: String,
    #[schema(example = "AQAB")]
    pub e: String,
}

/// A key that tokens are signed with, or were.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SigningKey {
    /// What tokens name it by (`kid`).
    pub id: String,
    /// It signs now.
    pub is_active: bool,
    /// Its private half is in the configuration, not in the database.
    pub is_configured: bool,
    pub created_at: Time,
    /// Of one that signs no more: when its last token has run out, and it is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_until: Option<Time>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SigningKeyList {
    /// The one that signs first.
    pub signing_keys: Vec<SigningKey>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRotate {
    /// Tokens of earlier keys are refused at once.
    #[serde(default)]
    pub revoke_previous: bool,
}
