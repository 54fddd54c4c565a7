//! Responses, as OpenAI has them.

use serde_json::Value;

use super::{Tally, is_text, note};

/// No event has usage alone.
pub(super) fn event(value: &Value, tally: &mut Tally) -> bool {
    let kind = value["type"].as_str().unwrap_or_default();
    match kind {
        // The second is for an answer that has become as long as it may.
        "response.completed" | "response.incomplete" => {
            usage(&value["response"]["usage"], tally);
            tally.complete = true;
        }
        "response.output_item.added" => tally.tool_call |= is_call(&value["item"]),
        _ if kind.starts_with("response.") && kind.ends_with(".delta") && is_text(&value["delta"]) => {
            let calls = kind.contains("_call");
            tally.count(calls);
        }
        _ => {}
    }
    false
}

pub(super) fn body(value: &Value, tally: &mut Tally) {
    let items = value["output"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in items {
        tally.count(is_call(item));
    }
    usage(&value["usage"], tally);
    // One that is queued, or in progress, is not here.
    let has_ended = value["status"].as_str().is_none_or(|status| ["completed", "incomplete"].contains(&status));
    tally.complete = value["output"].is_array() && has_ended;
}

fn usage(usage: &Value, tally: &mut Tally) {
    note(&mut tally.input, &usage["input_tokens"]);
    note(&mut tally.cached, &usage["input_tokens_details"]["cached_tokens"]);
    note(&mut tally.output, &usage["output_tokens"]);
}

fn is_call(item: &Value) -> bool {
    item["type"].as_str().is_some_and(|kind| kind.ends_with("_call"))
}
