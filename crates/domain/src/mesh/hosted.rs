//! Companies that serve models, as further places where completions are sent.

use ids::{HostedProviderId, HostedProviderKind};
use serde::{Deserialize, Serialize};

use super::meter::Dialect;

/// A company, and what the coordinator offers of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedProvider {
    pub id: HostedProviderId,
    /// Unique.
    pub name: String,
    pub kind: HostedProviderKind,
    /// Without `/v1`.
    pub base_url: String,
    pub api_key_sealed: String,
    pub models: Vec<HostedModel>,
    pub enabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A model as it is offered. Nobody says of a hosted one what fits into it, or what it shall cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedModel {
    pub name: String,
    /// Tokens that fit into a request with its answer.
    pub context: u32,
    /// Microcredits for a token of the prompt, and of the answer.
    pub input_price: u32,
    pub output_price: u32,
}

/// Whether a provider of this kind is asked in a dialect.
pub fn speaks(kind: HostedProviderKind, dialect: Dialect) -> bool {
    (kind == HostedProviderKind::Anthropic) == (dialect == Dialect::Messages)
}
