//! What a browser is shown of a port while there is nothing behind it: the workspace sleeps and is woken, or the app is not
//! started yet. The page asks again by itself until it is; that it does keeps nothing awake and wakes nothing.

use std::fmt::{self, Display};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::idle::{is_asleep, was_put_to_sleep};
use domain::workspace::Workspace;
use ids::WorkspaceState;

use super::{Ports, gate};
use crate::error::{Error, Result};
use crate::http::cookie;
use crate::now_ms;

/// Seconds until it is asked again.
const AGAIN: HeaderValue = HeaderValue::from_static("2");
/// An app that has not begun to listen so long after the workspace's start is not waited for.
const STARTS_WITHIN_MS: i64 = 600_000;
const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'";

/// Of a browser whose page loads itself anew, for a little longer than until the next time.
const WAITING: &str = "nanoscale_waiting";
const WAITS: &str = "Path=/; HttpOnly; SameSite=Lax; Max-Age=6";

struct Page<'a> {
    title: String,
    text: String,
    /// The workspace's page, for whom it is.
    link: Option<&'a str>,
    /// By this cookie, if it loads itself anew.
    again: Option<String>,
}

impl Ports {
    /// What a request for a workspace that does not run is answered with. A person who may look wakes it.
    pub(super) async fn answer_asleep(&self, workspace: &Workspace, port: u16, request: &Parts) -> Result<Response> {
        if !gate::navigates(request) {
            return Ok(told(Error::unavailable(
                "WORKSPACE_NOT_RUNNING",
                format!("the workspace is {}; open its address in a browser, or start it", workspace.state),
            )));
        }
        let place = self.page_of(workspace);
        // Who found a public port wakes nobody's machine.
        if !self.shows_pass(workspace, port, &request.headers).await? {
            let text = "This workspace does not run at the moment. Its owner can start it.".to_owned();
            return Ok(Page { title: "Not running".into(), text, link: None, again: None }.into_response());
        }
        let waiting = self.waiting(workspace, port);
        let by_itself = is_by_itself(&request.headers, &waiting);
        if is_asleep(workspace)
            && !by_itself
            && let Err(error) = self.workspaces.wake_as_owner(workspace).await
            && error.told().0 != "WORKSPACE_WAKING"
        {
            let (title, text) = (format!("{} cannot be started", workspace.name), sentence(error.told().1));
            return Ok(Page { title, text, link: Some(&place), again: None }.into_response());
        }
        let is_ending = workspace.state == WorkspaceState::Stopping && was_put_to_sleep(workspace);
        let comes = workspace.state == WorkspaceState::Creating || (is_asleep(workspace) && !by_itself);
        let page = if is_ending {
            let text = "Load this page again in a moment: that wakes it.".to_owned();
            Page { title: format!("{} is just falling asleep", workspace.name), text, link: Some(&place), again: None }
        } else if comes {
            let text = "Its files are as they were. This page goes on to the app as soon as that listens.".to_owned();
            Page { title: format!("Waking {}…", workspace.name), text, link: Some(&place), again: Some(waiting) }
        } else {
            let why = workspace.failure.as_ref().map(|failure| sentence(&failure.reason)).unwrap_or_default();
            let state = if is_asleep(workspace) { "asleep".to_owned() } else { workspace.state.to_string() };
            Page { title: format!("{} is {state}", workspace.name), text: why, link: Some(&place), again: None }
        };
        Ok(page.into_response())
    }

    /// The same where it runs, and nothing listens on the port.
    pub(super) async fn answer_closed(&self, workspace: &Workspace, port: u16, request: &Parts) -> Result<Response> {
        let place = self.page_of(workspace);
        let is_insider = self.shows_pass(workspace, port, &request.headers).await?;
        let page = Page {
            title: format!("Nothing listens on port {port} yet"),
            text: match is_insider {
                true => format!(
                    "{} runs. Start the app in one of its terminals: this page goes on to it by itself.",
                    workspace.name
                ),
                false => "The workspace runs, and its app does not.".to_owned(),
            },
            link: is_insider.then_some(&place),
            again: (now_ms() - workspace.state_since < STARTS_WITHIN_MS).then(|| self.waiting(workspace, port)),
        };
        Ok(page.into_response())
    }

    fn waiting(&self, workspace: &Workspace, port: u16) -> String {
        self.gate.named_for(WAITING, &workspace.id, port)
    }

    fn page_of(&self, workspace: &Workspace) -> String {
        format!("{}/workspaces/{}", self.dashboard(), workspace.id)
    }
}

/// Whether a page has loaded itself anew, with nobody's hand on it: one that is open is no use of a workspace.
fn is_by_itself(headers: &HeaderMap, waiting: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => site == "same-origin" && text("sec-fetch-user") != Some("?1"),
        // Over plain http browsers say nothing of it; one that waits has the page's cookie.
        None => cookie(headers, waiting).is_some(),
    }
}

/// An error that says when to ask again.
pub(super) fn told(error: Error) -> Response {
    let mut response = error.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, AGAIN);
    response
}

/// As a sentence of its own.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(rest).chain(['.']).collect()
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let (title, text) = (Html(&self.title), Html(&self.text));
        let refresh = if self.again.is_some() { "<meta http-equiv=\"refresh\" content=\"2\">" } else { "" };
        let spinner = if self.again.is_some() {
            "<div class=\"wait\" role=\"progressbar\" aria-label=\"Waiting\"></div>"
        } else {
            ""
        };
        let link = self.link.map(|place| format!("<p><a href=\"{}\">Open the workspace</a></p>", Html(place)));
        let link = link.unwrap_or_default();
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">{refresh}<title>{title}</title>\
             <style>:root{{color-scheme:light dark;--ink:#1c1c1e;--dim:#6b6b70;--ground:#fafafa;--line:#d8d8dc;--go:#2f6fed}}\
             @media(prefers-color-scheme:dark){{:root{{--ink:#ececee;--dim:#9a9aa0;--ground:#141416;--line:#38383c;--go:#7aa5ff}}}}\
             body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--ink);\
             font:16px/1.5 system-ui,sans-serif}}main{{max-width:30rem;padding:2rem}}\
             h1{{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}}\
             p{{margin:.5rem 0;overflow-wrap:anywhere;color:var(--dim)}}a{{color:var(--go)}}\
             .wait{{height:3px;border-radius:2px;margin:1.25rem 0;background:var(--line);overflow:hidden}}\
             .wait::after{{content:\"\";display:block;width:35%;height:100%;background:var(--go);animation:go 2s linear infinite}}\
             @keyframes go{{from{{transform:translateX(-100%)}}to{{transform:translateX(300%)}}}}\
             @media(prefers-reduced-motion:reduce){{.wait::after{{animation:none}}}}</style>\
             <main><h1>{title}</h1>{spinner}<p>{text}</p>{link}</main></html>\n"
        );
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, CSP),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("x-robots-tag"), "noindex"),
        ];
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, headers, page).into_response();
        if let Some(waiting) = self.again
            && let Ok(cookie) = HeaderValue::from_str(&format!("{waiting}=1; {WAITS}"))
        {
            response.headers_mut().insert(header::RETRY_AFTER, AGAIN);
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Text inside an element or an attribute.
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
