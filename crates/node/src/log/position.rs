//! Where a reader of a group's logs stands.

use std::collections::BTreeMap;
use std::fmt;

use ids::WorkloadId;

/// A line's place in the order of a group's lines: by time, then by workload, then by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(super) at_ms: i64,
    pub(super) workload: WorkloadId,
    pub(super) number: u64,
}

/// What a reader has been given. A late line is one that comes after lines with a later place,
/// as two processes do not write to disk in the order of their clocks: so no single place says
/// what is missing. It takes the number of the last line of each workload that may still write;
/// of one that is over, everything up to `high` has been given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// The latest place of any line given.
    pub(super) high: Option<Place>,
    /// The last number given of workloads besides that of `high`. Absent: all of them are to be
    /// taken for over, as in a position that somebody made of a place.
    pub(super) open: Option<BTreeMap<WorkloadId, u64>>,
}

impl Place {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (at_ms, rest) = text.split_once('-')?;
        // A workload's name may have the sign in it.
        let (workload, number) = rest.rsplit_once('-')?;
        Some(Self { at_ms: at_ms.parse().ok()?, workload: workload.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.at_ms, self.workload, self.number)
    }
}

impl Position {
    /// The last number given of a workload that this position names.
    pub(super) fn of(&self, workload: &WorkloadId) -> Option<u64> {
        let high = self.high.as_ref().filter(|high| &high.workload == workload);
        high.map(|high| high.number).or_else(|| self.open.as_ref()?.get(workload).copied())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let high = match parts.next()? {
            "" => None,
            high => Some(Place::parse(high)?),
        };
        // A complete position has at least one of the signs.
        let mut open = None;
        for part in parts {
            let open = open.get_or_insert_with(BTreeMap::new);
            if !part.is_empty() {
                let (workload, number) = part.rsplit_once('-')?;
                open.insert(workload.parse().ok()?, number.parse().ok()?);
            }
        }
        (high.is_some() || open.is_some()).then_some(Self { high, open })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(high) = &self.high {
            write!(f, "{high}")?;
        }
        let Some(open) = &self.open else { return Ok(()) };
        let mut alone = true;
        for (workload, number) in open {
            if self.high.as_ref().is_none_or(|high| &high.workload != workload) {
                write!(f, "~{workload}-{number}")?;
                alone = false;
            }
        }
        if alone { f.write_str("~") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        let (a, b) = (WorkloadId::from(&ids::DeploymentId::new()), WorkloadId::from(&ids::DeploymentId::new()));
        for text in
            ["~".to_owned(), format!("~{a}-3"), format!("5-{a}-7"), format!("5-{a}-7~"), format!("5-{a}-7~{b}-0")]
        {
            assert_eq!(Position::parse(&text).unwrap().to_string(), text);
        }
        for text in ["", "5", "5-x-7", "~x-1", "x~"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
