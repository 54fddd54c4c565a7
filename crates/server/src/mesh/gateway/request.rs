//! What has to be known of a request to find a machine for it. Everything else passes as it came.

use std::fmt;

use axum::body::Bytes;
use domain::mesh::meter::Dialect;
use domain::mesh::prefix::Prefix;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::dialect::Told;

/// Bytes of a usual token, where nobody has counted.
const BYTES_PER_TOKEN: u64 = 4;
/// And of one of the longest, so that a prompt has no fewer.
const BYTES_PER_LONG_TOKEN: u64 = 8;
/// Tokens that an engine puts around what is said.
const TEMPLATE: u64 = 256;
/// Tokens that a picture or a recording is at most.
const MEDIUM: u64 = 4096;
/// What goes before a picture's bytes.
const MEDIA_MARK: &[u8] = b";base64,";
/// How many answers may be asked for at once.
const CHOICES_MAX: u64 = 128;
/// What engines read the length of an answer from. They do not agree which counts where there are several.
const BOUNDS: [&str; 4] = ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"];
/// The same of the number of answers.
const CHOICES: [&str; 3] = ["n", "n_cmpl", "best_of"];
/// What the engine reads, about in the order in which it does: what stays the same from one request to the next comes first.
const PROMPT: [&str; 6] = ["tools", "system", "instructions", "messages", "input", "prompt"];

#[derive(Debug)]
pub(super) struct ModelRequest {
    pub(super) model: String,
    /// At most, of one answer, where that is said.
    pub(super) answer_tokens: Option<u64>,
    /// How many answers are asked for.
    pub(super) choices: u64,
    /// How many prompts there are, of which each has a context of its own.
    pub(super) items: u64,
    /// Of all prompts, as far as their bytes tell.
    pub(super) prompt_tokens: u64,
    /// One of them has no fewer than these.
    pub(super) prompt_tokens_min: u64,
    /// All of them have no more than these.
    pub(super) prompt_tokens_max: u64,
    pub(super) prefix: Prefix,
    /// Whether the program itself asked for what its stream took.
    pub(super) wants_usage: bool,
    /// What is sent on.
    pub(super) body: Bytes,
}

/// A JSON object whose values are as they came.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if fields.iter().any(|(before, _)| *before == name) {
                        return Err(serde::de::Error::custom(format!("`{name}` is there twice")));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.get());
        found.filter(|value| *value != "null")
    }

    /// A value that has to be of a kind, where it is there.
    fn read<T: Deserialize<'a>>(&self, name: &str, kind: &str) -> Result<Option<T>, Told> {
        let parsed = self.get(name).map(serde_json::from_str::<T>).transpose();
        parsed.map_err(|_| invalid(format!("`{name}` is {kind}")))
    }
}

fn invalid(message: String) -> Told {
    Told::new(400, "invalid_request", message)
}

#[derive(Deserialize, Serialize, Default)]
struct StreamOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    include_usage: Option<bool>,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

impl ModelRequest {
    pub(super) fn parse(dialect: Dialect, body: Bytes) -> Result<Self, Told> {
        let fields: Fields<'_> = serde_json::from_slice(&body)
            .map_err(|error| invalid(format!("the request's body is not right: {error}")))?;
        let model = fields.read::<String>("model", "the name of a model")?.filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| invalid("say which `model`; /v1/models lists them".into()))?;
        let stream = fields.read::<bool>("stream", "true or false")?.unwrap_or(false);
        let options = fields.read::<StreamOptions>("stream_options", "an object")?;
        let wants_usage = options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
        let prompt = PROMPT.iter().filter_map(|name| fields.get(name)).collect::<String>();
        let (bytes, media) = weigh(prompt.as_bytes());
        let items = items(dialect, &fields);
        let mut request = Self {
            answer_tokens: answer_tokens(dialect, &fields)?,
            choices: choices(&fields)?,
            items,
            prompt_tokens: bytes / BYTES_PER_TOKEN + media * MEDIUM / 8,
            prompt_tokens_min: bytes / BYTES_PER_LONG_TOKEN / items,
            prompt_tokens_max: bytes.saturating_add(TEMPLATE * items).saturating_add(media * MEDIUM),
            prefix: Prefix::of(&model, prompt.as_bytes()),
            model,
            wants_usage,
            body: Bytes::new(),
        };
        let says_usage = matches!(dialect, Dialect::Responses | Dialect::Messages | Dialect::Embeddings);
        request.body = if stream && !wants_usage && !says_usage { asking_for_usage(&fields, options) } else { body };
        Ok(request)
    }
}

/// The bytes of a prompt without those of pictures and recordings, and how many of these there are.
fn weigh(prompt: &[u8]) -> (u64, u64) {
    let (mut bytes, mut media, mut rest) = (0_usize, 0_u64, prompt);
    while let Some(at) = rest.windows(MEDIA_MARK.len()).position(|part| part == MEDIA_MARK) {
        bytes += at;
        media += 1;
        let medium = &rest[at..];
        rest = &medium[medium.iter().position(|byte| *byte == b'"').unwrap_or(medium.len())..];
    }
    (u64::try_from(bytes + rest.len()).unwrap_or(u64::MAX), media)
}

/// How many prompts there are.
fn items(dialect: Dialect, fields: &Fields<'_>) -> u64 {
    let name = match dialect {
        Dialect::Embeddings => "input",
        Dialect::Completions => "prompt",
        _ => return 1,
    };
    // Numbers are the tokens of one.
    let texts = fields.get(name).and_then(|value| serde_json::from_str::<Vec<&RawValue>>(value).ok());
    let texts = texts.filter(|texts| texts.first().is_some_and(|first| first.get().starts_with(['"', '['])));
    texts.map_or(1, |texts| u64::try_from(texts.len()).unwrap_or(u64::MAX).max(1))
}

fn answer_tokens(dialect: Dialect, fields: &Fields<'_>) -> Result<Option<u64>, Told> {
    if dialect == Dialect::Embeddings {
        return Ok(Some(0));
    }
    let mut most = None;
    for name in BOUNDS {
        match fields.read::<i64>(name, "a whole number from 1 on")? {
            None => {}
            // Engines take it for as many as fit.
            Some(-1) => return Ok(None),
            Some(bound) => {
                let bound = u64::try_from(bound).ok().filter(|bound| *bound > 0);
                let bound = bound.ok_or_else(|| invalid(format!("`{name}` is a whole number from 1 on")))?;
                most = most.max(Some(bound));
            }
        }
    }
    Ok(most)
}

fn choices(fields: &Fields<'_>) -> Result<u64, Told> {
    let kind = format!("a whole number from 1 to {CHOICES_MAX}");
    let mut most = 1;
    for name in CHOICES {
        let count = fields.read::<u64>(name, &kind)?.unwrap_or(1);
        if !(1..=CHOICES_MAX).contains(&count) {
            return Err(invalid(format!("`{name}` is {kind}")));
        }
        most = most.max(count);
    }
    Ok(most)
}

/// The same request, whose stream ends with what it took.
fn asking_for_usage(fields: &Fields<'_>, options: Option<StreamOptions>) -> Bytes {
    let options = StreamOptions { include_usage: Some(true), ..options.unwrap_or_default() };
    let options = serde_json::to_string(&options).unwrap_or_default();
    let others = fields.0.iter().filter(|(name, _)| name != "stream_options");
    let others = others.map(|(name, value)| (name.as_str(), value.get()));
    let written = others.chain([("stream_options", options.as_str())]).map(|(name, value)| {
        let name = serde_json::to_string(name).unwrap_or_default();
        format!("{name}:{value}")
    });
    format!("{{{}}}", written.collect::<Vec<_>>().join(",")).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(dialect: Dialect, body: &Value) -> Result<ModelRequest, Told> {
        ModelRequest::parse(dialect, body.to_string().into())
    }

    #[test]
    fn usage_is_asked_for_and_everything_else_stays() {
        let asked =
            r#"{"z": 1.50, "model": "m", "stream":true, "seed": 123456789012345678901, "tools": [{"b": 1, "a": 2}]}"#;
        let request = ModelRequest::parse(Dialect::ChatCompletions, asked.into()).unwrap();
        assert_eq!(
            request.body,
            r#"{"z":1.50,"model":"m","stream":true,"seed":123456789012345678901,"tools":[{"b": 1, "a": 2}],"stream_options":{"include_usage":true}}"#
        );
        assert!(!request.wants_usage);
        let others = json!({ "model": "m", "stream": true, "stream_options": { "x": 1 } });
        let sent: Value = serde_json::from_slice(&parse(Dialect::Completions, &others).unwrap().body).unwrap();
        assert_eq!(sent["stream_options"], json!({ "include_usage": true, "x": 1 }));
        for (dialect, body) in [
            (Dialect::ChatCompletions, json!({ "model": "m", "messages": [] })),
            (Dialect::Messages, json!({ "model": "m", "stream": true })),
            (
                Dialect::ChatCompletions,
                json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } }),
            ),
        ] {
            assert_eq!(parse(dialect, &body).unwrap().body, body.to_string());
        }
    }

    #[test]
    fn the_longest_answer_that_an_engine_may_read_counts() {
        let tokens = |body: Value| parse(Dialect::ChatCompletions, &body).unwrap().answer_tokens;
        assert_eq!(tokens(json!({ "model": "m", "max_tokens": 5 })), Some(5));
        assert_eq!(tokens(json!({ "model": "m", "max_tokens": 1, "n_predict": 4000 })), Some(4000));
        assert_eq!(tokens(json!({ "model": "m", "max_completion_tokens": 1, "max_tokens": 9 })), Some(9));
        assert_eq!(tokens(json!({ "model": "m", "max_tokens": 5, "n_predict": -1 })), None);
        assert_eq!(tokens(json!({ "model": "m", "max_tokens": null })), None);
        let choices = |body: Value| parse(Dialect::ChatCompletions, &body).unwrap().choices;
        assert_eq!(choices(json!({ "model": "m", "n": 2, "n_cmpl": 7 })), 7);
    }

    #[test]
    fn prompts_are_counted_and_pictures_are_not_text() {
        let batch = parse(Dialect::Embeddings, &json!({ "model": "m", "input": ["one", "two", "three"] })).unwrap();
        assert_eq!((batch.items, batch.answer_tokens), (3, Some(0)));
        assert_eq!(parse(Dialect::Embeddings, &json!({ "model": "m", "input": [1, 2, 3] })).unwrap().items, 1);
        let picture = format!("data:image/png;base64,{}", "A".repeat(400_000));
        let seen = parse(Dialect::ChatCompletions, &json!({ "model": "m", "messages": [{ "url": picture }] })).unwrap();
        assert!(seen.prompt_tokens_min < 20 && seen.prompt_tokens_max < 5000, "{seen:?}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for wrong in [
            json!([]),
            json!({}),
            json!({ "model": "" }),
            json!({ "model": 5 }),
            json!({ "model": "m", "max_tokens": -3 }),
            json!({ "model": "m", "max_tokens": "5" }),
            json!({ "model": "m", "max_tokens": 0 }),
            json!({ "model": "m", "stream": 1 }),
            json!({ "model": "m", "stream": true, "stream_options": "x" }),
            json!({ "model": "m", "n": 0 }),
            json!({ "model": "m", "n": 129 }),
        ] {
            assert!(parse(Dialect::ChatCompletions, &wrong).is_err(), "{wrong}");
        }
        for wrong in ["{", "", r#"{"model":"m","model":"n"}"#] {
            assert!(ModelRequest::parse(Dialect::ChatCompletions, wrong.into()).is_err(), "{wrong}");
        }
    }
}
