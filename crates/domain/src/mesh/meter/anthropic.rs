//! Messages, as Anthropic has them.

use serde_json::Value;

use super::{Tally, is_text, note};

/// Of a content block's delta, what is a part of the answer.
const TEXTS: [&str; 3] = ["text", "thinking", "partial_json"];

/// No event has usage alone.
pub(super) fn event(value: &Value, tally: &mut Tally) -> bool {
    match value["type"].as_str().unwrap_or_default() {
        // Says of the output only how it begins.
        "message_start" => input(&value["message"]["usage"], tally),
        "content_block_start" => tally.tool_call |= is_call(&value["content_block"]),
        "content_block_delta" => {
            let delta = &value["delta"];
            if TEXTS.iter().any(|name| is_text(&delta[*name])) {
                tally.count(is_text(&delta["partial_json"]));
            }
        }
        "message_delta" => {
            input(&value["usage"], tally);
            note(&mut tally.output, &value["usage"]["output_tokens"]);
        }
        "message_stop" => tally.complete = true,
        _ => {}
    }
    false
}

pub(super) fn body(value: &Value, tally: &mut Tally) {
    let blocks = value["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    for block in blocks {
        tally.count(is_call(block));
    }
    input(&value["usage"], tally);
    note(&mut tally.output, &value["usage"]["output_tokens"]);
    tally.complete = value["content"].is_array();
}

/// What was cached, read or written, is not part of `input_tokens` here.
fn input(usage: &Value, tally: &mut Tally) {
    let Some(new) = usage["input_tokens"].as_u64() else { return };
    let read = usage["cache_read_input_tokens"].as_u64().unwrap_or(0);
    let written = usage["cache_creation_input_tokens"].as_u64().unwrap_or(0);
    tally.input = Some(new.saturating_add(read).saturating_add(written));
    tally.cached = Some(read);
}

fn is_call(block: &Value) -> bool {
    block["type"].as_str().is_some_and(|kind| kind.ends_with("tool_use"))
}
