//! Companies that serve models, as further places where completions are sent.

use ids::{HostedProviderId, HostedProviderKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// Fields that every dialect has, and whose cost is known before.
const FIELDS: [&str; 9] =
    ["model", "stream", "stream_options", "temperature", "top_p", "user", "metadata", "tools", "tool_choice"];
const CHAT: [&str; 20] = [
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "functions",
    "function_call",
    "prompt_cache_key",
    "safety_identifier",
    "store",
];
const TEXT: [&str; 12] = [
    "prompt",
    "max_tokens",
    "n",
    "best_of",
    "stop",
    "echo",
    "suffix",
    "logprobs",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
];
const RESPONSES: [&str; 12] = [
    "input",
    "instructions",
    "max_output_tokens",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
    "include",
    "top_logprobs",
    "prompt_cache_key",
    "safety_identifier",
    "store",
];
const MESSAGES: [&str; 6] = ["messages", "max_tokens", "system", "top_k", "stop_sequences", "thinking"];
const EMBEDDINGS: [&str; 3] = ["input", "encoding_format", "dimensions"];
/// Kinds of tools whose calls are whoever asked's own. The others run over there, at a price of their own.
const TOOLS: [&str; 2] = ["function", "custom"];
/// What leads to bytes that are not in the request: how much that costs, nobody can say before.
const ELSEWHERE: [&str; 2] = ["file_id", "file_url"];

/// What of a request a provider is not asked, as nobody could say before what it costs: a field, a tool, a document elsewhere.
pub fn refused(dialect: Dialect, request: &Value) -> Option<String> {
    let own: &[&str] = match dialect {
        Dialect::ChatCompletions => &CHAT,
        Dialect::Completions => &TEXT,
        Dialect::Responses => &RESPONSES,
        Dialect::Messages => &MESSAGES,
        Dialect::Embeddings => &EMBEDDINGS,
    };
    let fields = request.as_object()?;
    let unknown = fields.keys().find(|name| !FIELDS.contains(&name.as_str()) && !own.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Some(format!("`{name}`"));
    }
    let tools = fields.get("tools").and_then(Value::as_array).into_iter().flatten();
    let mut kinds = tools.filter_map(|tool| tool["type"].as_str());
    if let Some(kind) = kinds.find(|kind| !TOOLS.contains(kind)) {
        return Some(format!("the tool `{kind}`"));
    }
    fields.values().find_map(leads_elsewhere).map(|name| format!("`{name}`"))
}

fn leads_elsewhere(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(leads_elsewhere),
        Value::Object(fields) => {
            let named = fields.keys().map(String::as_str).find(|name| ELSEWHERE.contains(name));
            let is_document = fields.get("type").is_some_and(|kind| kind == "document");
            let source = &value["source"]["type"];
            let is_away = is_document && (source == "url" || source == "file");
            named.or(is_away.then_some("document")).or_else(|| fields.values().find_map(leads_elsewhere))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_provider_is_asked_has_a_price_that_is_known_before() {
        use Dialect::{ChatCompletions, Messages, Responses};
        let text =
            json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://x" } }] }]);
        let function = json!([{ "type": "function", "function": { "name": "f" } }]);
        assert_eq!(refused(ChatCompletions, &json!({ "model": "m", "messages": text, "tools": function })), None);
        assert_eq!(refused(Messages, &json!({ "model": "m", "messages": [], "tools": [{ "name": "f" }] })), None);
        let search = json!([{ "type": "web_search" }]);
        let document = json!([{ "role": "user", "content": [{ "type": "document", "source": { "type": "url", "url": "https://x" } }] }]);
        for (dialect, request, why) in [
            (Responses, json!({ "model": "m", "input": "x", "background": true }), "`background`"),
            (Responses, json!({ "model": "m", "input": "x", "previous_response_id": "r" }), "`previous_response_id`"),
            (Responses, json!({ "model": "m", "input": "x", "tools": search }), "the tool `web_search`"),
            (Responses, json!({ "model": "m", "input": [{ "content": [{ "file_url": "https://x" }] }] }), "`file_url`"),
            (ChatCompletions, json!({ "model": "m", "messages": [], "models": ["dear"] }), "`models`"),
            (ChatCompletions, json!({ "model": "m", "messages": [], "service_tier": "priority" }), "`service_tier`"),
            (Messages, json!({ "model": "m", "messages": document }), "`document`"),
        ] {
            assert_eq!(refused(dialect, &request).as_deref(), Some(why), "{request}");
        }
    }
}
