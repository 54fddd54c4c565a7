use ids::{TokenId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Creates the first administrator.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub username: String,
    /// At least 8 characters.
    pub password: String,
    /// The one-time code the server printed when it started.
    pub code: String,
}

/// Signs in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthStatus {
    /// 0 until setup is done.
    pub users_count: i64,
    pub authenticated: bool,
    /// Whether this is the portal of a mesh by itself: of the dashboard it has the pages for models.
    pub mesh_only: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub username: String,
    #[schema(example = "superadmin")]
    pub role: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<User>,
}

/// Another person who may sign in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    pub username: String,
    /// At least 8 characters.
    pub password: String,
    /// `user` or `admin`; `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub user: User,
}

#[derive(Default, Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// What it is for, for the list.
    pub name: String,
    /// `read`, `write` and `models`, which is for asking models; `read` and `write` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// RFC 3339; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Of a token with the scope `models`, what it may ask at most; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_limits: Option<ModelLimits>,
}

/// What an API token may ask models at most. What is absent is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelLimits {
    /// Only these, 1 to 64 of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// 1 to 100000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Microcredits that it may spend in all, with what is set aside for completions under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<i64>,
}

/// The only answer that ever carries the token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    pub id: TokenId,
    #[schema(example = "nst_…")]
    pub token: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub scopes: Vec<String>,
    /// The token that made it and with which it is revoked; absent when somebody who was signed in made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<TokenId>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_limits: Option<ModelLimits>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    pub tokens: Vec<Token>,
}
