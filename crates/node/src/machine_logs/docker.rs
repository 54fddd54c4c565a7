//! What containers write, read with `docker`, or from the journal where Docker gives it to that.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use ids::LogLevel;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::AsyncRead;
use tokio::time::{Instant, timeout_at};
use wire::MachineLogEntry;

use super::command::{Lines, cannot_start, command, complaint, late, output};
use super::{Filter, Found, Newer, Older, Place, journal};

pub(crate) const DOCKER: &str = "docker";
/// Containers that are read: each is a process for a moment.
const CONTAINERS: usize = 64;
/// Of these at a time.
const AT_ONCE: usize = 4;
/// How far back is looked first, and then, in nanoseconds: Docker gives lines oldest first.
const WINDOWS: [i64; 2] = [3600 * SECOND, 48 * 3600 * SECOND];
const SECOND: i64 = 1_000_000_000;
/// How long a line is on its way at most, in milliseconds.
const SETTLED_MS: i64 = 200;
/// Lines given out at a time.
const BATCH: usize = 1000;

/// A container's line in the order of all of them: by time, then by container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) at_ns: i64,
    /// Stands for its id.
    pub(super) container: [u8; 6],
    /// Among its lines of the same time.
    pub(super) ordinal: u32,
}

impl Key {
    /// Before all lines of a time.
    pub(super) fn at(at_ms: i64) -> Self {
        Self { at_ns: at_ms.saturating_mul(1_000_000), container: [0; 6], ordinal: 0 }
    }
}

/// Before lines that may still be on their way: containers do not write in the order of the clock.
fn settled() -> Key {
    Key::at(crate::now_ms().saturating_sub(SETTLED_MS))
}

/// A line of `docker ps --format {{json .}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) names: String,
    pub(crate) image: String,
    pub(crate) state: String,
    pub(crate) status: String,
}

/// Containers in all states.
pub(crate) async fn list(timeout: Duration) -> Result<Vec<Listed>, String> {
    let text = output(DOCKER, &["ps", "--all", "--no-trunc", "--format", "{{json .}}"], timeout).await?;
    let parsed = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
    parsed.map_err(|error| format!("`docker ps` says what is not understood: {error}"))
}

/// Whether the journal has what containers write.
async fn is_journald(timeout: Duration) -> Result<bool, String> {
    let driver = output(DOCKER, &["info", "--format", "{{.LoggingDriver}}"], timeout).await?;
    Ok(driver.trim() == "journald")
}

pub(super) async fn older(
    place: Option<&Place>,
    filter: &Filter,
    limit: usize,
    timeout: Duration,
) -> Result<Older, String> {
    let in_journal = match place {
        Some(Place::Docker(_)) => false,
        Some(_) => true,
        None => is_journald(timeout).await?,
    };
    if in_journal {
        return journal::older(&journal::of_containers(filter), place, filter, limit, timeout).await;
    }
    let deadline = Instant::now() + timeout;
    let head = match place {
        Some(Place::Docker(key)) => *key,
        _ => settled().min(filter.until_us.map_or(settled(), |until| Key::at(until / 1000))),
    };
    let (containers, mut notes) = containers(filter, timeout).await?;
    let wanted = Wanted { filter, before: Some(head), from: None, limit };
    let reads = stream::iter(containers).map(|container| {
        let wanted = wanted.clone();
        async move { (container.names.clone(), wanted.last(&container, deadline, timeout).await) }
    });
    let (mut lines, mut more, mut read) = (Vec::new(), false, false);
    let mut reads = reads.buffer_unordered(AT_ONCE);
    while let Some((name, result)) = reads.next().await {
        match result {
            Ok((found, cut)) => {
                lines.extend(found);
                more |= cut;
                read = true;
            }
            Err(reason) => notes.push(format!("{name}: {reason}")),
        }
    }
    if !read && !notes.is_empty() {
        return Err(notes.join("; "));
    }
    lines.sort_unstable_by_key(|(key, _)| std::cmp::Reverse(*key));
    more |= lines.len() > limit;
    lines.truncate(limit);
    let end = lines.last().filter(|_| more).map_or(Place::Start, |(key, _)| Place::Docker(*key));
    let found = lines.into_iter().map(|(_, found)| found).collect();
    let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
    Ok(Older { found, head: Place::Docker(head), end, more, note })
}

pub(super) async fn newer(place: &Place, filter: &Filter, timeout: Duration) -> Result<Newer, String> {
    let Place::Docker(from) = *place else {
        return journal::newer(&journal::of_containers(filter), place, filter, timeout).await;
    };
    let (before, deadline) = (settled(), Instant::now() + timeout);
    if from >= before {
        return Ok(Newer { found: Vec::new(), end: place.clone(), more: false });
    }
    let (containers, _) = containers(filter, timeout).await?;
    let wanted = Wanted { filter, before: Some(before), from: Some(from), limit: usize::MAX };
    let reads = stream::iter(containers).map(|container| {
        let wanted = wanted.clone();
        async move { wanted.last(&container, deadline, timeout).await }
    });
    let mut reads = reads.buffer_unordered(AT_ONCE);
    let mut lines = Vec::new();
    while let Some(read) = reads.next().await {
        // One that cannot be read was said of at the beginning.
        lines.extend(read.map(|(lines, _)| lines).unwrap_or_default());
    }
    lines.sort_unstable_by_key(|(key, _)| *key);
    let more = lines.len() > BATCH;
    lines.truncate(BATCH);
    let end = lines.last().filter(|_| more).map_or(Place::Docker(before), |(_, found)| found.after.clone());
    Ok(Newer { found: lines.into_iter().map(|(_, found)| found).collect(), end, more })
}

/// Those asked for, and what is said of others.
async fn containers(filter: &Filter, timeout: Duration) -> Result<(Vec<Listed>, Vec<String>), String> {
    let mut all = list(timeout).await?;
    let mut notes = Vec::new();
    if let Some(name) = &filter.container {
        all.retain(|container| container.names == *name || (name.len() >= 12 && container.id.starts_with(name)));
        if all.is_empty() {
            return Err(format!("there is no container `{name}` on this machine"));
        }
    }
    if all.len() > CONTAINERS {
        let left = all.len() - CONTAINERS;
        notes.push(format!("{left} older containers are left out; name one of them to read it"));
        // Docker lists the newest first.
        all.truncate(CONTAINERS);
    }
    Ok((all, notes))
}

/// Which lines of a container.
#[derive(Clone)]
struct Wanted<'a> {
    filter: &'a Filter,
    before: Option<Key>,
    from: Option<Key>,
    limit: usize,
}

impl Wanted<'_> {
    /// The last `limit` of them, and whether there are more before these.
    async fn last(
        &self,
        container: &Listed,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<(Vec<(Key, Found)>, bool), String> {
        let since = self.filter.since_us.map(|us| us.saturating_mul(1000)).max(self.from.map(|key| key.at_ns));
        let windows = WINDOWS.iter().filter(|_| self.from.is_none());
        let windows = windows.filter_map(|window| Some(self.before?.at_ns - window));
        for from in windows.filter(|from| since.is_none_or(|since| *from > since)) {
            let (lines, more) = self.read(container, Some(from), deadline, timeout).await?;
            if more || lines.len() >= self.limit {
                return Ok((lines, true));
            }
        }
        self.read(container, since, deadline, timeout).await
    }

    async fn read(
        &self,
        container: &Listed,
        since_ns: Option<i64>,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<(Vec<(Key, Found)>, bool), String> {
        let mut arguments = vec!["logs".to_owned(), "--timestamps".to_owned()];
        arguments.extend(since_ns.map(|since| format!("--since={}", rfc3339(since))));
        // Its own time may have lines before the place, and Docker stops at the first later line, although earlier ones
        // may have been written after that.
        arguments.extend(
            self.before
                .map(|before| format!("--until={}", rfc3339(before.at_ns.saturating_add(SETTLED_MS * 1_000_000)))),
        );
        arguments.push(container.id.clone());
        let mut child = command(DOCKER, &arguments).spawn().map_err(|error| cannot_start(DOCKER, &error))?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("`docker logs` has no output".into());
        };
        let reading =
            async { tokio::join!(self.take(container, out, false), self.take(container, err, true), child.wait()) };
        let Ok((out, err, status)) = timeout_at(deadline, reading).await else { return Err(late(DOCKER, timeout)) };
        if !matches!(status, Ok(status) if status.success()) {
            return Err(complaint(DOCKER, err.odd.as_bytes()));
        }
        let mut lines = out.lines.into_iter().chain(err.lines).collect::<Vec<_>>();
        lines.sort_unstable_by_key(|(key, _)| *key);
        let more = out.more || err.more || lines.len() > self.limit;
        lines.drain(..lines.len().saturating_sub(self.limit));
        Ok((lines, more))
    }

    /// The last ones of one of the container's outputs.
    async fn take(&self, container: &Listed, input: impl AsyncRead + Unpin, is_error: bool) -> Taken {
        let mut input = Lines::new(input);
        let id = Sha256::digest(container.id.as_bytes());
        let mut key = Key { at_ns: i64::MIN, container: std::array::from_fn(|index| id[index]), ordinal: 0 };
        let mut taken = Taken { lines: VecDeque::new(), more: false, odd: String::new() };
        while let Some(line) = input.next().await {
            let Some((at_ns, text)) = parse(&line) else {
                taken.odd = String::from_utf8_lossy(&line).into_owned();
                continue;
            };
            // Both outputs may have a line of the same time.
            let ordinal = if at_ns == key.at_ns { key.ordinal.saturating_add(2) } else { u32::from(is_error) };
            key = Key { at_ns, ordinal, ..key };
            if self.before.is_some_and(|before| key >= before) || self.from.is_some_and(|from| key < from) {
                continue;
            }
            let found = shown(container, key, text, is_error);
            if self.filter.keeps(&found.entry) {
                if taken.lines.len() >= self.limit {
                    taken.lines.pop_front();
                    taken.more = true;
                }
                taken.lines.push_back((key, found));
            }
        }
        taken
    }
}

struct Taken {
    lines: VecDeque<(Key, Found)>,
    more: bool,
    /// The last line that is none of the container's.
    odd: String,
}

fn shown(container: &Listed, key: Key, text: String, is_error: bool) -> Found {
    let stream = if is_error { "stderr" } else { "stdout" };
    let metadata = [("container", container.names.as_str()), ("stream", stream)];
    Found {
        entry: MachineLogEntry {
            at_us: key.at_ns.div_euclid(1000),
            // As Docker has it where it writes to the journal itself.
            level: if is_error { LogLevel::Error } else { LogLevel::Info },
            source: format!("docker:{}", container.names),
            message: text,
            metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        },
        before: Place::Docker(key),
        after: Place::Docker(Key { ordinal: key.ordinal.saturating_add(1), ..key }),
    }
}

/// `2024-06-04T08:22:34.123456789Z text`.
fn parse(line: &[u8]) -> Option<(i64, String)> {
    let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let time = std::str::from_utf8(&line[..space]).ok()?.parse::<jiff::Timestamp>().ok()?;
    let text = String::from_utf8_lossy(line.get(space + 1..).unwrap_or_default());
    Some((i64::try_from(time.as_nanosecond()).ok()?, text.trim_end_matches('\r').to_owned()))
}

fn rfc3339(at_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(at_ns.into()).map(|time| format!("{time:.9}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_lists_are_read_as_docker_writes_them() {
        let (at_ns, text) = parse(b"2026-11-21T17:23:14.558391569Z out 4\r").unwrap();
        assert_eq!((at_ns, text.as_str()), (1_795_281_794_558_391_569, "out 4"));
        assert_eq!(rfc3339(at_ns), "2026-11-21T17:23:14.558391569Z");
        assert_eq!(parse(b"2026-11-21T17:23:14Z").unwrap().1, "");
        assert!(parse(b"Error response from daemon: configured logging driver does not support reading").is_none());
        let listed = r#"{"Command":"\"/bin/busybox sleep 600\"","CreatedAt":"2026-11-21 17:23:11 +0000 UTC","ID":"b47c54eccf2b07cd6618fb8e100f7256e4006573d4979ff8e46b7d5a49c50ed3","Image":"bb","Labels":"","LocalVolumes":"0","Mounts":"","Names":"silent","Networks":"none","Platform":null,"Ports":"","RunningFor":"2 seconds ago","Size":"0B (virtual 1.98MB)","State":"running","Status":"Up 2 seconds"}"#;
        let listed = serde_json::from_str::<Listed>(listed).unwrap();
        assert_eq!(
            (listed.names.as_str(), listed.state.as_str(), listed.status.as_str()),
            ("silent", "running", "Up 2 seconds")
        );
    }
}
