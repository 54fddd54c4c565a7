//! The whole way of a piece of work: opened, written, pushed, looked at in the browser, left and come back to.

use testkit::{Browser, PATIENCE, Page};

use crate::page::{run, shows, state_is, terminal};
use crate::{BUILD, Stand};

/// A server as developers have it: its page opens a WebSocket and a stream of events back to where it came from, and both
/// say when `note.txt` has changed.
const DEV: &str = r#"
import base64, hashlib, http.server, time
PAGE = b"""<!doctype html><title>dev</title><link rel=icon href=data:,><p id=socket></p><p id=events></p><script>
const show = (id) => ({ data }) => { document.getElementById(id).textContent += data + ';' };
const socket = new WebSocket(`ws://${location.host}/socket`);
socket.onopen = () => socket.send('hello ' + location.host);
socket.onmessage = show('socket');
socket.onclose = () => show('socket')({ data: 'CLOSED' });
const events = new EventSource('/events');
events.onmessage = show('events');
events.onerror = () => show('events')({ data: 'CLOSED' });
</script>"""
def changes():
    last = None
    while True:
        now = open('note.txt').read().strip()
        if now and now != last: yield now
        last = now or last
        time.sleep(0.05)
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.path == '/socket': return self.socket()
        self.send_response(200)
        if self.path == '/events':
            self.send_header('Content-Type', 'text/event-stream'); self.send_header('Connection', 'close'); self.end_headers()
            for text in changes(): self.wfile.write(f'data: {text}\n\n'.encode())
        self.send_header('Content-Type', 'text/html'); self.send_header('Content-Length', str(len(PAGE))); self.end_headers()
        self.wfile.write(PAGE)
    def socket(self):
        key = self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        self.send_response(101); self.send_header('Upgrade', 'websocket'); self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()); self.end_headers()
        def say(text): self.wfile.write(bytes([0x81, len(text)]) + text)
        length, mask = self.rfile.read(2)[1] & 127, self.rfile.read(4)
        say(b'heard ' + bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length))))
        for text in changes(): say(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', 8123), App).serve_forever()
"#;

/// Asks the terminal everything that could be answered with words of the asker's choice, or with somebody's clipboard.
const ASK: &str = r"
import os, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
ask = [']0;evil\x07', ']1;evil\x07', '[21t', '[20t', ']52;c;?\x07', ']52;p;?\x07', 'P$qevil\x1b\\', 'P+q6576696c\x1b\\', '[5n']
os.write(1, ('\x05' + ''.join('\x1b' + it for it in ask)).encode())
heard = b''
while not heard.endswith(b'\x1b[0n'): heard += os.read(0, 1)
termios.tcsetattr(0, termios.TCSANOW, before)
bad = [it for it in (b'evil', b'6576', b'52;', b'\r', b'\n') if it in heard]
print('so' + 'ber' if not bad else 'ANSWERED', bad or '', flush=True)
";

async fn text_has(page: &Page, id: &str, text: &str) {
    page.wait_for(&format!("document.getElementById('{id}')?.textContent.includes('{text}')"), PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_opened_written_pushed_previewed_left_and_come_back_to() {
    let stand = Stand::new().await;
    stand.repo.write("dev.py", DEV).write("ask.py", ASK).write("note.txt", "first\n").commit("A server to look at");
    stand.repo.run(&["push", "--quiet", "origin", "HEAD"]);
    let bare = stand.repo.run(&["remote", "get-url", "origin"]).trim().to_owned();
    stand.repo.run(&["-C", &bare, "config", "http.receivepack", "true"]);
    let browser = Browser::start().await;
    let (page, visitor) = (browser.page().await, browser.page().await);
    let base = stand.server.api_url();
    page.sign_in(&base, "admin", &stand.password).await;

    page.goto(&format!("{base}/workspaces")).await;
    page.click("[data-testid=new-workspace]").await;
    page.fill("input[placeholder='fix/login']", "feature/cart").await;
    page.click("[data-testid=create-workspace]").await;
    page.wait_for("document.querySelector('[data-testid=boot-steps], [data-testid=desk]')", BUILD).await;
    state_is(&page, "running").await;
    terminal(&page).await;
    run(&page, "echo cart > cart.txt; git add .; git commit -qm Cart; git push -q; echo pushed-$((40+2))").await;
    shows(&page, "pushed-42").await;
    let pushed = stand.repo.run(&["-C", &bare, "log", "-1", "--format=%an %s", "feature/cart"]);
    assert_eq!(pushed.trim(), "admin Cart");
    run(&page, "python3 ask.py").await;
    shows(&page, "sober").await;

    // A port, opened from the page of the workspace by a click, in the same tab: another one could not be looked at.
    let address = page.url().await;
    run(&page, "python3 dev.py &").await;
    page.wait_for("document.querySelector('[data-testid=port-chip]')", PATIENCE).await;
    let listed = stand.client.workspace_list("").await.unwrap().remove(0).ports;
    let port = format!("{}/", listed.iter().find(|it| it.port == 8123).unwrap().url);
    page.eval("document.querySelector('[data-testid=port-chip]').removeAttribute('target')").await;
    page.click("[data-testid=port-chip]").await;
    let host = port.trim_start_matches("http://").trim_end_matches('/').to_owned();
    assert!(host.starts_with("ws-") && host.contains("--8123.localhost:"), "{host}");
    text_has(&page, "socket", &format!("heard hello {host};first;")).await;
    text_has(&page, "events", "first;").await;
    assert_eq!(page.url().await, port, "neither code nor session is left in the address");
    assert_eq!(page.eval("document.cookie").await, "", "and none is there for the page's scripts");
    // What is changed in the workspace is shown, over the same connections.
    let client = &stand.client;
    let workspace = client.workspace_list("").await.unwrap().remove(0);
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("echo second > note.txt; echo changed\n").await;
    shell.wait_for("\nchanged\r\n").await;
    for id in ["socket", "events"] {
        text_has(&page, id, "first;second;").await;
        assert!(!page.text(&format!("#{id}")).await.contains("CLOSED"));
    }
    // Somebody without a session is told nothing of it; its owner goes on to it once they have signed in.
    visitor.goto(&port).await;
    visitor.wait_for("document.querySelector('[data-testid=login-form]')", PATIENCE).await;
    assert!(visitor.url().await.starts_with(&format!("{base}/login?next=%2Fapi%2Fworkspaces%2F")));
    visitor.fill("input[name=username]", "admin").await;
    visitor.fill("input[name=password]", &stand.password).await;
    visitor.press("Enter").await;
    text_has(&visitor, "events", "second;").await;
    assert_eq!(visitor.url().await, port);

    page.goto(&address).await;
    terminal(&page).await;
    run(&page, "echo uncommitted > later.txt; echo written-$((40+2))").await;
    shows(&page, "written-42").await;
    page.click("[data-testid=stop-workspace]").await;
    page.click("[data-testid=stop-confirm]").await;
    state_is(&page, "stopped").await;
    page.click("[data-testid=restart-workspace]").await;
    state_is(&page, "running").await;
    terminal(&page).await;
    run(&page, "git status --short; cat note.txt").await;
    shows(&page, "?? later.txt").await;
    shows(&page, "second").await;
    page.click("[data-testid=workspace-info]").await;
    page.click_text("button", "Delete…").await;
    page.fill("[role=alertdialog] input", &workspace.name).await;
    page.click("[data-testid=delete-confirm]").await;
    page.wait_for_text("Open your first workspace", BUILD).await;
}
