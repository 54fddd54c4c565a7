//! What can go wrong, without a transport; the only file that maps it to HTTP.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

/// By what the caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    TooMany {
        retry_after_seconds: i64,
    },
    /// More than `limit` in a time that is over in `left_seconds`.
    RateLimited {
        limit: u32,
        left_seconds: u32,
    },
    Unavailable,
    NoRoom,
    Internal,
}

/// A failed operation: a stable code and a sentence for the person, a cause for the log.
#[derive(Debug)]
pub(crate) struct Error {
    kind: Kind,
    code: Cow<'static, str>,
    message: String,
    field: Option<String>,
    /// Everything that is wrong, where that is more than the field above.
    problems: Box<[Problem]>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A field of a request that says what it may not.
#[derive(Debug)]
struct Problem {
    field: String,
    code: &'static str,
    message: String,
}

/// What is wrong with a request, collected so that all of it is said at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Problems {
    pub(crate) fn add(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(Problem { field: field.to_owned(), code, message: message.into() });
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What was read, if nothing was wrong. Code and field are those of the first problem.
    pub(crate) fn none<T>(self, read: Option<T>) -> Result<T> {
        let Some(first) = self.0.first() else {
            return read.ok_or_else(|| Error::malformed(None, "the request cannot be understood"));
        };
        let message = self.0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ");
        Err(Error::invalid(&first.field, first.code, message).with(self.0))
    }
}

impl Error {
    fn with(self, problems: Vec<Problem>) -> Self {
        Self { problems: problems.into(), ..self }
    }

    fn new(kind: Kind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), field: None, problems: Box::default(), cause: None }
    }

    /// A field of the request says what it may not.
    pub(crate) fn invalid(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Kind::Invalid, code, message) }
    }

    pub(crate) fn malformed(field: Option<String>, message: impl Into<String>) -> Self {
        Self { field, ..Self::new(Kind::Invalid, "INVALID_REQUEST", message) }
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            Kind::Unauthenticated,
            "UNAUTHENTICATED",
            "sign in, or send an API token as `Authorization: Bearer nst_…`",
        )
    }

    pub(crate) fn bad_credentials() -> Self {
        Self::new(Kind::Unauthenticated, "BAD_CREDENTIALS", "user name or password is wrong")
    }

    /// A machine, or somebody else without an account, did not prove what it had to.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, code, message)
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, code, message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "NOT_FOUND", format!("there is no such {what}"))
    }

    /// What the operator has not switched on; says how.
    pub(crate) fn switched_off(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    pub(crate) fn metrics_token_missing() -> Self {
        Self::new(
            Kind::Unauthenticated,
            "UNAUTHENTICATED",
            "send the server's `metrics.token` as `Authorization: Bearer …`",
        )
    }

    /// There could be one, and here is not.
    pub(crate) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            "METHOD_NOT_ALLOWED",
            "this route does not take that method; docs/API.md lists what it takes",
        )
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// What a node says to a request: that it has no room, or that it cannot be done as things are.
    pub(crate) fn of_node(failure: wire::Failure, has_room: bool) -> Self {
        Self::new(if has_room { Kind::Conflict } else { Kind::NoRoom }, failure.code, failure.reason)
    }

    /// What the log says of it.
    pub(crate) fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// The request's field that the error is about.
    pub(crate) fn at(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, "TOO_LARGE", message)
    }

    pub(crate) fn locked_out(retry_after_seconds: i64) -> Self {
        Self::new(
            Kind::TooMany { retry_after_seconds },
            "TOO_MANY_ATTEMPTS",
            format!("too many failed sign-ins; try again in {retry_after_seconds} s"),
        )
    }

    /// More people sign in at once, or more from one address, than passwords can be compared.
    pub(crate) fn sign_in_busy() -> Self {
        Self::new(
            Kind::TooMany { retry_after_seconds: 2 },
            "TOO_MANY_ATTEMPTS",
            "too many sign-ins wait at this moment; try again in 2 s",
        )
    }

    /// Says what there may be how often.
    pub(crate) fn rate_limited(what: &str, limit: u32, left_seconds: u32) -> Self {
        let kind = Kind::RateLimited { limit, left_seconds };
        Self::new(kind, "RATE_LIMIT_EXCEEDED", format!("{what}; try again in {left_seconds} s"))
    }

    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code, message)
    }

    fn disk_full() -> Self {
        Self::new(
            Kind::NoRoom,
            "DISK_FULL",
            "the disk of the server is full, so nothing can be changed; make room on it and try again",
        )
    }

    pub(crate) fn no_room_for_upload(free_mb: u64, reserve_mb: u64) -> Self {
        let message = format!(
            "the disk of the server has {free_mb} MB left, and the last {reserve_mb} MB are not for uploads \
             (limits.disk_reserve_mb); make room on it and try again"
        );
        Self::new(Kind::NoRoom, "DISK_FULL", message)
    }

    fn disk_read_only() -> Self {
        Self::unavailable(
            "DISK_READ_ONLY",
            "the disk of the server takes no writes: it is mounted read-only, which Linux does after an error of the \
             disk; look at `dmesg`, repair the file system and start the server again",
        )
    }

    /// A file of the server's own could not be written or read.
    pub(crate) fn io(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::disk_full().because(error),
            ReadOnlyFilesystem => Self::disk_read_only().because(error),
            _ => Self::internal(error),
        }
    }

    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(Kind::Internal, "INTERNAL", "something went wrong on the server; its log says what")
        }
    }

    /// Whether it is so again the next time, unless somebody does something about it.
    pub(crate) fn is_lasting(&self) -> bool {
        self.kind == Kind::Conflict
    }

    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.kind == Kind::Unauthenticated
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// Whether it may be otherwise in a moment, without anybody's doing.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Internal)
    }

    /// Code and sentence, for what is told later than in an answer.
    pub(crate) fn told(&self) -> (&str, &str) {
        (&self.code, &self.message)
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::TooMany { .. } | Kind::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(_) => Self {
                cause: Some(error.into()),
                ..Self::conflict("CONFLICT", "somebody else changed this at the same moment; read it again")
            },
            StoreError::Unavailable(_) => Self {
                cause: Some(error.into()),
                ..Self::unavailable("DATABASE_UNAVAILABLE", "the database does not answer; try again in a moment")
            },
            StoreError::Busy(_) => Self {
                cause: Some(error.into()),
                ..Self::unavailable("DATABASE_BUSY", "the database is busy with other changes; try again in a moment")
            },
            StoreError::Full(_) => Self::disk_full().because(error),
            StoreError::Unwritable(_) => Self::disk_read_only().because(error),
            StoreError::Corrupt { .. } | StoreError::Query(_) | StoreError::Migrate(_) => Self::internal(error),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        match self.kind {
            Kind::Internal => tracing::error!(error = %self, "a request failed"),
            // Of something outside, which says so itself.
            _ if status.is_server_error() => tracing::warn!(error = %self, "a request failed"),
            _ => {}
        }
        let details = self.field.as_ref().map(|field| {
            let mut details = json!({ "field": field });
            if !self.problems.is_empty() {
                let problem = |it: &Problem| json!({ "field": it.field, "error": it.code, "message": it.message });
                details["problems"] = self.problems.iter().map(problem).collect();
            }
            details
        });
        let body = api::ErrorBody { error: self.code.into_owned(), message: self.message, details };
        let mut response = (status, axum::Json(body)).into_response();
        let retry_after = match self.kind {
            Kind::TooMany { retry_after_seconds } => Some(retry_after_seconds),
            Kind::RateLimited { left_seconds, .. } => Some(left_seconds.into()),
            Kind::Unavailable => Some(2),
            _ => None,
        };
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Kind::RateLimited { limit, left_seconds } = self.kind {
            let reset = crate::now_ms() / 1000 + i64::from(left_seconds);
            for (name, value) in [
                ("x-ratelimit-limit", HeaderValue::from(limit)),
                ("x-ratelimit-remaining", HeaderValue::from(0)),
                ("x-ratelimit-reset", HeaderValue::from(reset)),
            ] {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
