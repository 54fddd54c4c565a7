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
    /// Others write for so long, or in such an order, that this change did not happen. It may be asked for again.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// There is no room for it.
    #[error("the database's disk is full")]
    Full(#[source] sqlx::Error),
    /// The disk takes no writes at all.
    #[error("the database's disk takes no writes")]
    Unwritable(#[source] sqlx::Error),
    /// A row says what no version of ours writes.
    #[error("a stored {what} cannot be read: {value}")]
    Corrupt { what: &'static str, value: String },
    #[error("the database refused a statement")]
    Query(#[source] sqlx::Error),
    #[error("the database could not be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// Whether the file is no database of ours: torn, something else, or of another version.
    pub(crate) fn is_damage(&self) -> bool {
        use sqlx::migrate::MigrateError;
        match self {
            Self::Unavailable(error) | Self::Query(error) | Self::Migrate(MigrateError::Execute(error)) => {
                is_torn(error)
            }
            Self::Migrate(MigrateError::ExecuteMigration(..)) => true,
            Self::Migrate(error) => matches!(
                error,
                MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::Dirty(_)
            ),
            _ => false,
        }
    }
}

/// SQLite's CORRUPT and NOTADB.
fn is_torn(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    code.and_then(|code| code.parse::<i64>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.kind() == ErrorKind::UniqueViolation => Self::Taken(error),
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(database) => match database.code().as_deref().and_then(trouble) {
                Some(Trouble::Gone) => Self::Unavailable(error),
                Some(Trouble::Busy) => Self::Busy(error),
                Some(Trouble::Full) => Self::Full(error),
                Some(Trouble::Unwritable) => Self::Unwritable(error),
                None => Self::Query(error),
            },
            _ => Self::Query(error),
        }
    }
}

/// What is wrong with the database rather than with the statement.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// Its file or server is not there.
    Gone,
    /// A lock did not come, or others were in the way.
    Busy,
    Full,
    Unwritable,
}

fn trouble(code: &str) -> Option<Trouble> {
    // A SQLSTATE has five characters, and no code of SQLite has as many.
    if code.len() == 5 {
        return match code {
            // Serialization failure, deadlock, lock not available.
            "40001" | "40P01" | "55P03" => Some(Trouble::Busy),
            "53100" => Some(Trouble::Full),
            // No connection, no resources, shutting down.
            _ if ["08", "53", "57P"].iter().any(|class| code.starts_with(class)) => Some(Trouble::Gone),
            _ => None,
        };
    }
    let code = code.parse::<i64>().ok()?;
    match code {
        // IOERR_SHMSIZE: what several connections share could not be made larger.
        4874 => return Some(Trouble::Full),
        // IOERR_WRITE, _FSYNC, _DIR_FSYNC, _TRUNCATE, _DELETE, _SHMOPEN. The kernel's reason is not told along.
        778 | 1034 | 1290 | 1546 | 2570 | 4618 => return Some(Trouble::Unwritable),
        _ => {}
    }
    match code & 0xff {
        // BUSY, LOCKED.
        5 | 6 => Some(Trouble::Busy),
        8 => Some(Trouble::Unwritable),
        13 => Some(Trouble::Full),
        // IOERR, CORRUPT, CANTOPEN, NOTADB.
        10 | 11 | 14 | 26 => Some(Trouble::Gone),
        _ => None,
    }
}

/// Reads a stored word back into its type.
pub(crate) fn parse<T: std::str::FromStr>(what: &'static str, value: &str) -> StoreResult<T> {
    value.parse().map_err(|_| StoreError::Corrupt { what, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{Trouble, trouble};

    #[test]
    fn what_may_be_tried_again_is_told_from_what_is_wrong() {
        for busy in ["40001", "40P01", "55P03", "5", "517", "6", "262"] {
            assert_eq!(trouble(busy), Some(Trouble::Busy), "{busy}");
        }
        for gone in ["57P01", "08006", "53300", "14", "10", "266", "26"] {
            assert_eq!(trouble(gone), Some(Trouble::Gone), "{gone}");
        }
        for full in ["53100", "13", "4874"] {
            assert_eq!(trouble(full), Some(Trouble::Full), "{full}");
        }
        for unwritable in ["8", "776", "778", "1034"] {
            assert_eq!(trouble(unwritable), Some(Trouble::Unwritable), "{unwritable}");
        }
        // 22021 would be BUSY, were its last byte looked at as SQLite's is.
        for wrong in ["22021", "23505", "42601", "1", "19", "787"] {
            assert_eq!(trouble(wrong), None, "{wrong}");
        }
    }
}
