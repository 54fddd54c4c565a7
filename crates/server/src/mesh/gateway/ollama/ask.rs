//! Ollama's requests as OpenAI's.

use axum::body::Bytes;
use domain::mesh::meter::Dialect;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::dialect::Told;
use super::answer::Route;

/// Of the options, those that engines take under the same name.
const OPTIONS: [&str; 14] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "seed",
    "stop",
    "repeat_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
];

/// What is asked of a model, and how its answer is told.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) dialect: Dialect,
    pub(super) route: Route,
    pub(super) model: String,
    /// Absent where nothing is said to the model.
    pub(super) body: Option<Bytes>,
    pub(super) streams: bool,
}

/// What chats and texts have in common.
#[derive(Deserialize)]
struct Manner {
    model: String,
    stream: Option<bool>,
    format: Option<Value>,
    think: Option<Value>,
    options: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
pub(super) struct Chat {
    #[serde(flatten)]
    manner: Manner,
    messages: Option<Vec<Message>>,
    tools: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<String>,
    thinking: Option<String>,
    images: Option<Vec<String>>,
    tool_calls: Option<Vec<Call>>,
    tool_name: Option<String>,
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Generate {
    #[serde(flatten)]
    manner: Manner,
    prompt: Option<String>,
    suffix: Option<String>,
    system: Option<String>,
    template: Option<String>,
    context: Option<Vec<i64>>,
    raw: Option<bool>,
    images: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Embed {
    model: String,
    input: Value,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Embeddings {
    model: String,
    prompt: String,
}

impl From<Embeddings> for Embed {
    fn from(it: Embeddings) -> Self {
        Self { model: it.model, input: it.prompt.into(), dimensions: None }
    }
}

fn unsupported(field: &str, instead: &str) -> Told {
    Told::new(400, "unsupported", format!("`{field}` is not supported here; {instead}"))
}

// === impl Manner ===

impl Manner {
    /// OpenAI's request without what is said.
    fn begun(&self) -> Map<String, Value> {
        let mut body = Map::from_iter([("model".to_owned(), json!(self.model))]);
        let options =
            self.options.iter().flatten().filter(|(name, value)| OPTIONS.contains(&name.as_str()) && !value.is_null());
        body.extend(options.map(|(name, value)| (name.clone(), value.clone())));
        // Below one it is as many as fit.
        if let Some(most) =
            self.options.as_ref().and_then(|options| options.get("num_predict")?.as_i64()).filter(|it| *it > 0)
        {
            body.insert("max_tokens".into(), most.into());
        }
        body.insert("stream".into(), self.streams().into());
        if self.streams() {
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
        match &self.format {
            Some(Value::String(format)) if format == "json" => {
                body.insert("response_format".into(), json!({ "type": "json_object" }));
            }
            Some(schema @ Value::Object(_)) => {
                let format = json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema } });
                body.insert("response_format".into(), format);
            }
            _ => {}
        }
        match &self.think {
            Some(Value::Bool(thinks)) => {
                body.insert("chat_template_kwargs".into(), json!({ "enable_thinking": thinks }));
            }
            Some(effort @ Value::String(_)) => {
                body.insert("reasoning_effort".into(), effort.clone());
            }
            _ => {}
        }
        body
    }

    fn streams(&self) -> bool {
        self.stream.unwrap_or(true)
    }

    fn asked(self, dialect: Dialect, route: Route, body: Option<Map<String, Value>>) -> Asked {
        let streams = self.streams();
        let body = body.map(|body| Bytes::from(Value::Object(body).to_string()));
        Asked { dialect, route, model: self.model, body, streams }
    }
}

// === impl Chat ===

impl Chat {
    /// Of a model of this other name.
    pub(super) fn of(mut self, name: impl FnOnce(String) -> String) -> Self {
        self.manner.model = name(self.manner.model);
        self
    }

    pub(super) fn asked(self) -> Result<Asked, Told> {
        let messages = self.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(self.manner.asked(Dialect::ChatCompletions, Route::Chat, None));
        }
        let mut body = self.manner.begun();
        body.insert("messages".into(), conversation(messages).into());
        if let Some(tools) = self.tools.filter(|tools| !tools.is_empty()) {
            body.insert("tools".into(), tools.into());
        }
        Ok(self.manner.asked(Dialect::ChatCompletions, Route::Chat, Some(body)))
    }
}

/// Ollama's programs name the tool that answers, OpenAI's the call that it answers: the first of that name that has no answer.
fn conversation(messages: Vec<Message>) -> Vec<Value> {
    let mut open: Vec<(String, String)> = Vec::new();
    let mut numbers = 0..;
    let told = messages.into_iter().map(|message| {
        let mut told = Map::from_iter([("role".to_owned(), json!(message.role))]);
        told.insert("content".into(), content(message.content, message.images.unwrap_or_default()));
        if let Some(thinking) = message.thinking.filter(|thinking| !thinking.is_empty()) {
            told.insert("reasoning_content".into(), thinking.into());
        }
        let calls = message.tool_calls.unwrap_or_default().into_iter().map(|Call { id, function }| {
            let id = id.unwrap_or_else(|| format!("call_{}", numbers.next().unwrap_or(0)));
            open.push((function.name.clone(), id.clone()));
            let arguments = function.arguments.unwrap_or_else(|| json!({})).to_string();
            json!({ "id": id, "type": "function", "function": { "name": function.name, "arguments": arguments } })
        });
        let calls = calls.collect::<Vec<_>>();
        if !calls.is_empty() {
            told.insert("tool_calls".into(), calls.into());
        }
        if message.role == "tool" {
            let named = |(name, _): &(String, String)| message.tool_name.as_ref().is_none_or(|tool| tool == name);
            let first = open.iter().position(named).map(|at| open.remove(at).1);
            told.extend(message.tool_call_id.or(first).map(|id| ("tool_call_id".to_owned(), id.into())));
        }
        Value::Object(told)
    });
    told.collect()
}

/// What is said, with the pictures that are shown.
fn content(text: Option<String>, images: Vec<String>) -> Value {
    let text = text.unwrap_or_default();
    if images.is_empty() {
        return text.into();
    }
    let shown = images.into_iter().map(|image| {
        let url = format!("data:{};base64,{image}", picture_type(&image));
        json!({ "type": "image_url", "image_url": { "url": url } })
    });
    std::iter::once(json!({ "type": "text", "text": text })).chain(shown).collect()
}

/// By the first bytes of a picture, in base64.
fn picture_type(image: &str) -> &'static str {
    match image.get(..4) {
        Some("/9j/") => "image/jpeg",
        Some("R0lG") => "image/gif",
        Some("UklG") => "image/webp",
        _ => "image/png",
    }
}

// === impl Generate ===

impl Generate {
    /// Of a model of this other name.
    pub(super) fn of(mut self, name: impl FnOnce(String) -> String) -> Self {
        self.manner.model = name(self.manner.model);
        self
    }

    pub(super) fn asked(self) -> Result<Asked, Told> {
        if self.suffix.is_some_and(|suffix| !suffix.is_empty()) {
            return Err(unsupported("suffix", "put what comes after into the prompt, as the model was taught"));
        }
        if self.template.is_some_and(|template| !template.is_empty()) {
            return Err(unsupported("template", "send the prompt as the template makes it, with `raw`"));
        }
        if self.context.is_some_and(|context| !context.is_empty()) {
            return Err(unsupported("context", "send the conversation as messages to /api/chat"));
        }
        let (prompt, images) = (self.prompt.unwrap_or_default(), self.images.unwrap_or_default());
        if prompt.is_empty() && images.is_empty() {
            return Ok(self.manner.asked(Dialect::ChatCompletions, Route::Generate, None));
        }
        let mut body = self.manner.begun();
        if self.raw.unwrap_or(false) {
            body.insert("prompt".into(), prompt.into());
            return Ok(self.manner.asked(Dialect::Completions, Route::Generate, Some(body)));
        }
        let system = self.system.filter(|system| !system.is_empty());
        let system = system.map(|system| json!({ "role": "system", "content": system }));
        let said = json!({ "role": "user", "content": content(Some(prompt), images) });
        body.insert("messages".into(), system.into_iter().chain([said]).collect());
        Ok(self.manner.asked(Dialect::ChatCompletions, Route::Generate, Some(body)))
    }
}

// === impl Embed ===

impl Embed {
    /// Of a model of this other name.
    pub(super) fn of(mut self, name: impl FnOnce(String) -> String) -> Self {
        self.model = name(self.model);
        self
    }

    pub(super) fn asked(self) -> Asked {
        let mut body = json!({ "model": self.model, "input": self.input });
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let body = Some(Bytes::from(body.to_string()));
        Asked { dialect: Dialect::Embeddings, route: Route::Generate, model: self.model, body, streams: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(asked: Value) -> (Asked, Value) {
        let asked = serde_json::from_value::<Chat>(asked).unwrap().asked().unwrap();
        let body = serde_json::from_slice(asked.body.as_ref().unwrap()).unwrap();
        (asked, body)
    }

    #[test]
    fn a_chat_is_asked_with_its_options() {
        let (asked, body) = chat(json!({
            "model": "m", "messages": [{ "role": "user", "content": "hi" }], "keep_alive": "5m", "format": "",
            "options": { "temperature": 0.5, "num_predict": 9, "num_ctx": 4096, "stop": ["x"], "seed": null },
        }));
        assert!(asked.streams);
        assert_eq!(
            body,
            json!({ "model": "m", "temperature": 0.5, "stop": ["x"], "max_tokens": 9, "stream": true,
                "stream_options": { "include_usage": true }, "messages": [{ "role": "user", "content": "hi" }] })
        );
        let (asked, body) = chat(json!({ "model": "m", "stream": false, "messages": [{ "role": "user" }],
            "options": { "num_predict": -1 }, "format": { "type": "object" }, "think": false }));
        assert!(!asked.streams && body.get("max_tokens").is_none());
        assert_eq!(body["response_format"]["json_schema"]["schema"], json!({ "type": "object" }));
        assert_eq!(body["chat_template_kwargs"], json!({ "enable_thinking": false }));
    }

    #[test]
    fn an_answer_of_a_tool_goes_to_the_call_of_its_name() {
        let call = |name: &str| json!({ "function": { "name": name, "arguments": { "a": 1 } } });
        let (_, body) = chat(json!({ "model": "m", "messages": [
            { "role": "assistant", "content": "", "tool_calls": [call("one"), call("two")] },
            { "role": "tool", "tool_name": "two", "content": "2" },
            { "role": "tool", "content": "1" },
        ] }));
        let messages = &body["messages"];
        assert_eq!(messages[0]["tool_calls"][1]["function"], json!({ "name": "two", "arguments": "{\"a\":1}" }));
        assert_eq!((&messages[1]["tool_call_id"], &messages[2]["tool_call_id"]), (&json!("call_1"), &json!("call_0")));
    }

    #[test]
    fn pictures_are_shown_by_what_they_are() {
        let (_, body) = chat(json!({ "model": "m", "messages": [
            { "role": "user", "content": "what is it?", "images": ["/9j/abc", "iVBORw"] },
        ] }));
        let content = &body["messages"][0]["content"];
        assert_eq!(content[0]["text"], "what is it?");
        assert_eq!(content[1]["image_url"]["url"], "data:image/jpeg;base64,/9j/abc");
        assert_eq!(content[2]["image_url"]["url"], "data:image/png;base64,iVBORw");
    }

    #[test]
    fn a_text_is_asked_as_a_chat_unless_it_is_raw() {
        let generate = |asked: Value| serde_json::from_value::<Generate>(asked).unwrap().asked();
        let body = |asked: &Asked| serde_json::from_slice::<Value>(asked.body.as_ref().unwrap()).unwrap();
        let asked =
            generate(json!({ "model": "m", "prompt": "hi", "system": "be kind", "template": "", "raw": false }));
        let asked = asked.unwrap();
        assert_eq!(body(&asked)["messages"][0], json!({ "role": "system", "content": "be kind" }));
        assert_eq!(body(&asked)["messages"][1], json!({ "role": "user", "content": "hi" }));
        let raw = generate(json!({ "model": "m", "prompt": "hi", "raw": true })).unwrap();
        assert_eq!((raw.dialect, &body(&raw)["prompt"]), (Dialect::Completions, &json!("hi")));
        assert!(generate(json!({ "model": "m", "prompt": "" })).unwrap().body.is_none());
        for lost in [json!({ "suffix": "x" }), json!({ "template": "x" }), json!({ "context": [1] })] {
            let mut asked = json!({ "model": "m", "prompt": "hi" });
            asked.as_object_mut().unwrap().extend(lost.as_object().unwrap().clone());
            assert!(generate(asked).is_err(), "nothing is left out in silence");
        }
    }
}
