//! llama.cpp's server.

use serde_json::Value;

use super::{Engine, UpstreamError, count};
use crate::offer::Found;

/// The models that are in its memory: one, or those of a router (`llama-server --models-dir`). Others are not offered, as
/// nobody knows how much fits into their context before they are loaded.
pub(super) async fn models(engine: &Engine) -> Result<Vec<Found>, UpstreamError> {
    let listed = engine.get("/v1/models").await?;
    let listed = listed["data"].as_array().ok_or_else(|| UpstreamError::Unreadable("no list of models".into()))?;
    let mut found = Vec::new();
    for model in listed {
        let is_loaded = model["status"]["value"].as_str().is_none_or(|state| state == "loaded");
        if let Some(name) = model["id"].as_str().filter(|_| is_loaded) {
            found.extend(room(engine, name).await?);
        }
    }
    Ok(found)
}

/// How much fits into it, and what it works at. `None` while it is loaded into memory.
async fn room(engine: &Engine, name: &str) -> Result<Option<Found>, UpstreamError> {
    // A server with one model takes no notice of the query; another one shall not load any.
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("model", name)
        .append_pair("autoload", "false")
        .finish();
    let slots = match engine.get(&format!("/slots?{query}")).await {
        Ok(slots) => slots,
        Err(UpstreamError::Status(status)) if status == hyper::StatusCode::SERVICE_UNAVAILABLE => return Ok(None),
        // Its owner can switch that off.
        Err(UpstreamError::Status(_)) => Value::Null,
        Err(error) => return Err(error),
    };
    if let Some(found) = of_slots(name, &slots) {
        return Ok(Some(found));
    }
    match engine.get(&format!("/props?{query}")).await {
        Ok(properties) => Ok(of_properties(name, &properties)),
        Err(UpstreamError::Status(status)) if status == hyper::StatusCode::SERVICE_UNAVAILABLE => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_slots(name: &str, slots: &Value) -> Option<Found> {
    let slots = slots.as_array()?;
    let context = slots.iter().filter_map(|slot| count(&slot["n_ctx"])).min()?;
    let busy = slots.iter().filter(|slot| slot["is_processing"] == true).count();
    let [busy, slots] = [busy, slots.len()].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Some(Found { name: name.to_owned(), loaded: true, context, slots, busy })
}

fn of_properties(name: &str, properties: &Value) -> Option<Found> {
    let context = count(&properties["default_generation_settings"]["n_ctx"])?;
    let slots = count(&properties["total_slots"]).unwrap_or(1).max(1);
    Some(Found { name: name.to_owned(), loaded: true, context, slots, busy: 0 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slots_say_more_than_properties() {
        let slots = json!([
            { "id": 0, "n_ctx": 4096, "speculative": false, "is_processing": true, "id_task": 5 },
            { "id": 1, "n_ctx": 4096, "speculative": false, "is_processing": false }
        ]);
        let expected = Found { name: "m".into(), loaded: true, context: 4096, slots: 2, busy: 1 };
        assert_eq!(of_slots("m", &slots), Some(expected.clone()));
        let properties = json!({ "default_generation_settings": { "n_ctx": 4096 }, "total_slots": 2 });
        assert_eq!(of_properties("m", &properties), Some(Found { busy: 0, ..expected }));
        for nothing in [json!([]), json!({}), Value::Null, json!([{ "id": 0 }])] {
            assert_eq!((of_slots("m", &nothing), of_properties("m", &nothing)), (None, None));
        }
    }
}
