//! OpenAI's answers as Ollama's.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{now_ms, rfc3339};

/// How an answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Chat,
    Generate,
}

/// Tells one answer.
pub(super) struct Speaker {
    route: Route,
    model: String,
    began: Instant,
    first: Option<Duration>,
    /// Tools that are to be called: Ollama tells of them when they are whole.
    calls: Vec<Call>,
    reason: Option<String>,
    /// Tokens of the prompt, and of the answer.
    usage: (u64, u64),
    has_ended: bool,
}

#[derive(Default)]
struct Call {
    name: String,
    arguments: String,
}

// === impl Speaker ===

impl Speaker {
    pub(super) fn new(route: Route, model: String, began: Instant) -> Self {
        let (calls, usage) = (Vec::new(), (0, 0));
        Self { route, model, began, first: None, calls, reason: None, usage, has_ended: false }
    }

    /// The lines that an event of a stream becomes.
    pub(super) fn event(&mut self, data: &[u8]) -> Vec<Value> {
        if self.has_ended {
            return Vec::new();
        }
        if data.trim_ascii() == b"[DONE]" {
            self.has_ended = true;
            let calls = self.told_calls().map(|calls| self.part("", "", Some(calls)));
            return calls.into_iter().chain([self.last("", "", None)]).collect();
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return Vec::new() };
        if let Some(message) = value["error"]["message"].as_str() {
            self.has_ended = true;
            return vec![json!({ "error": message })];
        }
        let (text, thinking) = self.take(&value, "delta");
        if text.is_empty() && thinking.is_empty() {
            return Vec::new();
        }
        self.first.get_or_insert_with(|| self.began.elapsed());
        vec![self.part(&text, &thinking, None)]
    }

    /// An answer that is not streamed.
    pub(super) fn whole(mut self, value: &Value) -> Value {
        let (text, thinking) = self.take(value, "message");
        let calls = self.told_calls();
        self.last(&text, &thinking, calls)
    }

    /// The answer to nothing: the model is there.
    pub(super) fn nothing(mut self) -> Value {
        self.reason = Some("load".into());
        self.last("", "", None)
    }

    /// Text and thoughts of an event, or of a whole answer; everything else is kept.
    fn take(&mut self, value: &Value, part: &str) -> (String, String) {
        let usage = &value["usage"];
        if let (Some(prompt), Some(answer)) = (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64()) {
            self.usage = (prompt, answer);
        }
        let choice = &value["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.reason = Some(if reason == "length" { "length" } else { "stop" }.into());
        }
        let said = &choice[part];
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            self.call(call);
        }
        let text = said["content"].as_str().or_else(|| choice["text"].as_str()).unwrap_or_default();
        let thinking = ["reasoning_content", "reasoning"].into_iter().find_map(|name| said[name].as_str());
        (text.to_owned(), thinking.unwrap_or_default().to_owned())
    }

    /// A call, or the next piece of one.
    fn call(&mut self, piece: &Value) {
        const CALLS_MAX: usize = 128;
        let index = piece["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(self.calls.len());
        if index >= CALLS_MAX {
            return;
        }
        if index >= self.calls.len() {
            self.calls.resize_with(index + 1, Call::default);
        }
        let (call, function) = (&mut self.calls[index], &piece["function"]);
        call.name.push_str(function["name"].as_str().unwrap_or_default());
        call.arguments.push_str(function["arguments"].as_str().unwrap_or_default());
    }

    fn told_calls(&mut self) -> Option<Value> {
        let calls = std::mem::take(&mut self.calls).into_iter().filter(|call| !call.name.is_empty()).map(|call| {
            let arguments = serde_json::from_str::<Value>(&call.arguments).unwrap_or_else(|_| json!({}));
            json!({ "function": { "name": call.name, "arguments": arguments } })
        });
        let calls = calls.collect::<Vec<_>>();
        (!calls.is_empty()).then(|| calls.into())
    }

    fn part(&self, text: &str, thinking: &str, calls: Option<Value>) -> Value {
        let mut line = json!({ "model": self.model, "created_at": rfc3339(now_ms()), "done": false });
        let said = match self.route {
            Route::Chat => {
                line["message"] = json!({ "role": "assistant", "content": text });
                &mut line["message"]
            }
            Route::Generate => {
                line["response"] = text.into();
                &mut line
            }
        };
        if !thinking.is_empty() {
            said["thinking"] = thinking.into();
        }
        if let Some(calls) = calls {
            said["tool_calls"] = calls;
        }
        line
    }

    /// The last line, which tells what it took: times in nanoseconds.
    fn last(&self, text: &str, thinking: &str, calls: Option<Value>) -> Value {
        let (total, first) = (self.began.elapsed(), self.first.unwrap_or_default());
        let mut line = self.part(text, thinking, calls);
        line["done"] = true.into();
        line["done_reason"] = self.reason.as_deref().unwrap_or("stop").into();
        line["total_duration"] = nanoseconds(total);
        line["load_duration"] = 0.into();
        line["prompt_eval_count"] = self.usage.0.into();
        line["prompt_eval_duration"] = nanoseconds(first);
        line["eval_count"] = self.usage.1.into();
        line["eval_duration"] = nanoseconds(total.saturating_sub(first));
        line
    }
}

/// Vectors, as `/api/embed` tells them.
pub(super) fn embedded(model: &str, found: &Value, took: Duration) -> Value {
    let vectors = found["data"].as_array().into_iter().flatten().map(|it| &it["embedding"]).collect::<Vec<_>>();
    json!({ "model": model, "embeddings": vectors, "total_duration": nanoseconds(took), "load_duration": 0,
        "prompt_eval_count": found["usage"]["prompt_tokens"].as_u64().unwrap_or_default() })
}

fn nanoseconds(duration: Duration) -> Value {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(route: Route) -> Speaker {
        Speaker::new(route, "m".into(), Instant::now())
    }

    fn event(speaker: &mut Speaker, value: &Value) -> Vec<Value> {
        speaker.event(value.to_string().as_bytes())
    }

    #[test]
    fn a_stream_is_told_line_by_line() {
        let mut speaker = speaker(Route::Chat);
        assert!(
            event(&mut speaker, &json!({ "choices": [{ "delta": { "role": "assistant", "content": null } }] }))
                .is_empty()
        );
        let thinks = event(&mut speaker, &json!({ "choices": [{ "delta": { "reasoning_content": "hm" } }] }));
        assert_eq!(thinks[0]["message"], json!({ "role": "assistant", "content": "", "thinking": "hm" }));
        let says = event(&mut speaker, &json!({ "choices": [{ "delta": { "content": "hi" } }] }));
        assert_eq!((&says[0]["message"]["content"], &says[0]["done"]), (&json!("hi"), &json!(false)));
        assert!(event(&mut speaker, &json!({ "choices": [{ "delta": {}, "finish_reason": "length" }] })).is_empty());
        let usage = json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2 } });
        assert!(event(&mut speaker, &usage).is_empty());
        let last = speaker.event(b"[DONE]");
        assert_eq!(last.len(), 1);
        assert_eq!((&last[0]["done"], &last[0]["done_reason"]), (&json!(true), &json!("length")));
        assert_eq!((&last[0]["prompt_eval_count"], &last[0]["eval_count"]), (&json!(7), &json!(2)));
        assert!(speaker.event(b"[DONE]").is_empty());
    }

    #[test]
    fn tools_are_called_when_their_arguments_are_whole() {
        let mut speaker = speaker(Route::Chat);
        for (index, name, arguments) in [(0, "weather", "{\"city\":"), (0, "", "\"Rome\"}"), (1, "time", "")] {
            let call = json!({ "index": index, "function": { "name": name, "arguments": arguments } });
            assert!(event(&mut speaker, &json!({ "choices": [{ "delta": { "tool_calls": [call] } }] })).is_empty());
        }
        let told = speaker.event(b"[DONE]");
        assert_eq!(
            told[0]["message"]["tool_calls"],
            json!([
                { "function": { "name": "weather", "arguments": { "city": "Rome" } } },
                { "function": { "name": "time", "arguments": {} } },
            ])
        );
        assert_eq!(told[1]["done"], json!(true));
    }

    #[test]
    fn a_machine_that_breaks_off_is_told_of() {
        let mut speaker = speaker(Route::Generate);
        assert_eq!(
            event(&mut speaker, &json!({ "error": { "message": "it broke off" } })),
            [json!({ "error": "it broke off" })]
        );
        assert!(speaker.event(b"[DONE]").is_empty());
    }

    #[test]
    fn a_whole_answer_is_one_object() {
        let text = json!({ "choices": [{ "text": "hi", "finish_reason": "stop" }], "usage": { "prompt_tokens": 1, "completion_tokens": 1 } });
        let told = speaker(Route::Generate).whole(&text);
        assert_eq!((&told["response"], &told["done"], &told["eval_count"]), (&json!("hi"), &json!(true), &json!(1)));
        assert_eq!(speaker(Route::Chat).nothing()["done_reason"], "load");
        let found = json!({ "data": [{ "embedding": [0.5] }], "usage": { "prompt_tokens": 3 } });
        let told = embedded("m", &found, Duration::from_nanos(5));
        assert_eq!((&told["embeddings"], &told["prompt_eval_count"]), (&json!([[0.5]]), &json!(3)));
    }
}
