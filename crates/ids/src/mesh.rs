//! Names and states of the mesh.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::state::text_enum;

text_enum! {
    /// What a machine of the mesh does there.
    MeshNodeKind {
        /// It serves models.
        Agent = "agent",
        /// It brings requests and machines together.
        Coordinator = "coordinator",
    }
}

text_enum! {
    /// Where an owner's wish that a machine take part in the mesh stands. `pending → active ⇄ suspended`, or `rejected`.
    EnrolmentState {
        /// Nobody has said yes yet.
        Pending = "pending",
        /// It takes part.
        Active = "active",
        /// It took part, and may not at this moment.
        Suspended = "suspended",
        /// Somebody said no before it took part.
        Rejected = "rejected",
    }
}

text_enum! {
    /// What a hosted provider is asked in.
    HostedProviderKind {
        /// OpenAI's interface, which most companies have: chat completions, completions, responses, embeddings.
        OpenAi = "openai",
        /// Anthropic's: messages.
        Anthropic = "anthropic",
    }
}

text_enum! {
    /// How a completion stands, or ended.
    CompletionState {
        /// Credits are set aside for it.
        Held = "held",
        /// Answered to its end.
        Done = "done",
        /// Whoever asked hung up before its end; what was produced by then is paid.
        Cancelled = "cancelled",
        /// It broke off; what was produced by then is paid.
        Broken = "broken",
        /// Nothing was produced.
        Failed = "failed",
    }
}

/// What a machine of the mesh is called: 3 to 64 lower-case letters, digits, dots, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, example = "ada-workstation")]
pub struct MeshNodeId(String);

impl MeshNodeId {
    /// What the coordinator has beside the machines of the mesh is called so; no machine is.
    const OF_THE_COORDINATOR: &str = "coordinator.";

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the coordinator asks for models itself, which is no machine of the mesh.
    ///
    /// # Errors
    /// Where `name` is none of a machine.
    pub fn of_coordinator(name: &str) -> Result<Self, Invalid> {
        format!("{}{name}", Self::OF_THE_COORDINATOR).parse()
    }

    pub fn is_of_coordinator(&self) -> bool {
        self.0.starts_with(Self::OF_THE_COORDINATOR)
    }
}

impl FromStr for MeshNodeId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = (3..=64).contains(&text.len())
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || b"._-".contains(&byte));
        well_formed.then(|| Self(text.to_owned())).ok_or_else(|| {
            Invalid::new(
                "a machine's name in the mesh has 3 to 64 lower-case letters, digits, dots, hyphens and underscores, \
                 and begins with a letter or digit",
            )
        })
    }
}

impl TryFrom<String> for MeshNodeId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl std::fmt::Display for MeshNodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::MeshNodeId;

    #[test]
    fn a_machine_has_a_plain_name() {
        for good in ["ada", "ada-workstation", "gpu_1.example", &"a".repeat(64)] {
            assert_eq!(good.parse::<MeshNodeId>().unwrap().as_str(), good);
        }
        for bad in ["", "ab", "-ada", "Ada", "a%a", "a b c", "../x", &"a".repeat(65)] {
            assert!(bad.parse::<MeshNodeId>().is_err(), "{bad}");
        }
    }
}
