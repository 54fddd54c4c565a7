//! Ollama. It has other ways of its own to answer, but is asked for completions as others are, at `/v1`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Engine, UpstreamError, count};
use crate::offer::Found;

/// What it cuts prompts to, in silence, where nobody has said otherwise. It may be more on a large machine: what
/// is in memory says how much.
const CONTEXT: u32 = 4096;

/// What is remembered from one round of questions to the next.
#[derive(Default)]
pub(super) struct Ollama {
    /// By name and digest, how much fits into models when they are loaded.
    contexts: HashMap<(String, String), u32>,
}

// === impl Ollama ===

impl Ollama {
    pub(super) async fn models(&mut self, engine: &Engine) -> Result<Vec<Found>, UpstreamError> {
        let (installed, loaded) = tokio::try_join!(engine.get("/api/tags"), engine.get("/api/ps"))?;
        let installed = installed["models"].as_array().ok_or_else(|| UpstreamError::Unreadable("no models".into()))?;
        let mut found = Vec::new();
        let mut contexts = HashMap::new();
        for model in installed {
            let Some(name) = model["name"].as_str() else { continue };
            let key = (name.to_owned(), model["digest"].as_str().unwrap_or_default().to_owned());
            let context = match self.contexts.get(&key) {
                Some(context) => *context,
                None => context_of(&engine.post("/api/show", &json!({ "model": name })).await?),
            };
            let in_memory = of_loaded(name, &loaded);
            contexts.insert(key, context);
            found.push(Found {
                name: name.to_owned(),
                loaded: in_memory.is_some(),
                context: in_memory.flatten().unwrap_or(context),
                // It does not tell (`OLLAMA_NUM_PARALLEL`), and has one unless told otherwise.
                slots: 1,
                busy: 0,
            });
        }
        // Without those that are gone.
        self.contexts = contexts;
        Ok(found)
    }
}

/// How much fits into a model that is not in memory, by what is known of it.
fn context_of(shown: &Value) -> u32 {
    let set = shown["parameters"].as_str().unwrap_or_default().lines().find_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        value.trim().parse::<u32>().ok().filter(|_| name == "num_ctx")
    });
    let info = &shown["model_info"];
    let architecture = info["general.architecture"].as_str().unwrap_or_default();
    let trained = count(&info[format!("{architecture}.context_length")]).unwrap_or(u32::MAX);
    set.unwrap_or(CONTEXT).min(trained)
}

/// Whether a model is in memory, and how much fits into it there, which newer versions say.
fn of_loaded(name: &str, loaded: &Value) -> Option<Option<u32>> {
    let models = loaded["models"].as_array()?;
    let model = models.iter().find(|model| model["name"] == name || model["model"] == name)?;
    Some(count(&model["context_length"]).filter(|context| *context > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_what_is_set_and_no_more_than_what_the_model_knows() {
        let info = |length: u32| json!({ "general.architecture": "llama", "llama.context_length": length });
        for (shown, expected) in [
            (json!({ "model_info": info(131_072) }), CONTEXT),
            (json!({ "model_info": info(2048) }), 2048),
            (
                json!({ "model_info": info(131_072), "parameters": "stop \"<|x|>\"\nnum_ctx                        16384" }),
                16_384,
            ),
            (json!({}), CONTEXT),
        ] {
            assert_eq!(context_of(&shown), expected, "{shown}");
        }
        let loaded = json!({ "models": [{ "name": "a:latest", "context_length": 8192 }, { "name": "b:1b" }] });
        assert_eq!(of_loaded("a:latest", &loaded), Some(Some(8192)));
        assert_eq!(of_loaded("b:1b", &loaded), Some(None));
        assert_eq!(of_loaded("c", &loaded), None);
    }
}
