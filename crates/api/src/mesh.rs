use ids::{
    CompletionId, CompletionState, EnrolmentId, EnrolmentState, HostedProviderId, HostedProviderKind,
    LedgerTransactionId, MeshNodeId, MeshNodeKind, TokenId, UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// The mesh as this server is part of it. Amounts are in microcredits: millionths of a credit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Mesh {
    /// Where machines of the mesh reach the coordinator.
    #[schema(example = "http://127.0.0.1:4301")]
    pub coordinator_url: String,
    /// By which they know it: 43 characters of base64url.
    pub coordinator_key: String,
    /// Where programs find models that know Ollama only; absent where there is no such port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "http://127.0.0.1:11434")]
    pub ollama_url: Option<String>,
    /// Of what a completion costs, the coordinator's part, in hundredths of a percent.
    pub fee_bps: u32,
    /// What the caller can spend.
    pub balance: i64,
    /// What is set aside for the caller's completions under way.
    pub held: i64,
    /// What the caller's machines have earned, over all time.
    pub earned: i64,
}

/// Takes a machine into the mesh. It stays dormant until somebody who may approves it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentCreate {
    /// A name for the machine that no other one has: 3 to 64 lower-case letters, digits, `.`, `_` and `-`.
    pub node_id: String,
    /// `agent` or `coordinator`; `agent` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MeshNodeKind>,
    /// What the approver may know it by besides: a serial number, a host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
}

/// The only answer that ever carries the registration token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentCreated {
    pub enrolment: Enrolment,
    /// With it one machine registers, once: from then on its key is what it is known by.
    pub registration_token: String,
    /// What to run on the machine; the token goes into its environment.
    pub command: String,
}

/// A machine that takes part in the mesh, or wants to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Enrolment {
    pub id: EnrolmentId,
    pub node_id: MeshNodeId,
    pub kind: MeshNodeKind,
    pub state: EnrolmentState,
    pub owner_id: UserId,
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The machine's key; absent until it has registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The key in short, to compare with what the machine shows: `1a2b 3c4d 5e6f 7081`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether it is linked at this moment.
    pub online: bool,
    /// Why it takes nothing though it is linked; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// What it serves at this moment.
    pub models: Vec<MeshModel>,
    /// Whether its owner lets administrators choose models that it fetches.
    pub allows_pulls: bool,
    /// Models that it was told to fetch lately, the newest last.
    pub pulls: Vec<MeshPull>,
    pub created_at: Time,
    /// When it was approved, rejected or suspended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentList {
    /// Newest first. Who may approve sees everybody's, others their own.
    pub enrolments: Vec<Enrolment>,
    /// Whether the caller may approve, reject and suspend.
    pub may_decide: bool,
}

/// A model as one machine serves it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MeshModel {
    pub name: String,
    pub loaded: bool,
    /// Tokens that fit into a request with its answer.
    pub context: u32,
    /// Requests that it works at, at the same time.
    pub slots: u32,
    /// Requests that it works at or that wait for it now.
    pub busy: u32,
    /// Tokens that it produces a second for one request, as measured; absent until it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Microcredits for a token of the prompt, and of the answer.
    pub input_price: u32,
    pub output_price: u32,
}

/// Tells a machine to fetch a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshPullCreate {
    /// As its engine knows it, like `qwen3:4b`.
    pub model: String,
}

/// A model that a machine fetches, or has fetched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MeshPull {
    pub model: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Bytes, of those that are known to be needed by now.
    pub completed: u64,
    pub total: u64,
    /// What is done just now, or why it failed.
    pub message: String,
}

/// What completions, grants and earnings moved on the caller's account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LedgerStatement {
    pub balance: i64,
    /// Newest first.
    pub entries: Vec<LedgerEntry>,
    /// Gives the next page as `?cursor=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One movement on one account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    pub transaction_id: LedgerTransactionId,
    /// `grant`, `hold` or `settle`.
    pub kind: String,
    /// Microcredits: negative when they leave the account.
    pub amount: i64,
    /// What the account had then.
    pub balance: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_id: Option<CompletionId>,
    /// Why, of a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Time,
}

/// Gives somebody credits: the only way by which they come into the mesh.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantCreate {
    pub username: String,
    /// Microcredits; at least 1.
    pub amount: i64,
    /// For the statement of both sides.
    pub reason: String,
}

/// All accounts, for who wants to see that they add up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LedgerAudit {
    pub accounts: Vec<LedgerAccount>,
    /// Of all entries: 0 unless something is wrong.
    pub sum: i64,
    /// Transactions whose entries do not add up to 0, and accounts whose balance is not that of their entries.
    pub wrong: i64,
    /// Completions that are not settled.
    pub open_completions: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LedgerAccount {
    /// `user:<id>`, `held`, `fee` or `issued`.
    pub account: String,
    /// Of a person's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    pub balance: i64,
}

/// One request for a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    pub id: CompletionId,
    pub model: String,
    /// The route that was called.
    #[schema(example = "/v1/chat/completions")]
    pub path: String,
    pub state: CompletionState,
    /// The machine that served it; `coordinator.…` where the coordinator asked elsewhere: a hosted provider, or its inference service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<MeshNodeId>,
    /// The API token by which it was asked for, if by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// What was paid for it, in microcredits.
    pub cost: i64,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionList {
    /// The caller's, newest first.
    pub completions: Vec<Completion>,
    /// For the next page, where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Why a completion was served where it was.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionExplained {
    pub completion: Completion,
    /// Each choice that was made for it: more than one where a machine failed before its first byte.
    pub choices: Vec<CompletionChoice>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionChoice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<MeshNodeId>,
    /// What was estimated of the prompt, in tokens.
    pub prompt_tokens: u64,
    pub candidates: Vec<CompletionCandidate>,
}

/// One machine that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionCandidate {
    pub node_id: MeshNodeId,
    /// Why it was out of the question: `paused`, `ejected`, `tried`, `context_too_small`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What was expected of it, in seconds: waiting, loading, reading the prompt, writing the answer.
    pub queue_seconds: f64,
    pub load_seconds: f64,
    pub prompt_seconds: f64,
    pub answer_seconds: f64,
    /// Tokens of the prompt that it was expected to remember.
    pub cached_tokens: u64,
}

/// A company that serves models, as a further place where completions are sent. Its key is never told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostedProvider {
    pub id: HostedProviderId,
    pub name: String,
    /// What completions say that served them.
    #[schema(example = "coordinator.openai")]
    pub node_id: MeshNodeId,
    pub kind: HostedProviderKind,
    #[schema(example = "https://api.openai.com")]
    pub base_url: String,
    pub models: Vec<HostedModel>,
    pub enabled: bool,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A model of theirs, as it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostedModel {
    /// As they call it.
    pub name: String,
    /// Tokens that fit into a request with its answer.
    pub context: u32,
    /// Microcredits for a token of the prompt, and of the answer.
    pub input_price: u32,
    pub output_price: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostedProviderList {
    /// By name.
    pub providers: Vec<HostedProvider>,
}

/// Sends completions to a company, too.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostedProviderCreate {
    /// 2 to 40 lower-case letters, digits, `.`, `_` and `-`; no other one has it.
    pub name: String,
    pub kind: HostedProviderKind,
    /// The company's own when absent: `https://api.openai.com` or `https://api.anthropic.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Kept sealed, and never told.
    pub api_key: String,
    pub models: Vec<HostedModel>,
}

/// Changes what it names.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostedProviderUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Has to come with another `base_url`: a key goes where it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<HostedModel>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// What a company said when it was asked for its models with the key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostedProviderCheck {
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// All models that it has for this key, by name.
    pub models: Vec<String>,
}

/// The models that somebody serves, as OpenAI lists them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// `list`.
    pub object: String,
    pub data: Vec<Model>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Model {
    pub id: String,
    /// `model`.
    pub object: String,
    pub created: i64,
    /// `mesh`; or the hosted provider that is asked, where no machine of the mesh has it.
    pub owned_by: String,
    /// Tokens that fit into a request with its answer, where most do.
    pub context_length: u32,
}
