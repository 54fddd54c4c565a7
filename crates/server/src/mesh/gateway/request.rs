//! What has to be known of a request to find a machine for it. Everything else passes as it came.

use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use domain::mesh::meter::Dialect;
use domain::mesh::prefix::Prefix;
use ids::MeshNodeId;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::dialect::Told;
use super::text;
use crate::error::Error;

/// Bytes of a usual token, where nobody has counted.
const BYTES_PER_TOKEN: u64 = 4;
/// No prompt has tokens that are longer than this on the average.
const BYTES_PER_LONG_TOKEN: u64 = 16;
/// Tokens that an engine puts around what is said.
const TEMPLATE: u64 = 256;
/// Tokens that a picture or a recording is at most, however few bytes it has, and those that one usually is.
const MEDIUM: u64 = 4096;
const USUAL_MEDIUM: u64 = 512;
/// What engines read the length of an answer from. They do not agree which counts where there are several.
const BOUNDS: [&str; 4] = ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"];
/// The same of the number of answers.
const CHOICES: [&str; 3] = ["n", "n_cmpl", "best_of"];
/// What the engine reads, about in the order in which it does: what stays the same from one request to the next comes first.
const PROMPT: [&str; 6] = ["tools", "system", "instructions", "messages", "input", "prompt"];
/// What else is looked at.
const OTHERS: [&str; 3] = ["model", "stream", "stream_options"];

/// Bytes of a body that takes a while to look at.
const LONG: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct ModelRequest {
    pub(super) model: String,
    /// At most, where that is said.
    pub(super) answer_tokens: Option<u64>,
    /// How many texts there are, of which each has a context of its own.
    pub(super) items: u64,
    /// Of all texts, as far as their bytes tell.
    pub(super) prompt_tokens: u64,
    /// One of them has no fewer than these.
    pub(super) prompt_tokens_min: u64,
    /// All of them have no more than these.
    pub(super) prompt_tokens_max: u64,
    pub(super) prefix: Prefix,
    /// Whether the answer is to come as it is made.
    pub(super) streams: bool,
    /// Whether the program itself asked for what its stream took.
    pub(super) wants_usage: bool,
    /// What is sent on.
    pub(super) body: Bytes,
    /// Machines that are not asked: they broke off at it. Nor is a hosted provider, where there are any: it would take what was said
    /// for said, and answer to that.
    pub(super) not_at: Vec<MeshNodeId>,
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
                let (mut fields, mut names) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    check_name(&name, &mut names).map_err(serde::de::Error::custom)?;
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Engines do not agree which of two fields counts, nor whether `Max_Tokens` is `max_tokens`.
fn check_name(name: &str, names: &mut HashSet<String>) -> Result<(), String> {
    // As Go's `encoding/json` folds names.
    let folded = name.to_lowercase().replace('ſ', "s");
    let known = BOUNDS.iter().chain(&CHOICES).chain(&PROMPT).chain(&OTHERS);
    if let Some(known) = known.into_iter().find(|known| **known == folded && name != **known) {
        return Err(format!("`{name}` is spelled `{known}`"));
    }
    if names.insert(folded) { Ok(()) } else { Err(format!("`{name}` is there twice")) }
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
    /// Also where there is so much to look at that others would wait for it.
    pub(super) async fn read(dialect: Dialect, body: Bytes) -> Result<Self, Told> {
        if body.len() < LONG {
            return Self::parse(dialect, body);
        }
        let parsed = tokio::task::spawn_blocking(move || Self::parse(dialect, body)).await;
        parsed.unwrap_or_else(|error| Err(Error::internal(error).into()))
    }

    fn parse(dialect: Dialect, body: Bytes) -> Result<Self, Told> {
        let fields: Fields<'_> = serde_json::from_slice(&body)
            .map_err(|error| invalid(format!("the request's body is not right: {error}")))?;
        let model = fields.read::<String>("model", "the name of a model")?.filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| invalid("say which `model`; /v1/models lists them".into()))?;
        let streams = fields.read::<bool>("stream", "true or false")?.unwrap_or(false);
        let options = fields.read::<StreamOptions>("stream_options", "an object")?;
        let wants_usage = options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
        one_answer(dialect, &fields)?;
        let prompt = PROMPT.iter().filter_map(|name| fields.get(name)).collect::<String>();
        let (bytes, media) = (text::bytes(prompt.as_bytes()), text::media(prompt.as_bytes()));
        let items = items(dialect, &fields);
        let all = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut request = Self {
            answer_tokens: answer_tokens(dialect, &fields)?,
            items,
            prompt_tokens: bytes / BYTES_PER_TOKEN + media * USUAL_MEDIUM,
            prompt_tokens_min: bytes / BYTES_PER_LONG_TOKEN / items,
            // Templates read more than the prompt, so that every byte counts.
            prompt_tokens_max: all.saturating_add(TEMPLATE * items).saturating_add(media * MEDIUM),
            prefix: Prefix::of(&model, prompt.as_bytes()),
            model,
            streams,
            wants_usage,
            body: Bytes::new(),
            not_at: Vec::new(),
        };
        let says_usage = matches!(dialect, Dialect::Responses | Dialect::Messages | Dialect::Embeddings);
        request.body = if streams && !wants_usage && !says_usage { asking_for_usage(&fields, options) } else { body };
        Ok(request)
    }
}

/// Engines say of several answers only what one of them took.
fn one_answer(dialect: Dialect, fields: &Fields<'_>) -> Result<(), Told> {
    let once = "ask once for each answer, so that each is counted";
    for name in CHOICES {
        if fields.read::<u64>(name, "1")?.is_some_and(|count| count != 1) {
            return Err(invalid(format!("`{name}` is 1 here; {once}")));
        }
    }
    match elements(fields, "prompt") {
        Some(elements) if dialect == Dialect::Completions && elements.len() > 1 && !is_tokens(&elements) => {
            Err(invalid(format!("`prompt` is one text here; {once}")))
        }
        _ => Ok(()),
    }
}

/// How many texts there are.
fn items(dialect: Dialect, fields: &Fields<'_>) -> u64 {
    let texts = elements(fields, "input").filter(|texts| dialect == Dialect::Embeddings && !is_tokens(texts));
    texts.map_or(1, |texts| u64::try_from(texts.len()).unwrap_or(u64::MAX).max(1))
}

fn elements<'a>(fields: &Fields<'a>, name: &str) -> Option<Vec<&'a RawValue>> {
    serde_json::from_str(fields.get(name)?).ok()
}

/// Numbers are the tokens of one text, which may have words among them.
fn is_tokens(elements: &[&RawValue]) -> bool {
    let is_number =
        |element: &&&RawValue| element.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    elements.iter().any(|element| is_number(&element))
        && elements.iter().all(|element| is_number(&element) || element.get().starts_with('"'))
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
    }

    #[test]
    fn prompts_are_counted_and_pictures_are_not_text() {
        let batch = parse(Dialect::Embeddings, &json!({ "model": "m", "input": ["one", "two", "three"] })).unwrap();
        assert_eq!((batch.items, batch.answer_tokens), (3, Some(0)));
        assert_eq!(parse(Dialect::Embeddings, &json!({ "model": "m", "input": [1, 2, 3] })).unwrap().items, 1);
        let picture = format!("data:image/png;base64,{}", "A".repeat(400_000));
        let messages =
            json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": picture } }] }]);
        let seen = parse(Dialect::ChatCompletions, &json!({ "model": "m", "messages": messages })).unwrap();
        assert!(seen.prompt_tokens_min < 20 && seen.prompt_tokens < 2000, "{seen:?}");
        // Whatever is in a body may be read, and costs something.
        let hidden = json!({ "model": "m", "messages": [], "chat_template_kwargs": { "identity": "x".repeat(9000) } });
        assert!(parse(Dialect::ChatCompletions, &hidden).unwrap().prompt_tokens_max > 9000);
    }

    #[test]
    fn one_answer_is_asked_for_at_a_time() {
        for several in [
            json!({ "model": "m", "n": 2 }),
            json!({ "model": "m", "n_cmpl": 7 }),
            json!({ "model": "m", "prompt": ["one", "two"] }),
            json!({ "model": "m", "prompt": [{ "prompt_string": "one" }, { "prompt_string": "two" }] }),
            json!({ "model": "m", "prompt": [[1, 2], [3]] }),
            json!({ "model": "m", "prompt": [1, [2]] }),
        ] {
            assert!(parse(Dialect::Completions, &several).is_err(), "{several}");
        }
        for one in [
            json!({ "model": "m", "n": 1, "best_of": null }),
            json!({ "model": "m", "prompt": ["one"] }),
            json!({ "model": "m", "prompt": [1, 2, "three"] }),
        ] {
            assert!(parse(Dialect::Completions, &one).is_ok(), "{one}");
        }
    }

    #[test]
    fn a_body_of_very_many_fields_is_read_at_once() {
        let fields = (0..300_000).map(|number| format!("\"f{number}\":0,")).collect::<String>();
        let body = format!("{{{fields}\"model\":\"m\"}}");
        let began = std::time::Instant::now();
        assert!(ModelRequest::parse(Dialect::ChatCompletions, body.into()).is_ok());
        // Looking each name up among all others takes minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
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
        ] {
            assert!(parse(Dialect::ChatCompletions, &wrong).is_err(), "{wrong}");
        }
        for wrong in
            ["{", "", r#"{"model":"m","model":"n"}"#, r#"{"model":"m","Max_Tokens":9}"#, r#"{"model":"m","a":1,"A":2}"#]
        {
            assert!(ModelRequest::parse(Dialect::ChatCompletions, wrong.into()).is_err(), "{wrong}");
        }
    }
}
