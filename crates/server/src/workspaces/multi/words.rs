//! Text frames `{type, sessionId?, data?}`, both ways.

use axum::extract::ws::Message;
use ids::TerminalId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// What a client asks for.
pub(super) enum Asked {
    Create { session: Session, rows: u16, cols: u16, name: Option<String>, directory: Option<String> },
    Reattach { session: Session, rows: u16, cols: u16 },
    Input { session: Session, text: String },
    Resize { session: Session, rows: u16, cols: u16 },
    Rename { session: Session, name: String },
    Close { session: Session },
    List,
    Ping { session: Option<String> },
}

/// A terminal by the UUID that a client knows it by, as that client spells it.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) terminal: TerminalId,
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    r#type: String,
    session_id: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    #[serde(default = "rows")]
    rows: u16,
    #[serde(default = "cols")]
    cols: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(flatten)]
    size: Size,
    name: Option<String>,
    work_dir: Option<String>,
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

/// Some clients wrap it, some do not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Bare(String),
    Wrapped { data: String },
}

fn rows() -> u16 {
    24
}

fn cols() -> u16 {
    80
}

/// # Errors
/// With a sentence for who writes the client.
pub(super) fn read(text: &str) -> Result<Asked> {
    let frame = serde_json::from_str::<Frame>(text).map_err(|error| not_understood(&error))?;
    let session = || session(&frame);
    Ok(match frame.r#type.as_str() {
        "create_session" => {
            let Create { size: Size { rows, cols }, name, work_dir } = data(&frame)?;
            let name = name.filter(|name| !name.trim().is_empty());
            Asked::Create { session: session()?, rows, cols, name, directory: work_dir }
        }
        "reattach_session" => {
            let Size { rows, cols } = data(&frame)?;
            Asked::Reattach { session: session()?, rows, cols }
        }
        "input" => {
            let (Input::Bare(text) | Input::Wrapped { data: text }) = data(&frame)?;
            Asked::Input { session: session()?, text }
        }
        "resize" => {
            let Size { rows, cols } = data(&frame)?;
            Asked::Resize { session: session()?, rows, cols }
        }
        "rename_session" => Asked::Rename { session: session()?, name: data::<Rename>(&frame)?.name },
        "close_session" => Asked::Close { session: session()? },
        "list_sessions" => Asked::List,
        "ping" => Asked::Ping { session: named(&frame) },
        other => return Err(Error::malformed(None, format!("there is no message of the type {other:?}"))),
    })
}

fn data<T: DeserializeOwned>(frame: &Frame) -> Result<T> {
    serde_json::from_value(frame.data.clone()).map_err(|error| not_understood(&error))
}

fn not_understood(error: &serde_json::Error) -> Error {
    Error::malformed(None, format!("the message is not understood: {error}"))
}

/// Beside the data, or in it.
fn named(frame: &Frame) -> Option<String> {
    let inside = || frame.data.get("sessionId").and_then(Value::as_str).map(str::to_owned);
    frame.session_id.clone().or_else(inside)
}

fn session(frame: &Frame) -> Result<Session> {
    let missing = || Error::malformed(Some("sessionId".into()), "say with `sessionId` which terminal is meant");
    let id = named(frame).ok_or_else(missing)?;
    let wrong = |_| Error::malformed(Some("sessionId".into()), "a `sessionId` is a UUID");
    Ok(Session { terminal: TerminalId::from_uuid(&id).map_err(wrong)?, id })
}

/// Of one session, or of none.
pub(super) fn say(kind: &str, session: Option<&str>, data: Option<Value>) -> Message {
    let mut frame = json!({ "type": kind });
    if let Some(session) = session {
        frame["sessionId"] = session.into();
    }
    if let Some(data) = data {
        frame["data"] = data;
    }
    Message::text(frame.to_string())
}

pub(super) fn error(session: Option<&str>, error: &Error) -> Message {
    let (code, message) = error.told();
    say("error", session, Some(json!({ "error": code, "details": message })))
}

/// Bytes as text, which they may not be: of a character that is cut the beginning waits for its rest.
#[derive(Default)]
pub(super) struct Text {
    begun: Vec<u8>,
}

impl Text {
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut rest = &all[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(wrong) = error.error_len() else {
                        self.begun = after.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[wrong..];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole_however_the_bytes_are_cut() {
        let bytes = [&"aä€😀b".repeat(5).into_bytes()[..], b"\xff\xc3(", "ü".as_bytes()].concat();
        let wanted = String::from_utf8_lossy(&bytes);
        for size in 1..bytes.len() {
            let mut text = Text::default();
            let got = bytes.chunks(size).map(|chunk| text.push(chunk)).collect::<String>();
            assert_eq!(got, wanted, "cut at every {size} bytes");
        }
    }

    #[test]
    fn a_session_may_be_named_beside_the_data_or_in_it() {
        let id = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";
        for text in [
            format!(r#"{{"type":"input","sessionId":"{id}","data":"ls"}}"#),
            format!(r#"{{"type":"input","data":{{"sessionId":"{id}","data":"ls"}}}}"#),
        ] {
            let Ok(Asked::Input { session, text }) = read(&text) else { panic!("{text} is input") };
            assert_eq!((session.id.as_str(), text.as_str()), (id, "ls"));
        }
        for bad in [r"{", r#"{"type":"x"}"#, r#"{"type":"resize"}"#, r#"{"type":"close_session","sessionId":"1"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
