//! Tricks with links, where steps write and the node looks, and with what terminals answer.

use ids::WorkspaceState;
use reqwest::Method;
use serde_json::json;
use testkit::{PATIENCE, wait_some};

use super::{Open, Stand};

const FILES: &str = "/api/projects/hostile/runtime/files";

/// Starts it anew, and waits until it is known how that went.
async fn restart(own: &Open) -> api::Workspace {
    let before = own.client.workspace_restart(&own.id).await.unwrap().attempt;
    wait_some("it has started anew", PATIENCE, async || {
        let workspace = own.client.workspace_get(&own.id).await.ok()?;
        let is_settled = matches!(workspace.state, WorkspaceState::Running | WorkspaceState::Recovery);
        (workspace.attempt >= before && is_settled).then_some(workspace)
    })
    .await
}

async fn stop(own: &Open) {
    own.client.workspace_stop(&own.id).await.unwrap();
    own.client.workspace_in(&own.id, WorkspaceState::Stopped).await;
}

async fn tell(own: &Open, method: Method, path: &str, body: serde_json::Value) {
    let response = own.client.raw(method, path).json(&body).send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
}

#[tokio::test]
async fn links_in_the_home_directory_lead_nowhere() {
    let stand = Stand::new().await;
    let own = stand.open(&stand.client, "hostile").await;
    // A directory of the host's that everybody could write to, had they a name for it.
    let trap = stand.server.data_dir().join("trap");
    std::fs::create_dir(&trap).unwrap();
    std::fs::write(trap.join("kept"), "kept").unwrap();
    for (path, mode) in [(&trap, 0o777), (&trap.join("kept"), 0o666)] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let untouched = || {
        let names = std::fs::read_dir(&trap).unwrap().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
        assert_eq!(names, ["kept"]);
        assert_eq!(std::fs::read_to_string(trap.join("kept")).unwrap(), "kept");
    };
    let mut shell = own.shell().await;
    let to = trap.display();
    shell.type_in(&format!("ln -s {to} conf; ln -s {to}/kept note.nanoscale-part; ln -s {to}/kept plain\n")).await;
    shell.type_in(&format!("ln -s {to} ~/.dotfiles; ln -s {to}/kept ~/.gitconfig; echo laid $((40+2))\n")).await;
    shell.wait_for("\nlaid 42\r\n").await;
    stop(&own).await;
    let files = [("note", "a"), ("plain", "b"), ("conf/app.env", "c")];
    for (path, content) in files {
        tell(&own, Method::POST, FILES, json!({ "path": path, "content": content })).await;
        let workspace = restart(&own).await;
        println!("{path}: {:?} {:?}", workspace.state, workspace.reason);
        untouched();
        let is_refused = path.contains('/');
        assert_eq!(workspace.failure_code.as_deref(), is_refused.then_some("FILES_FAILED"), "{path}");
        if !is_refused {
            let written = own.home.join("hostile").join(path);
            assert!(written.symlink_metadata().unwrap().is_file());
            assert_eq!(std::fs::read_to_string(written).unwrap(), content);
        }
        stop(&own).await;
    }
    tell(&own, Method::DELETE, &format!("{FILES}?path=conf/app.env"), json!({})).await;
    tell(&own, Method::PUT, "/api/me/work-settings", json!({ "dotfiles_url": stand.repo.url() })).await;
    let workspace = restart(&own).await;
    assert_eq!((workspace.state, workspace.failure_code), (WorkspaceState::Running, None));
    assert!(own.home.join(".dotfiles").symlink_metadata().unwrap().is_dir());
    untouched();

    // Whether the host has a directory is not to be learned from where a shell begins.
    let mut shell = own.shell().await;
    shell.type_in(&format!("cd; rm -rf hostile; ln -s {to} hostile; echo moved $((40+2))\n")).await;
    shell.wait_for("\nmoved 42\r\n").await;
    let terminal = own.client.terminal_open(&own.id, &api::TerminalCreate::default()).await.unwrap();
    assert_eq!(terminal.directory, "/home/dev");
    own.client.workspace_delete(&own.id).await.unwrap();
    testkit::wait_until("it is gone", PATIENCE, async || !own.home.exists()).await;
    untouched();
}

/// A step says how it ended in a file of the workspace, which its owner's programs may replace while the step runs.
#[tokio::test]
async fn forged_results_of_steps_harm_nobody_else() {
    let stand = Stand::new().await;
    let own = stand.open(&stand.client, "hostile").await;
    // While one is in recovery, its programs run beside the steps.
    tell(&own, Method::POST, FILES, json!({ "path": "~/.bashrc/x", "content": "x" })).await;
    stop(&own).await;
    assert_eq!(restart(&own).await.failure_code.as_deref(), Some("FILES_FAILED"));
    let keys = stand.server.data_dir().join("server/keys.json");
    let secret = std::fs::read_to_string(&keys).unwrap();
    let mut shell = own.shell().await;
    shell
        .type_in(&format!("while :; do ln -sf {} /tmp/r; mv -f /tmp/r /tmp/result.json; done &\n", keys.display()))
        .await;
    shell.type_in("while :; do mkfifo /tmp/f; mv -f /tmp/f /tmp/result.json; done 2> /dev/null &\n").await;
    shell.type_in("echo at work $((40+2))\n").await;
    shell.wait_for("\nat work 42\r\n").await;
    let workspace = restart(&own).await;
    println!("{:?} {:?} {:?}", workspace.state, workspace.failure_code, workspace.reason);
    let told = serde_json::to_string(&workspace).unwrap();
    let words = secret.split('"').filter(|word| word.len() > 20);
    assert!(words.clone().count() > 0 && words.clone().all(|word| !told.contains(word)), "{told}");
    own.client.workspace_delete(&own.id).await.unwrap();
    testkit::wait_until("it is gone", PATIENCE, async || !own.home.exists()).await;
}

/// Questions that a terminal answers by typing. Nobody but the one who looks may answer, and what looks on the machine and
/// in the server is nobody.
#[tokio::test]
async fn a_terminal_that_is_asked_types_nothing_by_itself() {
    const ASK: &str = r#"
import os, sys, termios, tty
tty.setraw(0)
ask = ['[c', '[>c', '[=c', '[5n', '[6n', '[?6n', '[21t', '[18t', '[14t', '[?2026$p', '[x', ']0;evil\a', ']10;?\a', ']11;?\a', ']4;1;?\a',
       ']52;c;?\a', 'P$qm\x1b\\', 'P+q544e\x1b\\', 'Z', '[?996n', '_Gi=31,a=q;AAAA\x1b\\']
os.write(1, ('\x05' + ''.join('\x1b' + it for it in ask) + 'as' + 'ked').encode())
heard = b''
while not heard.endswith(b'end'): heard += os.read(0, 1)
os.write(1, b'\r\nheard %r\r\n' % heard)
"#;
    let stand = Stand::new().await;
    let own = stand.open(&stand.client, "hostile").await;
    let command = Some(vec!["python3".to_owned(), "-c".to_owned(), ASK.to_owned()]);
    let create = api::TerminalCreate { command, ..Default::default() };
    let terminal = own.client.terminal_open(&own.id, &create).await.unwrap();
    let mut viewer = own.look(&terminal).await;
    viewer.wait_for("asked").await;
    // Who comes later is drawn a screen, by those who had to read all of it.
    let query = "&from=18446744073709551615";
    let late = testkit::Viewer::open(&own.base, &own.token, &own.id, &terminal.id, query).await;
    drop(late);
    viewer.type_in("end").await;
    viewer.wait_for("heard b'end'\r\n").await;
}
