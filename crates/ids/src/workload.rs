use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DeploymentId, Invalid, RunId, TerminalId, WorkspaceId};

/// One confined process that a node looks after: the build or the web process of a deployment (the
/// deployment's id), another process of it (`<deployment>.<process>`), a run (the run's id), a workspace (its id) or a
/// terminal of one (`<workspace>.<terminal>`).
/// Names its directory, cgroup and log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WorkloadId(String);

/// Name of a process of a project, as in a Procfile: lower-case letters, digits, `-` and `_`, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProcessName(String);

const NAME_MAX: usize = 32;

impl WorkloadId {
    /// The workload of a process other than `web`.
    pub fn process(deployment: &DeploymentId, process: &ProcessName) -> Self {
        Self(format!("{deployment}.{}", process.0))
    }

    /// The shell of a terminal.
    pub fn terminal(workspace: &WorkspaceId, terminal: &TerminalId) -> Self {
        Self(format!("{workspace}.{terminal}"))
    }

    /// A step of a workspace's start, by a name of our own.
    pub fn step(workspace: &WorkspaceId, name: &'static str) -> Self {
        debug_assert!(name.parse::<ProcessName>().is_ok());
        Self(format!("{workspace}.{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id before the process's name: a deployment's or a run's.
    pub fn base(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The process's name; absent for builds, web processes and runs.
    pub fn process_name(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, name)| name)
    }
}

impl From<&DeploymentId> for WorkloadId {
    fn from(id: &DeploymentId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl From<&RunId> for WorkloadId {
    fn from(id: &RunId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl From<&WorkspaceId> for WorkloadId {
    fn from(id: &WorkspaceId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl FromStr for WorkloadId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (base, name) = text.split_once('.').map_or((text, None), |(base, name)| (base, Some(name)));
        base.parse::<DeploymentId>()?;
        name.map(str::parse::<ProcessName>).transpose()?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for WorkloadId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ProcessName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcessName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = text.len() <= NAME_MAX
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|byte| word(byte) || b"-_".contains(&byte));
        if well_formed {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new("a process name is up to 32 lower-case letters, digits, - and _, the first a letter or digit"))
    }
}

impl TryFrom<String> for ProcessName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_nothing_outside_of_its_directory() {
        let deployment = DeploymentId::new();
        let id = WorkloadId::process(&deployment, &"worker-2".parse().unwrap());
        assert_eq!(id.as_str().parse::<WorkloadId>().unwrap(), id);
        assert_eq!((id.base(), id.process_name()), (deployment.as_str(), Some("worker-2")));
        assert_eq!(WorkloadId::from(&deployment).process_name(), None);
        for bad in ["", ".worker", "../x", "01j9z3k4w5x6y7z8a9b0c1d2e3.", "01j9z3k4w5x6y7z8a9b0c1d2e3.a/b"] {
            assert!(bad.parse::<WorkloadId>().is_err(), "{bad}");
        }
        for bad in ["", "-a", "Web", "a.b", &"x".repeat(33)] {
            assert!(bad.parse::<ProcessName>().is_err(), "{bad}");
        }
    }
}
