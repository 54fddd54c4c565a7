//! `nanoscale terminal`, in a terminal.

use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, Termios};
use testkit::{PATIENCE, wait_until};

use crate::window::Window;
use crate::{Stand, program};

/// Leaves.
const LEAVE: &str = "\u{1d}";

impl Stand {
    fn window(&self, arguments: &[&str]) -> Window {
        let mut command = Command::new(program());
        command.arg("terminal").args(arguments).env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
        command.env("NANOSCALE_URL", self.server.api_url()).env("NANOSCALE_TOKEN", &self.token);
        Window::open(&command)
    }
}

fn is_raw(modes: &Termios) -> bool {
    !modes.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
}

/// Somebody's own settings: they have to come back as they were, not as they usually are.
fn own_settings(window: &Window) -> Termios {
    let mut modes = window.modes();
    modes.local_flags.remove(LocalFlags::ECHOCTL);
    modes.control_chars[SpecialCharacterIndices::VERASE as usize] = 8;
    window.set_modes(&modes);
    modes
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_typed_into_resized_left_and_ended() {
    let stand = Stand::new().await;
    let workspace = stand.open().await;
    let mut window = stand.window(&[&workspace.name]);
    let before = own_settings(&window);
    window.shows("$ ").await;
    assert!(is_raw(&window.modes()));
    window.type_in("echo it is $((40+2)); stty size\r");
    window.shows("it is 42\r\n24 80\r\n").await;
    // What the window's own signals would be goes to the program inside.
    window.type_in("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo re''sized\r");
    window.resize(33, 101);
    window.shows("resized\r\n").await;
    // A shell looks at what it was sent between two commands: there is always one more.
    let waits = "trap \"echo inter\"\"rupted; exit\" INT; echo re\"\"ady; while sleep 0.1; do :; done";
    window.type_in(&format!("sh -c '{waits}'\r"));
    window.shows("ready\r\n").await;
    window.type_in("\u{3}");
    window.shows("interrupted\r\n").await;
    // Who types and leaves at once has typed it.
    window.type_in(&format!("echo $$ > /tmp/pid\r{LEAVE}"));
    assert_eq!(window.end().await.code(), Some(0));
    assert_eq!(window.modes(), before);
    let terminal = stand.client.terminal_list(&workspace.id).await.unwrap().remove(0);
    assert!(terminal.is_running);
    assert!(window.text().contains(&format!("--name {}", terminal.id)), "{}", window.text());

    let mut window = stand.window(&[&workspace.name, "--name", &terminal.name]);
    let before = own_settings(&window);
    window.shows("it is 42").await;
    window.type_in("[ $$ = $(cat /tmp/pid) ] && echo the sa''me\r");
    window.shows("the same\r\n").await;
    window.type_in("exit 7\r");
    assert_eq!(window.end().await.code(), Some(7));
    assert_eq!(window.modes(), before);
    // One who is killed inside is told of as a shell does.
    let mut window = stand.window(&[&workspace.name, "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(window.end().await.code(), Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_window_is_as_before_whatever_ends_it() {
    let mut stand = Stand::new().await;
    let workspace = stand.open().await;
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130), (Signal::SIGQUIT, 131)]
    {
        let mut window = stand.window(&[&workspace.name]);
        let before = own_settings(&window);
        window.shows("$ ").await;
        // Modes of the screen, too: the mouse, the other screen, no cursor.
        window.type_in("printf '\\033[?1000h\\033[?1049h\\033[?25ldr''awn'\r");
        window.shows("drawn").await;
        window.signal(signal);
        assert_eq!(window.end().await.code(), Some(code), "{signal}");
        assert_eq!(window.modes(), before, "{signal}");
        for reset in ["\u{1b}[?1000l", "\u{1b}[?1047l", "\u{1b}[?25h"] {
            window.shows(reset).await;
        }
    }
    // While there is no server, too.
    let mut window = stand.window(&[&workspace.name]);
    let before = own_settings(&window);
    window.shows("$ ").await;
    stand.server.kill();
    window.shows("connection lost").await;
    window.type_in(LEAVE);
    assert_eq!(window.end().await.code(), Some(0));
    assert_eq!(window.modes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_by_itself_and_shows_everything_once() {
    let mut stand = Stand::new().await;
    let workspace = stand.open().await;
    let mut window = stand.window(&[&workspace.name]);
    window.shows("$ ").await;
    window.type_in("stty -echo; for i in $(seq 50000); do echo line $i; done; echo all sa''id\r");
    window.shows("\nline 1000\r\n").await;
    stand.server.kill();
    window.shows("connection lost").await;
    // What is typed meanwhile is not lost.
    window.type_in("echo ty''ped\r");
    stand.server.restart().await;
    window.shows("\nall said\r\n").await;
    window.shows("\ntyped\r\n").await;
    let text = without_titles(&window.text().replace("\u{1b}[?2004l\r", ""));
    let lines = text.lines().map(str::trim_end);
    let numbers = lines.filter_map(|line| line.strip_prefix("line ")?.parse::<u32>().ok());
    let wrong = numbers.clone().zip(1..).find(|(is, should)| is != should);
    assert_eq!((wrong, numbers.count()), (None, 50_000), "every line once, in order");
    let before = stand.client.terminal_list(&workspace.id).await.unwrap().len();
    assert_eq!(before, 1);
    window.type_in("exit 3\r");
    assert_eq!(window.end().await.code(), Some(3));
    let is_listed = async || {
        let list = stand.client.terminal_list(&workspace.id).await.unwrap();
        list.iter().any(|terminal| terminal.exit_code == Some(3))
    };
    wait_until("its end is listed", PATIENCE, is_listed).await;
}

/// The name of the window changes in between, also within a line.
fn without_titles(text: &str) -> String {
    let mut parts = text.split("\u{1b}]");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('\u{7}').map_or("", |(_, rest)| rest))
}
