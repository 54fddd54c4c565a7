//! A real Chromium, driven over the DevTools protocol.

mod devtools;
mod element;
mod keys;
mod page;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, killpg};
use serde_json::json;

pub use page::{ColorScheme, Page};

use crate::child;
use crate::scratch::Scratch;
use crate::wait::{PATIENCE, wait_some};
use devtools::DevTools;

const PROGRAM: &str = "/usr/bin/chromium";

const OPTIONS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--mute-audio",
    "--lang=en-US",
    "--password-store=basic",
    "--remote-debugging-port=0",
];

/// A browser with a fresh profile. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    devtools: DevTools,
    process: Child,
    // Removed when nobody works in it any more.
    _scratch: Scratch,
}

// === impl Browser ===

impl Browser {
    pub async fn start() -> Self {
        let scratch = Scratch::new("browser", None);
        let profile = scratch.path().join("profile");
        let output = File::create(scratch.path().join("output")).expect("make a file");
        let mut command = child::mortal(PROGRAM, child::Rights::Own);
        command
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", scratch.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("share a file"))
            .stderr(output)
            .process_group(0);
        let process = child::spawn(command).expect("start Chromium");
        let what = format!("Chromium tells its address; see {}", scratch.path().join("output").display());
        let address = wait_some(&what, PATIENCE, async || {
            let text = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            let (port, path) = text.trim().split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{path}"))
        })
        .await;
        Self { devtools: DevTools::connect(&address).await, process, _scratch: scratch }
    }

    /// An empty page that shares neither cookies nor storage with another one.
    pub async fn page(&self) -> Page {
        let context = self.devtools.call(None, "Target.createBrowserContext", json!({})).await.expect("make a context");
        let context = context["browserContextId"].as_str().expect("a context's id").to_owned();
        Page::open(self.devtools.clone(), context).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It leads its own group, which its helpers are in.
        let _ = killpg(child::pid(&self.process), Signal::SIGKILL);
        let _ = self.process.wait();
    }
}
