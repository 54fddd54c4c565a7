use std::error::Error;
use std::fmt;

use reqwest::Response;

/// A request that was refused, or got no answer at all.
#[derive(Debug, Clone)]
pub struct ApiFailure {
    /// 0 when there was no answer.
    pub status: u16,
    /// Absent when the answer is no error of the API.
    pub body: Option<api::ErrorBody>,
    /// The answer as it came, or why there was none.
    pub text: String,
    /// Seconds of the header `Retry-After`.
    pub retry_after: Option<u64>,
}

// === impl ApiFailure ===

impl ApiFailure {
    pub(super) fn unreachable(error: &reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self { status: 0, body: None, text, retry_after: None }
    }

    pub(super) async fn read(response: Response) -> Self {
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let retry_after = header.and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.unwrap_or_else(|error| error.to_string());
        Self { status, body: serde_json::from_str(&text).ok(), text, retry_after }
    }

    /// The API's code, like `NOT_FOUND`; empty when there is none.
    pub fn code(&self) -> &str {
        self.body.as_ref().map_or("", |body| &body.error)
    }

    /// The field that the API complains of.
    pub fn field(&self) -> Option<&str> {
        self.body.as_ref()?.details.as_ref()?["field"].as_str()
    }

    /// Whether it may work in a moment, as while a server restarts.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 0 | 502 | 503)
    }
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

impl Error for ApiFailure {}
