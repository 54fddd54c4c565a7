//! What a visitor is told when no upstream answers: a page, or JSON where the client prefers it.

use std::fmt::{self, Display};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use crate::body::ResponseBody;

/// Why a request was not forwarded, or not answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    BadRequest(&'static str),
    UnknownHost(String),
    Starting,
    Down(String),
    UpstreamFailed,
}

struct Words<'a> {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    what: &'a str,
    advice: &'static str,
}

impl Refusal {
    fn words(&self) -> Words<'_> {
        let words = |status, code, title, what, advice| Words { status, code, title, what, advice };
        match self {
            Self::BadRequest(what) => words(
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "Bad request",
                what,
                "Check the address and the program that sent the request.",
            ),
            Self::UnknownHost(_) => words(
                StatusCode::NOT_FOUND,
                "UNKNOWN_HOST",
                "Nothing here",
                "No application is served under this host name.",
                "Check the spelling. If it is your domain, add it to your application, or wait until it is deployed.",
            ),
            Self::Starting => words(
                StatusCode::SERVICE_UNAVAILABLE,
                "STARTING",
                "Starting",
                "The application is starting.",
                "This page reloads by itself.",
            ),
            Self::Down(reason) => words(
                StatusCode::SERVICE_UNAVAILABLE,
                "DOWN",
                "Not running",
                reason,
                "Try again later. If it is your application, look at its state and its log.",
            ),
            Self::UpstreamFailed => words(
                StatusCode::BAD_GATEWAY,
                "UPSTREAM_FAILED",
                "No answer",
                "The application did not answer, or ended before its answer was complete.",
                "Try again. If it is your application, look at its log.",
            ),
        }
    }
}

/// The response for `refusal`, in the form `accept` prefers.
pub(crate) fn answer(refusal: &Refusal, accept: Option<&HeaderValue>) -> Response<ResponseBody> {
    let words = refusal.words();
    let what = match refusal {
        Refusal::UnknownHost(host) => format!("No application is served under the host name {host}."),
        _ => words.what.to_owned(),
    };
    let json = accept.is_some_and(prefers_json);
    let page = if json {
        let message = Json(&what);
        format!("{{\"error\":\"{}\",\"message\":{message}}}\n", words.code)
    } else {
        html(&words, &what, matches!(refusal, Refusal::Starting))
    };
    let mut response = Response::new(ResponseBody::Page(Bytes::from(page)));
    *response.status_mut() = words.status;
    let headers = response.headers_mut();
    let kind = if json { "application/json" } else { "text/html; charset=utf-8" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(http::header::VARY, HeaderValue::from_static("accept"));
    match refusal {
        Refusal::Starting => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What follows on this connection may be the rest of an attack.
        Refusal::BadRequest(_) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// The field that decides between page and JSON.
pub(crate) fn preference(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ACCEPT).cloned()
}

fn html(words: &Words<'_>, what: &str, reload: bool) -> String {
    let (title, what, advice) = (words.title, Html(what), words.advice);
    let (status, code) = (words.status.as_u16(), words.code);
    let refresh = if reload { "<meta http-equiv=\"refresh\" content=\"1\">" } else { "" };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{refresh}<title>{title}</title>\
         <style>:root{{color-scheme:light dark;--ink:#1c1c1e;--dim:#6b6b70;--ground:#fafafa}}\
         @media(prefers-color-scheme:dark){{:root{{--ink:#ececee;--dim:#9a9aa0;--ground:#141416}}}}\
         body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--ink);\
         font:16px/1.5 system-ui,sans-serif}}main{{max-width:30rem;padding:2rem}}\
         h1{{font-size:1.5rem;margin:0 0 .5rem}}p{{margin:.5rem 0;overflow-wrap:anywhere}}\
         .dim{{color:var(--dim)}}code{{font-size:.85rem}}</style>\
         <main><h1>{title}</h1><p>{what}</p><p class=\"dim\">{advice}</p>\
         <p class=\"dim\"><code>{status} {code}</code></p></main></html>\n"
    )
}

/// Whether JSON has a greater weight than HTML (RFC 9110 section 12.5.1), or the same and is named more exactly.
fn prefers_json(accept: &HeaderValue) -> bool {
    let Ok(accept) = accept.to_str() else { return false };
    weight(accept, "application", "json") > weight(accept, "text", "html")
}

/// The weight in thousandths and the rank of the most specific range that matches.
fn weight(accept: &str, kind: &str, subkind: &str) -> (u16, u8) {
    let mut best = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some((a, b)) = parts.next().and_then(|name| name.split_once('/')) else { continue };
        let rank = match (a, b) {
            ("*", "*") => 1,
            (a, "*") if a.eq_ignore_ascii_case(kind) => 2,
            (a, b) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subkind) => 3,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
        let quality = (quality * 1000.0) as u16;
        if rank > best.1 {
            best = (quality, rank);
        }
    }
    best
}

/// Text inside an element.
struct Html<'a>(&'a str);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => write!(f, "{c}"),
        })
    }
}

/// A string with its quotes (RFC 8259 section 7).
struct Json<'a>(&'a str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.0.chars().try_for_each(|c| match c {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c)),
            c => write!(f, "{c}"),
        })?;
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_json() {
        for (accept, json) in [
            ("application/json", true),
            ("application/json, text/plain, */*", true),
            ("application/json, */*;q=0.5", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false),
            ("*/*", false),
            ("text/html;q=0.1, application/*;q=0.2", true),
            ("nonsense", false),
        ] {
            assert_eq!(prefers_json(&HeaderValue::from_static(accept)), json, "{accept}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(Html("<b a='\"'>&").to_string(), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
        assert_eq!(Json("a\"\\\n").to_string(), "\"a\\\"\\\\\\u000a\"");
    }
}
