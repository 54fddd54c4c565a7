use std::time::{Duration, Instant};

use bytes::Bytes;
use edge::Origin;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;

const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);
/// An app that answers is seen late by no more than this part of the time that it took.
const LATE: u32 = 8;
/// One answer may take this long.
const ANSWER: Duration = Duration::from_secs(5);

/// The last thing a probe saw, in words that say what to do.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    NothingListens,
    NoAnswer(String),
    Status(u16),
}

impl Seen {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NothingListens => "NEVER_LISTENED",
            Self::NoAnswer(_) => "NEVER_ANSWERED",
            Self::Status(_) => "UNHEALTHY",
        }
    }

    pub(super) fn reason(&self, port: u16, path: &str, timeout: Duration) -> String {
        let seconds = timeout.as_secs();
        match self {
            Self::NothingListens => format!(
                "nothing listened on port {port} within {seconds} s; the app has to listen on the port in its PORT variable"
            ),
            Self::NoAnswer(error) => {
                format!("port {port} accepts connections but gave no HTTP answer within {seconds} s: {error}")
            }
            Self::Status(status) => {
                format!(
                    "GET {path} answered {status} for {seconds} s; a healthy app answers below 500 there (set the health path if another one suits better)"
                )
            }
        }
    }
}

/// Asks until a good answer comes. Updates `seen` as it goes, for whoever gives up waiting.
pub(super) async fn until_ready(origin: &Origin, path: &str, host: &str, seen: &mut Seen) {
    let began = Instant::now();
    loop {
        tokio::time::sleep((began.elapsed() / LATE).clamp(SHORTEST, LONGEST)).await;
        match tokio::time::timeout(ANSWER, ask(origin, path, host, seen)).await {
            Ok(Ok(status)) if status < 500 => return,
            Ok(Ok(status)) => *seen = Seen::Status(status),
            Ok(Err(next)) => *seen = next,
            Err(_) => *seen = Seen::NoAnswer(format!("one answer took longer than {} s", ANSWER.as_secs())),
        }
    }
}

async fn ask(origin: &Origin, path: &str, host: &str, seen: &mut Seen) -> Result<u16, Seen> {
    let stream = origin.connect().await.map_err(|_| Seen::NothingListens)?;
    *seen = Seen::NoAnswer("none came at all".into());
    let no_answer = |error: hyper::Error| Seen::NoAnswer(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(no_answer)?;
    let request = Request::get(path)
        .header("host", host)
        .header("user-agent", "NanoScale-probe")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Seen::NoAnswer(error.to_string()))?;
    let driven = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    driven.abort();
    Ok(answer.map_err(no_answer)?.status().as_u16())
}
