//! Logs as they come: JSON lines to their end, or events over as many connections as it takes.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::TryStreamExt;
use reqwest::Response;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Lines};
use tokio_util::io::StreamReader;

use super::client::{Client, ClientError};
use super::sse::{Event, Parser};

/// The server says something every 15 s, or 30 s, so that this silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(50);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Broken connections in a row: about two minutes, enough for a restart of the server.
const TRIES: u32 = 60;

type BodyLines = Lines<Pin<Box<dyn AsyncBufRead + Send>>>;

fn body_lines(response: Response) -> BodyLines {
    let bytes = response.bytes_stream().map_err(std::io::Error::other);
    let reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(StreamReader::new(bytes));
    reader.lines()
}

/// A log line: what it means, and the JSON as it came.
pub(super) struct Line {
    pub(super) value: api::LogLine,
    pub(super) raw: String,
}

impl Line {
    fn parse(raw: String) -> Result<Self> {
        let value = serde_json::from_str(&raw).context("the server sent a log line that this program cannot read")?;
        Ok(Self { value, raw })
    }
}

/// Gives every line of a finite log to `print`.
pub(super) async fn read_all(response: Response, print: impl Fn(&Line) -> Result<()>) -> Result<()> {
    let mut lines = body_lines(response);
    while let Some(raw) = lines.next_line().await.context("the log broke off")? {
        if !raw.is_empty() {
            print(&Line::parse(raw)?)?;
        }
    }
    Ok(())
}

pub(super) enum Followed {
    Line(Line),
    /// The connection broke off. The next call tries again.
    Broken,
    /// Nothing more will come.
    End,
}

/// Server-sent events over as many connections as it takes. It goes on where it was after a broken one.
pub(super) struct Events<'a> {
    client: &'a Client,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    last_id: Option<String>,
    open: Option<(BodyLines, Parser)>,
    /// Connections in a row that said nothing.
    failures: u32,
}

impl<'a> Events<'a> {
    pub(super) fn new(client: &'a Client, path: Vec<&'a str>, query: Vec<(&'static str, String)>) -> Self {
        Self { client, path, query, last_id: None, open: None, failures: 0 }
    }

    /// The next event; none when the connection broke off, and the next call tries again.
    pub(super) async fn next(&mut self) -> Result<Option<Event>> {
        match self.event().await {
            Ok(Some(event)) => {
                self.last_id = event.id.clone().or(self.last_id.take());
                Ok(Some(event))
            }
            Err(error) if !ClientError::may_pass(&error) || self.failures >= TRIES => Err(error),
            Ok(None) if self.failures >= TRIES => bail!("the log breaks off again and again"),
            Ok(None) | Err(_) => {
                self.open = None;
                let wait = FIRST_WAIT * 2_u32.pow(self.failures.min(8));
                self.failures += 1;
                tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                Ok(None)
            }
        }
    }

    /// The next event; none when the connection is over.
    async fn event(&mut self) -> Result<Option<Event>> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let response = self.client.stream(&self.path, &self.query, self.last_id.as_deref()).await?;
                (body_lines(response), Parser::default())
            }
        };
        let (lines, parser) = self.open.insert(open);
        loop {
            match tokio::time::timeout(SILENCE, lines.next_line()).await {
                Ok(Ok(Some(line))) => {
                    self.failures = 0;
                    if let Some(event) = parser.line(&line) {
                        return Ok(Some(event));
                    }
                }
                // Ended, broken off, or silent for too long: all the same to a follower.
                Ok(Ok(None) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }
}

/// A log that is followed.
pub(super) struct Follower<'a> {
    events: Events<'a>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(client: &'a Client, path: [&'a str; 3], mut query: Vec<(&'static str, String)>) -> Self {
        query.push(("follow", "true".to_owned()));
        Self { events: Events::new(client, path.into(), query) }
    }

    pub(super) async fn next(&mut self) -> Result<Followed> {
        Ok(match self.events.next().await? {
            None => Followed::Broken,
            Some(event) if event.name == "end" => Followed::End,
            Some(event) => Followed::Line(Line::parse(event.data)?),
        })
    }
}

/// Gives every line to `print` until the log ends. `settled` is asked when the connection breaks off: a node
/// that is away has no log to give, and yet what it logs may be over.
pub(super) async fn to_end(
    mut follower: Follower<'_>,
    print: impl Fn(&Line) -> Result<()>,
    settled: impl AsyncFn() -> Result<bool>,
) -> Result<()> {
    let mut was_settled = false;
    loop {
        match follower.next().await? {
            Followed::Line(line) => print(&line)?,
            Followed::End => return Ok(()),
            Followed::Broken => match settled().await {
                Ok(true) if was_settled => return Ok(()),
                Ok(is_settled) => was_settled = is_settled,
                Err(error) if ClientError::may_pass(&error) => {}
                Err(error) => return Err(error),
            },
        }
    }
}
