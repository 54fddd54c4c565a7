//! One id type per noun: a ULID in lower case, so ids sort by age.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::Invalid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String")]
        #[schema(value_type = String, example = "01j9z3k4w5x6y7z8a9b0c1d2e3")]
        pub struct $name(String);

        impl $name {
            /// A new id, later than every id that this process made before it in another millisecond.
            #[expect(clippy::new_without_default, reason = "a default id would be a fresh random one")]
            pub fn new() -> Self {
                Self(fresh().to_string().to_ascii_lowercase())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

id! {
    /// A person with an account.
    UserId,
    /// A browser's sign-in.
    SessionId,
    /// An API token.
    TokenId,
    /// A machine that runs workloads for us.
    NodeId,
    /// An invitation of one machine.
    JoinTokenId,
    /// One repository and how to run it.
    ProjectId,
    /// One try to bring one commit of a project live. Also names the build and the workload that come from it.
    DeploymentId,
    /// What a successful build produced.
    ReleaseId,
    /// One run of a command to its end: a scheduled job, a release command, a one-off.
    RunId,
    /// A checkout of a project on a node, where one person works.
    WorkspaceId,
    /// A terminal of a workspace.
    TerminalId,
    /// A link by which others may watch a terminal.
    TerminalLinkId,
    /// A machine's part in the mesh.
    EnrolmentId,
    /// One request for a model.
    CompletionId,
    /// A company that serves models, and the key by which it is asked.
    HostedProviderId,
    /// Credits that were moved from accounts to others.
    LedgerTransactionId,
    /// A place where people are told of what happens.
    NotificationChannelId,
    /// The telling of one fact to one channel.
    NotificationDeliveryId,
}

impl WorkspaceId {
    /// What a node knows its files, users and processes by: a group of their own.
    pub fn group(&self) -> ProjectId {
        ProjectId(self.0.clone())
    }
}

impl TerminalId {
    /// The same 128 bits as a UUID (RFC 9562), for clients that number terminals themselves.
    pub fn to_uuid(&self) -> String {
        // Nothing else is ever in one.
        let bits = ulid::Ulid::from_string(&self.0).unwrap_or_default();
        uuid::Uuid::from_u128(bits.0).to_string()
    }

    /// # Errors
    /// When the text is no UUID.
    pub fn from_uuid(text: &str) -> Result<Self, Invalid> {
        let bits = text.parse::<uuid::Uuid>().map_err(|_| Invalid::new("an id is a UUID"))?.as_u128();
        Ok(Self(ulid::Ulid(bits).to_string().to_ascii_lowercase()))
    }
}

/// Lists and what is kept of them go by id: where the clock goes back, ids stand still.
fn fresh() -> ulid::Ulid {
    static LATEST_MS: AtomicU64 = AtomicU64::new(0);
    let id = ulid::Ulid::new();
    let latest = LATEST_MS.fetch_max(id.timestamp_ms(), Ordering::Relaxed);
    ulid::Ulid::from_parts(latest.max(id.timestamp_ms()), id.random())
}

fn parse(text: &str) -> Result<String, Invalid> {
    let well_formed = text.len() == 26
        && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        && ulid::Ulid::from_string(text).is_ok();
    if well_formed { Ok(text.to_owned()) } else { Err(Invalid::new("an id is 26 lower-case letters and digits")) }
}

#[cfg(test)]
mod tests {
    use super::{ProjectId, TerminalId};

    #[test]
    fn ids_round_trip_and_refuse_everything_else() {
        let id = ProjectId::new();
        assert_eq!(id.as_str().parse::<ProjectId>().unwrap(), id);
        for bad in ["", "x", "../../etc/passwd", "01J9Z3K4W5X6Y7Z8A9B0C1D2E3", "01j9z3k4w5x6y7z8a9b0c1d2e!"] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_terminal_has_a_uuid_and_a_uuid_is_a_terminal() {
        let id = TerminalId::new();
        assert_eq!(TerminalId::from_uuid(&id.to_uuid()).unwrap(), id);
        for text in ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"] {
            let id = TerminalId::from_uuid(text).unwrap();
            assert_eq!(id.as_str().parse::<TerminalId>().unwrap().to_uuid(), text);
        }
        assert!(TerminalId::from_uuid("terminal-1").is_err());
    }
}
