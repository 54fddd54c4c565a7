//! The network namespace: what is inside, what gets out, who gets in.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use sandbox::{Link, Network};

use crate::{is_root, output, python, run, shell, start, wait_until};

/// The first socket that the one at `path` gives.
fn socket(path: &Path) -> OwnedFd {
    let client = UnixStream::connect(path).expect("connect");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(&client, &mut [IoSliceMut::new(&mut byte)], &mut control, flags).expect("receive");
    let mut fds = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    fds.next().expect("a socket")
}

fn connect(path: &Path, port: u16) -> Option<TcpStream> {
    let socket = socket(path);
    rustix::io::ioctl_fionbio(&socket, false).expect("blocking");
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).ok()?;
    Some(TcpStream::from(socket))
}

#[test]
fn has_a_loopback_of_its_own() {
    if !is_root() {
        return;
    }
    let host = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = host.local_addr().expect("address").port();
    let mut spec = python(&format!(
        "import socket\nfor host in ['127.0.0.1']:\n  s = socket.socket()\n  print(s.connect_ex((host, {port})))\n\
         print(len(open('/proc/net/dev').readlines()) - 2)\nsocket.create_server(('127.0.0.1', {port}))\nprint('bound')"
    ));
    spec.network = Network::Own { sockets: None, ports: Vec::new(), link: None };
    let said = output(&spec);
    // 111 is ECONNREFUSED: nobody listens on this loopback. Only the host's port is taken.
    assert!(said.starts_with("111\n") && said.ends_with("bound\n"), "{said}");
}

#[test]
fn is_reached_through_its_socket() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("net.sock");
    let mut spec = python(
        "import socket, sys\ns = socket.create_server(('127.0.0.1', 3000))\nprint('listens', flush=True)\n\
         while True:\n  c, _ = s.accept()\n  c.sendall(b'hello ' + c.recv(99))\n  c.close()",
    );
    spec.network = Network::Own { sockets: Some(path.clone()), ports: Vec::new(), link: None };
    let mut running = start(&spec);
    assert_eq!(running.line(), "listens");
    for _ in 0..50 {
        let mut stream = connect(&path, 3000).expect("connected");
        stream.write_all(b"there").expect("write");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("read");
        assert_eq!(said, "hello there");
    }
    assert!(connect(&path, 3001).is_none(), "nobody listens there");
    running.signal(15);
    running.finish();
    wait_until("the socket is deaf", || UnixStream::connect(&path).is_err());
}

#[test]
fn its_link_comes_and_goes_with_it() {
    if !is_root() {
        return;
    }
    let name = format!("sbx{}", std::process::id());
    let link = Link {
        name: name.clone(),
        gateway: Ipv4Addr::new(198, 18, 0, 1),
        network: Ipv4Addr::new(198, 18, 0, 0),
        prefix: 15,
    };
    let exists = || Path::new("/sys/class/net").join(&name).exists();
    let mut spec = shell("cat /proc/net/route; echo ready; sleep 600");
    spec.network = Network::Own { sockets: None, ports: Vec::new(), link: Some(link) };
    let mut running = start(&spec);
    let mut routes = Vec::new();
    loop {
        match running.line().as_str() {
            "ready" => break,
            line => routes.push(line.to_owned()),
        }
    }
    assert!(routes.iter().any(|route| route.starts_with("eth0\t00000000\t010012C6")), "a way out: {routes:?}");
    assert!(exists());
    let addresses = Command::new("ip").args(["-o", "address", "show", "dev", &name]).output().expect("ip");
    assert!(addresses.status.success(), "{addresses:?}");
    assert_eq!(String::from_utf8_lossy(&addresses.stdout), "", "nobody on the host learns of an address");
    // Another one with the same name takes over, as after a crash.
    let again = start(&spec);
    while again.line() != "ready" {}
    assert!(exists());
    running.signal(9);
    running.finish();
    assert!(exists(), "the second one's link stays");
    drop(again);
    wait_until("the link is gone", || !exists());
}

#[test]
fn a_bad_link_is_refused() {
    let mut spec = shell("true");
    let link = Link {
        name: "much-too-long-for-an-interface".into(),
        gateway: Ipv4Addr::new(198, 18, 0, 1),
        network: Ipv4Addr::new(198, 18, 0, 0),
        prefix: 15,
    };
    spec.network = Network::Own { sockets: None, ports: Vec::new(), link: Some(link) };
    let ended = run(&spec);
    assert!(ended.exit.is_none() && ended.stderr.contains("name of an interface"), "{}", ended.stderr);
    // Nothing of it was made.
    let links = Command::new("cat").arg("/proc/net/dev").output().expect("cat");
    assert!(!String::from_utf8_lossy(&links.stdout).contains("much-too"));
}

#[test]
fn a_namespace_of_somebody_elses_is_served_too() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("net.sock");
    // Waits for its loopback, which is brought up from here.
    let program = "import socket, sys\nprint('made', flush=True)\nsys.stdin.readline()\n\
         s = socket.create_server(('127.0.0.1', 3000))\nprint('listens', flush=True)\nc, _ = s.accept()\nc.sendall(b'hello')";
    let mut other = Command::new("unshare")
        .args(["--net", "python3", "-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start");
    let mut said = std::io::BufReader::new(other.stdout.take().expect("its output"));
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("read");
        line
    };
    assert_eq!(line(), "made\n");
    let namespace = std::fs::File::open(format!("/proc/{}/ns/net", other.id())).expect("its namespace").into();
    let name = format!("sbv{}", std::process::id());
    let link = Link {
        name: name.clone(),
        gateway: Ipv4Addr::new(198, 18, 0, 1),
        network: Ipv4Addr::new(198, 18, 0, 0),
        prefix: 15,
    };
    let network = Network::Own { sockets: Some(path.clone()), ports: Vec::new(), link: Some(link) };
    sandbox::serve_namespace(namespace, network).expect("served");
    assert!(Path::new("/sys/class/net").join(&name).exists());
    other.stdin.take().expect("its input").write_all(b"go\n").expect("write");
    assert_eq!(line(), "listens\n");
    let mut heard = String::new();
    connect(&path, 3000).expect("connected").read_to_string(&mut heard).expect("read");
    assert_eq!(heard, "hello");
    other.wait().expect("wait");
    // The thread that is left in there keeps the namespace; the link can be taken by whoever is next.
    assert!(Command::new("ip").args(["link", "del", &name]).status().expect("ip").success());
}
