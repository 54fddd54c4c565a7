use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::devtools::{DevTools, Event};
use crate::background::{self, Task};
use crate::wait::PATIENCE;

/// One tab. Its methods panic when the page does not do what they want in time, and leave a screenshot.
#[derive(Debug)]
pub struct Page {
    devtools: DevTools,
    context: String,
    session: String,
    seen: watch::Sender<Seen>,
    _listening: Task,
}

/// What the page told by itself.
#[derive(Debug, Default)]
struct Seen {
    /// Documents that have loaded.
    loaded: BTreeSet<String>,
    errors: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorScheme {
    Light,
    Dark,
}

// === impl Page ===

impl Page {
    pub(super) async fn open(devtools: DevTools, context: String) -> Self {
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = devtools.call(None, "Target.createTarget", target).await.expect("open a page");
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = devtools.call(None, "Target.attachToTarget", attach).await.expect("attach to a page");
        let session = attached["sessionId"].as_str().expect("a session's id").to_owned();
        let seen = watch::Sender::new(Seen::default());
        let (mut events, listener) = (devtools.listen(&session), seen.clone());
        let listening = background::spawn(async move {
            while let Some(event) = events.recv().await {
                listener.send_modify(|seen| seen.take(&event));
            }
        });
        let page = Self { devtools, context, session, seen, _listening: listening };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await;
        }
        page.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        page.resize(1280, 800).await;
        page.color_scheme(ColorScheme::Light).await;
        page
    }

    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        match self.devtools.call(Some(&self.session), method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens an address and waits until it has loaded.
    pub async fn goto(&self, url: &str) {
        let result = self.call("Page.navigate", json!({ "url": url })).await;
        if let Some(error) = result["errorText"].as_str() {
            panic!("cannot open {url}: {error}");
        }
        // Absent when only the fragment changes.
        let Some(loader) = result["loaderId"].as_str() else { return };
        let mut seen = self.seen.subscribe();
        if tokio::time::timeout(PATIENCE, seen.wait_for(|seen| seen.loaded.contains(loader))).await.is_err() {
            self.fail(&format!("{url} has not loaded after {PATIENCE:?}")).await;
        }
    }

    pub async fn url(&self) -> String {
        self.eval("location.href").await.as_str().unwrap_or_default().to_owned()
    }

    /// The value of a JavaScript expression; of what it promises, if it is a promise.
    pub async fn eval(&self, js: &str) -> Value {
        match self.try_eval(js).await {
            Ok(value) => value,
            Err(error) => panic!("{js}: {error}"),
        }
    }

    pub(super) async fn try_eval(&self, js: &str) -> Result<Value, String> {
        let evaluate = json!({ "expression": js, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut result = self.devtools.call(Some(&self.session), "Runtime.evaluate", evaluate).await?;
        match exception(&result["exceptionDetails"]) {
            Some(error) => Err(error),
            None => Ok(result["result"]["value"].take()),
        }
    }

    /// Waits until a JavaScript condition holds.
    pub async fn wait_for(&self, js: &str, within: Duration) {
        self.wait_value(&format!("!!({js}) || null"), js, within).await;
    }

    /// Waits until an expression is not null. While a page changes to the next one it may fail.
    pub(super) async fn wait_value(&self, js: &str, what: &str, within: Duration) -> Value {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let error = match self.try_eval(js).await {
                Ok(Value::Null) => String::new(),
                Ok(value) => return value,
                Err(error) => format!(" ({error})"),
            };
            if tokio::time::Instant::now() > deadline {
                self.fail(&format!("waited {within:?} in vain: {what}{error}")).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What went wrong in the page so far: exceptions, `console.error`, refused and failed requests.
    pub fn errors(&self) -> Vec<String> {
        self.seen.borrow().errors.clone()
    }

    /// Writes what is in view as PNG. A relative path lies below [`artifacts`](crate::artifacts).
    pub async fn screenshot(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = crate::artifacts().join(path).with_extension("png");
        let result = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        let data = result["data"].as_str().expect("a screenshot");
        let png = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("make a directory");
        std::fs::write(&path, png).expect("write a screenshot");
        path
    }

    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the system prefers. Motion is always reduced, so that nothing moves under the mouse.
    pub async fn color_scheme(&self, scheme: ColorScheme) {
        let value = match scheme {
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Panics with all there is to know.
    pub(super) async fn fail(&self, what: &str) -> ! {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("failed-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let picture = self.screenshot(name).await;
        let told = self.try_eval("location.href + '\\n' + document.body.innerText").await;
        let told = told.as_ref().ok().and_then(Value::as_str).unwrap_or_default();
        let told: String = told.chars().take(2000).collect();
        panic!("{what}\nerrors: {:#?}\nscreenshot: {}\n{told}", self.errors(), picture.display());
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.devtools.send(None, "Target.disposeBrowserContext", json!({ "browserContextId": self.context })));
    }
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, event: &Event) {
        let params = &event.params;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event.method.as_str() {
            "Page.lifecycleEvent" if params["name"] == "load" => {
                self.loaded.insert(text(&params["loaderId"]));
            }
            "Runtime.exceptionThrown" => self.errors.extend(exception(&params["exceptionDetails"])),
            "Runtime.consoleAPICalled" if matches!(params["type"].as_str(), Some("error" | "assert")) => {
                let shown = |argument: &Value| match &argument["value"] {
                    Value::Null => text(&argument["description"]),
                    Value::String(value) => value.clone(),
                    value => value.to_string(),
                };
                let arguments: Vec<_> = params["args"].as_array().into_iter().flatten().map(shown).collect();
                self.errors.push(arguments.join(" "));
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                let entry = &params["entry"];
                self.errors.push(format!(
                    "{}: {} {}",
                    text(&entry["source"]),
                    text(&entry["text"]),
                    text(&entry["url"])
                ));
            }
            _ => {}
        }
    }
}

fn exception(details: &Value) -> Option<String> {
    let text = details["text"].as_str()?;
    let description = details["exception"]["description"].as_str().unwrap_or_default();
    Some(format!("{text} {description}").trim().to_owned())
}
