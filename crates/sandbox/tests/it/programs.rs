//! Ordinary programs do ordinary things.

use sandbox::Access;

use crate::{directory, is_root, mount, output, python, shell, spec};

#[test]
fn node_with_a_thread() {
    let script = r#"
const { Worker } = require("worker_threads");
const os = require("os"), http = require("http");
new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }).on("message", answer => {
  const server = http.createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1", () => {
    http.get({ port: server.address().port, host: "127.0.0.1" }, response => {
      response.on("data", data => console.log(answer, `${data}`, Object.keys(os.networkInterfaces()).includes("lo"), os.userInfo().username));
      server.close();
    });
  });
});
"#;
    assert_eq!(output(&spec(["node", "-e", script])), "42 hello true app\n");
}

#[test]
fn python_with_processes_and_names() {
    let script = "
import getpass, multiprocessing, socket, ssl, threading
queue = multiprocessing.Queue()
process = multiprocessing.Process(target=queue.put, args=(7,))
process.start()
print(queue.get(), getpass.getuser(), socket.getaddrinfo('localhost', 80, socket.AF_INET)[0][4])
process.join()
print(multiprocessing.Pool(2).map(abs, [-1, 2]), len(ssl.create_default_context().get_ca_certs()) > 0)
";
    assert_eq!(output(&python(script)), "7 app ('127.0.0.1', 80)\n[1, 2] True\n");
}

#[test]
fn git_init_and_commit() {
    if !is_root() {
        return;
    }
    let dir = directory();
    let mut spec = shell(
        "git init -q repo && cd repo && git config user.name a && git config user.email a@b && echo a > a && \
         git add a && git commit -qm first && git clone -q . ../copy && git -C ../copy log --format=%s",
    );
    spec.mounts.push(mount(dir.path(), "/place", Access::ReadWrite));
    spec.cwd = "/place".into();
    spec.home = "/place".into();
    assert_eq!(output(&spec), "first\n");
    assert!(dir.path().join("copy/a").is_file());
}

#[test]
fn npm_runs_a_script() {
    if !is_root() {
        return;
    }
    let dir = directory();
    std::fs::write(dir.path().join("package.json"), r#"{"scripts":{"hi":"node -p process.env.npm_lifecycle_event"}}"#)
        .expect("write");
    let mut spec = spec(["npm", "run", "--silent", "hi"]);
    spec.mounts.push(mount(dir.path(), "/place", Access::ReadWrite));
    spec.cwd = "/place".into();
    spec.env.retain(|(name, _)| name != "HOME");
    spec.env.push(("HOME".into(), "/place".into()));
    assert_eq!(output(&spec), "hi\n");
}

#[test]
fn a_terminal_can_be_made() {
    let script = "
import os, pty
pid, fd = pty.fork()
if pid == 0:
    os.execvp('tty', ['tty'])
print(os.read(fd, 100).decode().strip())
";
    assert_eq!(output(&python(script)), "/dev/pts/0\n");
}
