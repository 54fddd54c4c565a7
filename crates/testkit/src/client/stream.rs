use std::marker::PhantomData;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::wait::PATIENCE;

/// Server-sent events whose data is JSON (WHATWG HTML section 9.2), as far as our server uses them.
#[derive(Debug)]
pub struct Sse<T> {
    response: Response,
    rest: BytesMut,
    last_id: Option<String>,
    said_end: bool,
    data: PhantomData<fn() -> T>,
}

#[derive(Default)]
struct Record {
    event: Option<String>,
    id: Option<String>,
    data: Option<String>,
}

// === impl Sse ===

impl<T> Sse<T> {
    pub(super) fn new(response: Response) -> Self {
        Self { response, rest: BytesMut::new(), last_id: None, said_end: false, data: PhantomData }
    }

    /// The id of the last item, to resume after.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Whether the server said that nothing more comes; a stream may also break off.
    pub fn said_end(&self) -> bool {
        self.said_end
    }

    async fn record(&mut self) -> Option<Record> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let text = self.rest.split_to(end);
                self.rest.advance(2);
                return Some(Record::parse(&String::from_utf8_lossy(&text)));
            }
            // A connection that is cut ends the stream like one that is closed.
            let chunk = self.response.chunk().await.ok()??;
            self.rest.extend_from_slice(&chunk);
        }
    }
}

impl<T: DeserializeOwned> Sse<T> {
    /// The next item; `None` at the end. Panics when nothing comes for long.
    pub async fn next(&mut self) -> Option<T> {
        let Ok(item) = self.next_within(PATIENCE).await else { panic!("no event for {PATIENCE:?}") };
        item
    }

    /// The next item, or `Err` when there is none for so long.
    pub async fn next_within(&mut self, within: Duration) -> Result<Option<T>, tokio::time::error::Elapsed> {
        tokio::time::timeout(within, self.item()).await
    }

    /// All that is left; for streams that end.
    pub async fn collect(&mut self) -> Vec<T> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await {
            items.push(item);
        }
        items
    }

    async fn item(&mut self) -> Option<T> {
        while !self.said_end {
            let record = self.record().await?;
            if record.event.as_deref() == Some("end") {
                self.said_end = true;
                break;
            }
            self.last_id = record.id.or(self.last_id.take());
            // Without data it is a comment that keeps the connection alive.
            if let Some(data) = record.data {
                let item = serde_json::from_str(&data);
                return Some(item.unwrap_or_else(|error| panic!("not the event of docs/API.md: {error}\n{data}")));
            }
        }
        None
    }
}

// === impl Record ===

impl Record {
    fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "event" => record.event = Some(value),
                "id" => record.id = Some(value),
                "data" => {
                    record.data = Some(match record.data.take() {
                        Some(before) => format!("{before}\n{value}"),
                        None => value,
                    });
                }
                _ => {}
            }
        }
        record
    }
}
