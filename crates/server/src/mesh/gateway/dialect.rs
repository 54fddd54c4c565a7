//! Errors as the programs of each dialect read them.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::mesh::meter::Dialect;
use serde_json::{Value, json};

use crate::error::Error;

/// What is told to a program, with a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    status: u16,
    code: String,
    message: String,
    /// Seconds until it is worth to ask again, of what passes.
    retry_after: u64,
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        let status = error.status();
        if status.is_server_error() {
            tracing::warn!(%error, "a request for a model failed");
        }
        let (code, message) = error.told();
        Self::new(status.as_u16(), &code.to_ascii_lowercase(), message)
    }
}

// === impl Told ===

impl Told {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after: 2 }
    }

    pub(super) fn after(self, wait: Duration) -> Self {
        Self { retry_after: wait.as_secs() + 1, ..self }
    }

    /// OpenAI's and Anthropic's word for it.
    fn kind(&self, dialect: Dialect) -> &'static str {
        match (self.status, dialect) {
            (401, Dialect::Messages) => "authentication_error",
            (403, Dialect::Messages) => "permission_error",
            (404, Dialect::Messages) => "not_found_error",
            (413, Dialect::Messages) => "request_too_large",
            (429, Dialect::Messages) => "rate_limit_error",
            (503, Dialect::Messages) => "overloaded_error",
            (402, Dialect::Messages) => "billing_error",
            (402, _) => "insufficient_quota",
            (429, _) => "rate_limit_error",
            (500.., Dialect::Messages) => "api_error",
            (500.., _) => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn body(&self, dialect: Dialect) -> Value {
        let kind = self.kind(dialect);
        match dialect {
            Dialect::Messages => {
                json!({ "type": "error", "error": { "type": kind, "message": self.message, "code": self.code } })
            }
            _ => json!({ "error": { "message": self.message, "type": kind, "code": self.code, "param": null } }),
        }
    }

    pub(super) fn into_response(self, dialect: Dialect) -> Response {
        self.with_body(self.body(dialect))
    }

    /// As Ollama's programs read it.
    pub(super) fn in_a_sentence(self) -> Response {
        self.with_body(json!({ "error": self.message }))
    }

    fn with_body(&self, body: Value) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        if matches!(self.status, 429 | 503) {
            response.headers_mut().insert(header::RETRY_AFTER, self.retry_after.into());
        }
        response
    }

    /// The same within a stream that has begun.
    pub(super) fn frame(&self, dialect: Dialect) -> String {
        let body = self.body(dialect);
        match dialect {
            Dialect::Messages => format!("event: error\ndata: {body}\n\n"),
            Dialect::Responses => {
                let error = json!({ "type": "error", "code": self.code, "message": self.message, "param": null });
                format!("event: error\ndata: {error}\n\n")
            }
            _ => format!("data: {body}\n\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_own_words() {
        let told = Told::new(402, "insufficient_credits", "too few");
        assert_eq!(told.body(Dialect::ChatCompletions)["error"]["type"], "insufficient_quota");
        assert_eq!(told.body(Dialect::Messages)["type"], "error");
        assert_eq!(told.body(Dialect::Messages)["error"]["type"], "billing_error");
        let broken = Told::new(502, "upstream_broken", "it broke off");
        assert!(broken.frame(Dialect::ChatCompletions).starts_with("data: {\"error\""));
        assert!(broken.frame(Dialect::Messages).starts_with("event: error\n"));
    }
}
