//! What a completion used, read off the answer as it passes: nothing is changed, and nothing malformed does harm.
//!
//! An engine says at the end how many tokens there were. An answer that is cut off has no end: then frames that carry
//! text are counted, of which engines send one for each token.

mod anthropic;
mod openai;
mod responses;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::sse;

/// The kinds of requests that the mesh passes on, by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    ChatCompletions,
    Completions,
    Responses,
    Messages,
    Embeddings,
}

// === impl Dialect ===

impl Dialect {
    pub const ALL: [Self; 5] =
        [Self::ChatCompletions, Self::Completions, Self::Responses, Self::Messages, Self::Embeddings];

    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::Embeddings => "/v1/embeddings",
        }
    }
}

/// What a completion used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt, with those that were cached. 0 until the engine says how many.
    pub input_tokens: u64,
    /// Of those, the ones that the engine had worked out for an earlier request.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// Where `output_tokens` comes from.
    pub source: UsageSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// The engine said so.
    Engine,
    /// Frames with text, counted.
    Counted,
}

/// What a frame is to whoever passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Carries a part of the answer.
    Output,
    /// Carries the usage and nothing else: a client that did not ask for it does not expect it.
    OnlyUsage,
    /// Anything else, as the last frame, a comment, or what is not understood.
    Other,
}

/// Reads one answer.
#[derive(Debug)]
pub struct Meter {
    dialect: Dialect,
    streaming: bool,
    tally: Tally,
}

/// What has been seen of an answer. `None` is what the engine has not said, which is not 0.
#[derive(Debug, Default)]
struct Tally {
    input: Option<u64>,
    cached: Option<u64>,
    output: Option<u64>,
    /// Of the output, what there was when the engine last said so before the end.
    so_far: Option<u64>,
    /// Parts of the answer that have come.
    counted: u64,
    tool_call: bool,
    complete: bool,
}

// === impl Meter ===

impl Meter {
    /// For the answer to one request. `streaming` is whether it comes as frames.
    pub fn new(dialect: Dialect, streaming: bool) -> Self {
        Self { dialect, streaming, tally: Tally::default() }
    }

    /// Takes one whole frame of a streamed answer, as [`sse::Frames`] gives them.
    pub fn frame(&mut self, frame: &[u8]) -> Frame {
        let Some(data) = sse::data(frame) else { return Frame::Other };
        if data.trim_ascii() == b"[DONE]" {
            self.tally.complete |= matches!(self.dialect, Dialect::ChatCompletions | Dialect::Completions);
            return Frame::Other;
        }
        let Ok(value) = serde_json::from_slice::<Value>(&data) else { return Frame::Other };
        let before = self.tally.counted;
        let only_usage = match self.dialect {
            Dialect::ChatCompletions => openai::chat_chunk(&value, &mut self.tally),
            Dialect::Completions => openai::text_chunk(&value, &mut self.tally),
            Dialect::Responses => responses::event(&value, &mut self.tally),
            Dialect::Messages => anthropic::event(&value, &mut self.tally),
            Dialect::Embeddings => false,
        };
        match only_usage {
            true => Frame::OnlyUsage,
            false if self.tally.counted > before => Frame::Output,
            false => Frame::Other,
        }
    }

    /// Takes the whole of an answer that is not streamed.
    pub fn body(&mut self, body: &[u8]) {
        if self.dialect == Dialect::Embeddings {
            return self.embeddings(body);
        }
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
        if is_error(&value) {
            return;
        }
        match self.dialect {
            Dialect::ChatCompletions => openai::chat_body(&value, &mut self.tally),
            Dialect::Completions => openai::text_body(&value, &mut self.tally),
            Dialect::Responses => responses::body(&value, &mut self.tally),
            Dialect::Messages => anthropic::body(&value, &mut self.tally),
            Dialect::Embeddings => {}
        }
    }

    /// Vectors are many megabytes of numbers, of which none is looked at.
    fn embeddings(&mut self, body: &[u8]) {
        #[derive(Deserialize)]
        struct Answer {
            data: Vec<IgnoredAny>,
            usage: Option<Value>,
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return };
        if let Some(usage) = answer.usage {
            openai::usage(&usage, &mut self.tally);
        }
        // They have no tokens of their own: there is nothing to say or to count.
        self.tally.output = Some(0);
        self.tally.counted = u64::from(!answer.data.is_empty());
        self.tally.complete = true;
    }

    pub fn usage(&self) -> Usage {
        let tally = &self.tally;
        // What is not streamed has no frames: one does not stand for one token.
        let counted = if self.streaming { tally.counted } else { 0 };
        // More may have come since the engine said how much there was.
        let said = tally.output.or(tally.so_far.filter(|so_far| *so_far >= counted));
        Usage {
            input_tokens: tally.input.unwrap_or(0),
            cached_tokens: tally.cached.unwrap_or(0),
            output_tokens: said.unwrap_or(counted),
            source: if said.is_some() { UsageSource::Engine } else { UsageSource::Counted },
        }
    }

    /// Of the prompt, what the engine says that it remembered, where it says that.
    pub fn cached_tokens(&self) -> Option<u64> {
        self.tally.cached
    }

    /// Whether the answer has come to its own end.
    pub fn is_complete(&self) -> bool {
        self.tally.complete
    }

    /// Whether any part of an answer has come: who asks again elsewhere would get it twice.
    pub fn has_output(&self) -> bool {
        self.tally.counted > 0 || self.tally.tool_call
    }

    /// Whether the model wants something done: another model may want something else.
    pub fn has_tool_call(&self) -> bool {
        self.tally.tool_call
    }
}

// === impl Tally ===

impl Tally {
    /// One part of the answer.
    fn count(&mut self, tool_call: bool) {
        self.counted = self.counted.saturating_add(1);
        self.tool_call |= tool_call;
    }
}

/// What the engine says, the last time it does. Whatever is no count is not said.
fn note(place: &mut Option<u64>, said: &Value) {
    if let Some(count) = said.as_u64() {
        *place = Some(count);
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether this tells of a failure in place of an answer.
fn is_error(value: &Value) -> bool {
    !value["error"].is_null() || value["type"] == "error"
}

#[cfg(test)]
mod tests;
