use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// What a git server is shown when somebody fetches or pushes in a workspace.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GitCredentialPut {
    /// `x-access-token` when absent, which servers take where only the token counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A password or an access token. Never shown.
    pub token: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GitCredential {
    /// `host` or `host:port`.
    #[schema(example = "github.com")]
    pub host: String,
    pub username: String,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GitCredentialList {
    /// By host.
    pub git_credentials: Vec<GitCredential>,
}

/// How somebody works in workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkSettings {
    /// The name that commits carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_email: Option<String>,
    /// A repository that is cloned into the home directory of a new workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dotfiles_url: Option<String>,
}
