//! What may be asked of a machine's logs. Whatever cannot is refused, and never answered with nothing.

use ids::{LogLevel, MachineLogSource};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::MachineLogQuery;

use crate::error::{Error, Result};

/// A longer one would not fit into a request to the node.
const SEARCH_MAX: usize = 1000;
const CURSOR_MAX: usize = 512;
const NAME_MAX: usize = 255;
const DOCKER: &str = "docker:";

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    /// `all`, which is also meant when it is absent, `agent`, `cloud-init`, `docker`, `docker:<container>` or `systemd`.
    source: Option<String>,
    /// The least that matters: `error`, `warn`, `info` (when absent) or `debug`.
    level: Option<String>,
    /// Only this container's lines; its name or id.
    container: Option<String>,
    /// Only this unit's lines; one of NanoScale's.
    unit: Option<String>,
    /// RFC 3339, or `-1h` before now; only lines of this time and later ones.
    since: Option<String>,
    /// The same; only earlier lines. Not on a stream.
    until: Option<String>,
    /// Only lines with this text in them, whatever its case.
    search: Option<String>,
    /// `next_cursor` of the page after. Not on a stream.
    cursor: Option<String>,
    /// At most so many lines, 200 when absent, up to 1000, unless the server is set up otherwise.
    limit: Option<usize>,
    /// On a stream: go on after the event of this id; `Last-Event-ID` says the same.
    after: Option<String>,
}

impl LogsQuery {
    /// For a page of `usual` lines, or of at most `max`.
    pub(super) fn page(self, usual: usize, max: usize) -> Result<MachineLogQuery> {
        if self.after.is_some() {
            return Err(Error::invalid("after", "ONLY_ON_STREAM", "a page goes on with `cursor`"));
        }
        if self.limit == Some(0) {
            return Err(Error::invalid("limit", "INVALID_LIMIT", format!("`limit` is a number from 1 to {max}")));
        }
        let limit = self.limit.unwrap_or(usual).min(max);
        let cursor = self.cursor.clone();
        self.filter(cursor, "cursor", limit)
    }

    /// For a stream that begins with `lines`, or after `last_id`.
    pub(super) fn stream(self, last_id: Option<String>, lines: usize) -> Result<MachineLogQuery> {
        let unwanted =
            [("until", self.until.is_some()), ("cursor", self.cursor.is_some()), ("limit", self.limit.is_some())];
        if let Some((field, _)) = unwanted.into_iter().find(|(_, given)| *given) {
            return Err(Error::invalid(
                field,
                "NOT_ON_STREAM",
                format!("a stream has what comes; leave `{field}` out"),
            ));
        }
        let after = last_id.or_else(|| self.after.clone()).filter(|id| !id.is_empty());
        self.filter(after, "after", lines)
    }

    fn filter(self, cursor: Option<String>, place: &str, limit: usize) -> Result<MachineLogQuery> {
        let (source, container) = self.source()?;
        let since_ms = self.since.as_deref().map(|text| time("since", text)).transpose()?;
        let until_ms = self.until.as_deref().map(|text| time("until", text)).transpose()?;
        if since_ms.zip(until_ms).is_some_and(|(since, until)| since >= until) {
            return Err(Error::invalid("since", "INVALID_TIME", "`since` is before `until`"));
        }
        if self.search.as_ref().is_some_and(|search| search.len() > SEARCH_MAX) {
            let message = format!("a text to search for has at most {SEARCH_MAX} bytes");
            return Err(Error::invalid("search", "INVALID_SEARCH", message));
        }
        if let Some(text) = &cursor
            && (text.len() > CURSOR_MAX
                || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
        {
            let message = format!("`{place}` is taken from an earlier answer as it came; leave it out to begin anew");
            return Err(Error::invalid(place, "INVALID_CURSOR", message));
        }
        Ok(MachineLogQuery {
            source,
            level: Some(self.level()?),
            container,
            unit: self.unit,
            since_ms,
            until_ms,
            search: self.search.filter(|search| !search.is_empty()),
            cursor,
            limit,
        })
    }

    fn level(&self) -> Result<LogLevel> {
        let Some(text) = &self.level else { return Ok(LogLevel::Info) };
        text.parse().map_err(|_| Error::invalid("level", "INVALID_LEVEL", "`level` is error, warn, info or debug"))
    }

    /// A container's or a unit's name says the source as well.
    fn source(&self) -> Result<(Option<MachineLogSource>, Option<String>)> {
        let named = self.source.as_deref().and_then(|source| source.strip_prefix(DOCKER)).map(str::to_owned);
        let source = match self.source.as_deref() {
            None | Some("all") => None,
            Some(_) if named.is_some() => Some(MachineLogSource::Docker),
            Some(text) => Some(text.parse().map_err(|_| {
                let message = "`source` is all, agent, cloud-init, docker, docker:<container> or systemd";
                Error::invalid("source", "INVALID_SOURCE", message)
            })?),
        };
        let container = match (named, &self.container) {
            (Some(named), Some(also)) if named != *also => {
                return Err(Error::invalid("container", "INVALID_CONTAINER", "`source` names another container"));
            }
            (named, also) => named.or_else(|| also.clone()),
        };
        let implied = [
            ("container", container.as_ref(), MachineLogSource::Docker),
            ("unit", self.unit.as_ref(), MachineLogSource::Systemd),
        ];
        let mut meant = source;
        for (field, _, its) in implied.into_iter().filter(|(_, name, _)| name.is_some()) {
            if meant.is_some_and(|meant| meant != its) {
                let message = format!("`{field}` goes with the source {its} only; leave one of them out");
                return Err(Error::invalid(field, "NOT_WITH_SOURCE", message));
            }
            meant = Some(its);
        }
        if container.as_deref().is_some_and(|name| !is_container(name)) {
            let message = "a container's name has letters, digits, `_`, `.` and `-`, at most 255 of them";
            return Err(Error::invalid("container", "INVALID_CONTAINER", message));
        }
        if self.unit.as_deref().is_some_and(|name| !is_unit(name)) {
            let message = "a unit of NanoScale begins with `nanoscale`, like nanoscale-node.service";
            return Err(Error::invalid("unit", "INVALID_UNIT", message));
        }
        Ok((meant, container))
    }
}

/// As Docker has it.
fn is_container(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && name.len() <= NAME_MAX
}

fn is_unit(name: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b":_.@-".contains(&byte);
    name.starts_with("nanoscale") && name.bytes().all(sign) && name.len() <= NAME_MAX
}

/// RFC 3339, or so long before now.
fn time(field: &str, text: &str) -> Result<i64> {
    let before_now = |text: &str| {
        let before = text.strip_prefix('-')?.parse::<SignedDuration>().ok()?;
        Timestamp::now().checked_sub(before).ok()
    };
    let parsed = text.parse::<Timestamp>().ok().or_else(|| before_now(text));
    parsed.map(Timestamp::as_millisecond).ok_or_else(|| {
        Error::invalid(field, "INVALID_TIME", "a time looks like 2030-01-31T12:00:00Z, or like -1h for an hour ago")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<MachineLogQuery> {
        serde_urlencoded::from_str::<LogsQuery>(text).unwrap().page(200, 1000)
    }

    #[test]
    fn names_say_their_source() {
        for (text, source, container) in [
            ("", None, None),
            ("source=all", None, None),
            ("source=docker", Some(MachineLogSource::Docker), None),
            ("source=docker:web", Some(MachineLogSource::Docker), Some("web")),
            ("container=web", Some(MachineLogSource::Docker), Some("web")),
            ("source=all&container=web", Some(MachineLogSource::Docker), Some("web")),
            ("unit=nanoscale-node.service", Some(MachineLogSource::Systemd), None),
            ("source=cloud-init", Some(MachineLogSource::CloudInit), None),
        ] {
            let query = query(text).unwrap();
            assert_eq!((query.source, query.container.as_deref()), (source, container), "{text}");
            assert_eq!((query.level, query.limit), (Some(LogLevel::Info), 200));
        }
        assert_eq!(query("limit=5000").unwrap().limit, 1000);
        let since = query("since=-1h").unwrap().since_ms.unwrap();
        let hour = Timestamp::now().as_millisecond() - since;
        assert!((3_600_000..3_660_000).contains(&hour), "{hour}");
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for (text, code) in [
            ("source=kernel", "INVALID_SOURCE"),
            ("source=", "INVALID_SOURCE"),
            ("source=docker:", "INVALID_CONTAINER"),
            ("source=docker:--help", "INVALID_CONTAINER"),
            ("source=docker:a&container=b", "INVALID_CONTAINER"),
            ("source=agent&container=b", "NOT_WITH_SOURCE"),
            ("source=docker&unit=nanoscale.service", "NOT_WITH_SOURCE"),
            ("container=a&unit=nanoscale.service", "NOT_WITH_SOURCE"),
            ("unit=ssh.service", "INVALID_UNIT"),
            ("unit=nanoscale%20x", "INVALID_UNIT"),
            ("level=loud", "INVALID_LEVEL"),
            ("since=yesterday", "INVALID_TIME"),
            ("until=1h", "INVALID_TIME"),
            ("since=-1h&until=-2h", "INVALID_TIME"),
            ("cursor=%00", "INVALID_CURSOR"),
            ("limit=0", "INVALID_LIMIT"),
            ("after=x", "ONLY_ON_STREAM"),
        ] {
            assert_eq!(query(text).unwrap_err().told().0, code, "{text}");
        }
        assert_eq!(query(&format!("search={}", "x".repeat(1001))).unwrap_err().told().0, "INVALID_SEARCH");
        assert_eq!(query(&format!("cursor={}", "x".repeat(513))).unwrap_err().told().0, "INVALID_CURSOR");
        assert_eq!(query(&format!("container={}", "x".repeat(256))).unwrap_err().told().0, "INVALID_CONTAINER");
        for text in ["until=-1h", "cursor=x", "limit=5"] {
            let query = serde_urlencoded::from_str::<LogsQuery>(text).unwrap();
            assert_eq!(query.stream(None, 100).unwrap_err().told().0, "NOT_ON_STREAM");
        }
    }
}
