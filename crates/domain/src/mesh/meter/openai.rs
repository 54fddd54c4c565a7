//! Chat completions and completions, as OpenAI has them and llama.cpp adds to them.

use serde_json::Value;

use super::{Tally, is_error, is_text, note};

/// Of a chat's delta or message, what is a part of the answer. Engines call thoughts differently.
const TEXTS: [&str; 5] = ["content", "reasoning_content", "reasoning", "thinking", "refusal"];

/// Tells whether there is nothing but usage.
pub(super) fn chat_chunk(value: &Value, tally: &mut Tally) -> bool {
    chunk(value, tally, |choice, tally| chat_part(&choice["delta"], tally))
}

/// Tells whether there is nothing but usage.
pub(super) fn text_chunk(value: &Value, tally: &mut Tally) -> bool {
    chunk(value, tally, text_part)
}

pub(super) fn chat_body(value: &Value, tally: &mut Tally) {
    body(value, tally, |choice, tally| chat_part(&choice["message"], tally));
}

pub(super) fn text_body(value: &Value, tally: &mut Tally) {
    body(value, tally, text_part);
}

/// Also that of embeddings.
pub(super) fn usage(usage: &Value, tally: &mut Tally) {
    note(&mut tally.input, &usage["prompt_tokens"]);
    note(&mut tally.cached, &usage["prompt_tokens_details"]["cached_tokens"]);
    note(&mut tally.output, &usage["completion_tokens"]);
}

fn chunk(value: &Value, tally: &mut Tally, part: impl Fn(&Value, &mut Tally)) -> bool {
    if is_error(value) {
        return false;
    }
    for choice in choices(value) {
        part(choice, tally);
    }
    engine(value, tally);
    value["usage"].is_object() && value["choices"].as_array().is_some_and(Vec::is_empty)
}

fn body(value: &Value, tally: &mut Tally, part: impl Fn(&Value, &mut Tally)) {
    for choice in choices(value) {
        part(choice, tally);
    }
    engine(value, tally);
    tally.complete = value["choices"].is_array();
}

fn choices(value: &Value) -> impl Iterator<Item = &Value> {
    value["choices"].as_array().into_iter().flatten()
}

fn chat_part(said: &Value, tally: &mut Tally) {
    let calls =
        said["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()) || said["function_call"].is_object();
    if calls || TEXTS.iter().any(|name| is_text(&said[*name])) {
        tally.count(calls);
    }
}

fn text_part(choice: &Value, tally: &mut Tally) {
    if is_text(&choice["text"]) {
        tally.count(false);
    }
}

/// llama.cpp can say how far it is before the end, which is all that there is of an answer that is cut off: in `timings`
/// (with `timings_per_token`) and in `prompt_progress` (with `return_progress`).
fn engine(value: &Value, tally: &mut Tally) {
    let timings = &value["timings"];
    if let (Some(new), Some(cached)) = (timings["prompt_n"].as_u64(), timings["cache_n"].as_u64()) {
        tally.input = Some(new.saturating_add(cached));
        tally.cached = Some(cached);
    }
    note(&mut tally.so_far, &timings["predicted_n"]);
    // While the prompt is read, timings have only what has been read of it.
    let progress = &value["prompt_progress"];
    note(&mut tally.input, &progress["total"]);
    note(&mut tally.cached, &progress["cache"]);
    usage(&value["usage"], tally);
}
