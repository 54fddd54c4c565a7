use sqlx::error::ErrorKind;

/// What went wrong, by what a caller would do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row holds this unique value.
    #[error("the value is taken")]
    Taken(#[source] sqlx::Error),
    /// The database does not answer.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A row says what no version of ours writes.
    #[error("a stored {what} cannot be read: {value}")]
    Corrupt { what: &'static str, value: String },
    #[error("the database refused a statement")]
    Query(#[source] sqlx::Error),
    #[error("the database could not be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

pub type StoreResult<T> = Result<T, StoreError>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.kind() == ErrorKind::UniqueViolation => Self::Taken(error),
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unavailable(error)
            }
            // Both engines say this when their file or server has gone.
            sqlx::Error::Database(database) if dialect_gone(database.code().as_deref()) => Self::Unavailable(error),
            _ => Self::Query(error),
        }
    }
}

/// SQLite: CANTOPEN, IOERR, CORRUPT, NOTADB. PostgreSQL: class 57P, server shutting down.
fn dialect_gone(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    match code.parse::<i64>() {
        Ok(sqlite) => matches!(sqlite & 0xff, 10 | 11 | 14 | 26),
        Err(_) => code.starts_with("57P"),
    }
}

/// Reads a stored word back into its type.
pub(crate) fn parse<T: std::str::FromStr>(what: &'static str, value: &str) -> StoreResult<T> {
    value.parse().map_err(|_| StoreError::Corrupt { what, value: value.to_owned() })
}

/// PostgreSQL's text has no NUL; what a process wrote may.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
