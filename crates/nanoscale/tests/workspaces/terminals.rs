//! Terminals, for one who looks and for several.

use api::TerminalNotice;
use testkit::{PATIENCE, Viewer, wait_some, wait_until};

use crate::Stand;

/// Whether it was told last that it has the keyboard.
fn keyboard(viewer: &Viewer) -> Option<bool> {
    viewer.notices.iter().rev().find_map(|notice| match notice {
        TerminalNotice::Keyboard { yours } => Some(*yours),
        _ => None,
    })
}

#[tokio::test]
async fn typed_resized_renamed_closed_and_ended() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (terminal, mut one) = stand.terminal(&workspace).await;
    one.type_in("echo hi\n").await;
    one.wait_for("\nhi\r\n").await;
    one.resize(40, 120).await;
    one.type_in("stty size\n").await;
    one.wait_for("\n40 120\r\n").await;
    one.say(&api::TerminalRequest::Ping { id: 7 }).await;
    while !one.notices.contains(&TerminalNotice::Pong { id: 7 }) {
        assert!(one.next().await);
    }
    // A second viewer sees all of it, and decides the size once it types.
    let mut two = stand.look(&workspace, &terminal, "").await;
    two.wait_for("\n40 120\r\n").await;
    // One window alone answers what programs ask their terminal.
    assert_eq!((keyboard(&one), keyboard(&two)), (Some(true), Some(false)));
    two.resize(30, 90).await;
    two.type_in("stty size\n").await;
    two.wait_for("\n30 90\r\n").await;
    one.wait_for("\n30 90\r\n").await;
    let size = TerminalNotice::Size { rows: 30, columns: 90 };
    while keyboard(&one) != Some(false) || !one.notices.contains(&size) {
        assert!(one.next().await, "{:?}", one.notices);
    }
    assert_eq!(keyboard(&two), Some(true));
    // Who only watches types nothing.
    let mut watcher = stand.look(&workspace, &terminal, "&watch=true").await;
    watcher.type_in("echo from the watcher\n").await;
    watcher.resize(10, 10).await;
    stand.client.terminal_rename(&workspace.id, &terminal.id, "build").await.unwrap();
    while !one.notices.contains(&TerminalNotice::Renamed { name: "build".into() }) {
        assert!(one.next().await);
    }
    one.type_in("stty size; exit 7\n").await;
    assert_eq!(one.end().await, (Some(7), None));
    assert_eq!(watcher.end().await, (Some(7), None));
    assert!(!one.text().contains("watcher"), "{}", one.text());
    let ended = async || {
        let list = stand.client.terminal_list(&workspace.id).await.unwrap();
        list.iter().any(|it| it.name == "build" && !it.is_running && it.exit_code == Some(7))
    };
    wait_until("its end is listed", PATIENCE, ended).await;
    // What it put out is still there, until it is forgotten.
    let mut late = stand.look(&workspace, &terminal, "").await;
    assert_eq!(late.end().await, (Some(7), None));
    assert!(late.text().contains("\nhi\r\n"));
    stand.client.terminal_close(&workspace.id, &terminal.id).await.unwrap();
    assert_eq!(stand.client.terminal_list(&workspace.id).await.unwrap(), []);
    // One that runs is told that its window is closed.
    let (other, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("echo up\n").await;
    shell.wait_for("\nup\r\n").await;
    stand.client.terminal_close(&workspace.id, &other.id).await.unwrap();
    shell.end().await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_everything_restarts() {
    let mut stand = Stand::with(|builder| builder.separate()).await;
    let workspace = stand.open().await;
    let (terminal, mut viewer) = stand.terminal(&workspace).await;
    viewer.type_in("stty -echo; for i in $(seq 100000); do echo line $i; done; echo all said\n").await;
    viewer.wait_for("line 100\r\n").await;
    let mut seen = std::mem::take(&mut viewer.seen);
    for part in [testkit::Part::Server, testkit::Part::Node] {
        stand.server.kill_part(part);
        // What was on its way still comes.
        while viewer.next().await {}
        seen.append(&mut viewer.seen);
        stand.server.start_part(part).await;
        viewer = again(&stand, &workspace, &terminal, viewer.offset).await;
        assert!(viewer.next().await);
    }
    while !String::from_utf8_lossy(&viewer.seen).contains("all said\r\n") {
        if !viewer.next().await {
            seen.append(&mut viewer.seen);
            viewer = again(&stand, &workspace, &terminal, viewer.offset).await;
        }
    }
    seen.append(&mut viewer.seen);
    viewer.seen = seen;
    let text = viewer.text();
    let numbers = text.lines().filter_map(|line| line.trim_end().strip_prefix("line ")?.parse::<u32>().ok());
    let wrong = numbers.clone().zip(1..).find(|(is, should)| is != should);
    assert_eq!((wrong, numbers.count()), (None, 100_000), "every line once, in order");
    // Who looked before its node had found it again keeps nobody from waiting for its end.
    viewer.type_in("exit 3\n").await;
    assert_eq!(viewer.end().await, (Some(3), None));
    let ended = async || {
        let list = stand.client.terminal_list(&workspace.id).await.unwrap();
        list.iter().any(|it| it.id == terminal.id && it.exit_code == Some(3))
    };
    wait_until("its end is listed", PATIENCE, ended).await;
}

/// Comes back as soon as that is possible, to where it was.
async fn again(stand: &Stand, workspace: &api::Workspace, terminal: &api::Terminal, offset: u64) -> Viewer {
    let (base, query) = (stand.server.api_url(), format!("&from={offset}"));
    let viewer = wait_some("the terminal is there again", PATIENCE, async || {
        Viewer::open(&base, &stand.token, &workspace.id, &terminal.id, &query).await.ok()
    })
    .await;
    assert_eq!(viewer.offset, offset, "it goes on where it was");
    viewer
}

#[tokio::test]
async fn who_takes_nothing_holds_up_nobody() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (loud, mut stuck) = stand.terminal(&workspace).await;
    stuck.acknowledges = false;
    stuck.type_in("yes\n").await;
    stuck.wait_for("y\r\ny\r\ny\r\n").await;
    // Another one who looks at the same is not held up by it, nor is another terminal.
    let (_, mut quiet) = stand.terminal(&workspace).await;
    quiet.type_in("echo quiet\n").await;
    quiet.wait_for("\nquiet\r\n").await;
    let mut quick = stand.look(&workspace, &loud, "").await;
    let before = quick.offset;
    while quick.offset < before + (4 << 20) {
        assert!(quick.next().await);
    }
    quick.type_in("\u{3}").await;
    quick.wait_for("^C").await;
}

#[tokio::test]
async fn one_who_comes_late_sees_the_screen_as_it_is_and_finds_what_was_said() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (terminal, mut viewer) = stand.terminal(&workspace).await;
    // More than is sent again, then a program with a screen of its own.
    viewer.type_in("seq -f 'needle %g of a long story' 40000; echo told; less -N README.md\n").await;
    viewer.wait_for("(END)").await;
    let mut live = screen::Screen::new(24, 80);
    live.feed(&viewer.seen);
    let mut late = stand.look(&workspace, &terminal, "").await;
    assert!(matches!(late.attached, Some(TerminalNotice::Attached { snapshot: true, .. })), "{:?}", late.attached);
    late.wait_for("(END)").await;
    assert_eq!(late.offset, viewer.offset);
    let mut again = screen::Screen::new(24, 80);
    again.feed(&late.snapshot);
    again.feed(&late.seen);
    assert_eq!(again.snapshot(), live.snapshot(), "the same screens, cursor and modes");
    let path = format!("/api/workspaces/{}/matches?q=needle%2012345%20of&limit=5", workspace.id);
    let found = stand.client.raw(reqwest::Method::GET, &path).send().await.unwrap();
    let found = found.json::<api::TerminalMatchList>().await.unwrap();
    assert_eq!(found.matches.len(), 1, "{found:?}");
    assert_eq!((found.matches[0].line.as_str(), found.truncated), ("needle 12345 of a long story", false));
    viewer.type_in("q").await;
}

#[tokio::test]
async fn who_has_a_link_watches_until_it_is_taken_back() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    let made = stand.client.terminal_link_create(&workspace.id, &terminal.id, None).await.unwrap();
    let (page, secret) = made.url.split_once('#').unwrap();
    assert!(page.ends_with("/watch"), "{page}");
    let base = stand.server.api_url();
    let mut watcher = Viewer::watch(&base, secret).await.unwrap();
    watcher.type_in("echo from the watcher\n").await;
    watcher.resize(10, 10).await;
    shell.type_in("stty size; echo seen $((1+1))\n").await;
    watcher.wait_for("24 80\r\nseen 2\r\n").await;
    assert!(!watcher.text().contains("from the watcher"), "{}", watcher.text());
    // It shows this terminal, and opens nothing else.
    let shown: api::SharedTerminal =
        bearer(&stand, "/api/shared-terminal", secret).send().await.unwrap().json().await.unwrap();
    assert_eq!((shown.workspace_name, shown.terminal_name), (workspace.name.clone(), terminal.name.clone()));
    for path in [format!("/api/workspaces/{}", workspace.id), "/api/workspaces".into(), "/terminal/ws/multi".into()] {
        assert_eq!(bearer(&stand, &path, secret).send().await.unwrap().status(), 401, "{path}");
    }
    // Nobody else makes, sees or takes back links, and none is made of what is not there.
    let bob = stand.client.sign_in_another("bob", "admin").await;
    assert_eq!(bob.terminal_link_list(&workspace.id, &terminal.id).await.unwrap_err().code(), "NOT_FOUND");
    let made_by_bob = bob.terminal_link_create(&workspace.id, &terminal.id, None).await.map(drop);
    assert_eq!(made_by_bob.unwrap_err().code(), "NOT_FOUND");
    let code = stand.client.terminal_link_create(&workspace.id, &terminal.id, Some(1)).await.map(drop).unwrap_err();
    assert_eq!(code.code(), "INVALID_EXPIRY");
    let no_terminal = ids::TerminalId::new();
    let code = stand.client.terminal_link_create(&workspace.id, &no_terminal, None).await.map(drop).unwrap_err();
    assert_eq!(code.code(), "NOT_FOUND");

    let second = stand.client.terminal_link_create(&workspace.id, &terminal.id, None).await.unwrap();
    let listed = stand.client.terminal_link_list(&workspace.id, &terminal.id).await.unwrap();
    assert_eq!(listed, [made.link.clone(), second.link]);
    stand.client.terminal_link_delete(&workspace.id, &terminal.id, &made.link.id).await.unwrap();
    while watcher.next().await {}
    assert_eq!(watcher.exit, None);
    assert_eq!(bearer(&stand, "/api/shared-terminal", secret).send().await.unwrap().status(), 401);
    // The terminal that is closed takes its links with it.
    stand.client.terminal_close(&workspace.id, &terminal.id).await.unwrap();
    assert_eq!(stand.client.terminal_list(&workspace.id).await.unwrap().len(), 1, "it has ended");
    assert_eq!(stand.client.terminal_link_list(&workspace.id, &terminal.id).await.unwrap(), []);
}

fn bearer(stand: &Stand, path: &str, token: &str) -> reqwest::RequestBuilder {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(format!("{}{path}", stand.server.api_url())).bearer_auth(token)
}

#[tokio::test]
async fn no_program_waits_for_one_who_only_watches() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let command = ["sh", "-c", "read go; head -c 4000000 /dev/zero | tr '\\0' y; exit 5"].map(String::from).to_vec();
    let create = api::TerminalCreate { command: Some(command), ..Default::default() };
    let terminal = stand.client.terminal_open(&workspace.id, &create).await.unwrap();
    let link = stand.client.terminal_link_create(&workspace.id, &terminal.id, None).await.unwrap();
    // Takes nothing from now on, and does not say so.
    let _stuck = Viewer::watch(&stand.server.api_url(), link.url.split_once('#').unwrap().1).await.unwrap();
    let mut owner = stand.look(&workspace, &terminal, "").await;
    owner.type_in("\n").await;
    drop(owner);
    let ended = async || {
        let list = stand.client.terminal_list(&workspace.id).await.unwrap();
        list.iter().any(|it| it.exit_code == Some(5) && it.output_bytes >= 4_000_000)
    };
    wait_until("the program has ended", PATIENCE, ended).await;
}
