//! Files that are made for a process.

use sandbox::{Access, Exit, File};

use crate::{UID, is_root, mount, run, shell};

fn file(target: &str, content: &str) -> File {
    File { target: target.into(), content: content.into() }
}

#[test]
fn they_are_its_own_wherever_they_are() {
    if !is_root() {
        return;
    }
    let release = tempfile::tempdir().expect("directory");
    std::fs::create_dir(release.path().join("conf")).expect("directory");
    for name in ["conf/there", "made"] {
        std::fs::write(release.path().join(name), "below").expect("file");
    }
    std::fs::set_permissions(release.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    let mut spec = shell(
        "for f in /tmp/a/b /etc/app.conf /opt/x/y /app/conf/there /app/made; do \
           echo $f $(cat $f) $(stat -c '%u %a' $f) $(echo more 2>&1 >>$f | grep -c 'Read-only'); done; \
         ls -ld /tmp/a | cut -c1-10; mv /tmp/a/b /tmp/a/c && echo moved; ls /.files 2>&1 | grep -o 'Permission denied'",
    );
    spec.mounts.push(mount(release.path(), "/app", Access::ReadOnly));
    for target in ["/tmp/a/b", "/etc/app.conf", "/opt/x/y", "/app/conf/there", "/app/made"] {
        spec.files.push(file(target, "given"));
    }
    let ended = run(&spec);
    let expected = format!(
        "/tmp/a/b given {UID} 600 0\n/etc/app.conf given {UID} 600 1\n/opt/x/y given {UID} 600 1\n\
         /app/conf/there given {UID} 600 1\n/app/made given {UID} 600 1\ndrwx------\nmoved\nPermission denied\n"
    );
    assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(release.path().join("made")).expect("file"), "below");
}

#[test]
fn many_large_ones_fit() {
    if !is_root() {
        return;
    }
    let mut spec = shell("cat /etc/f/* /tmp/f/* | wc -c; cat /etc/f/7 | md5sum; cat /tmp/f/7 | md5sum");
    let content = "0123456789abcdef".repeat(16_384);
    for number in 0..50 {
        spec.files.push(file(&format!("/etc/f/{number}"), &content));
        spec.files.push(file(&format!("/tmp/f/{number}"), &content));
    }
    let ended = run(&spec);
    let lines = ended.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], (100 * content.len()).to_string(), "{}", ended.stderr);
    assert_eq!(lines[1], lines[2]);
    assert_eq!(ended.exit, Some(Exit::Code(0)));
}

#[test]
fn what_is_in_the_way_is_named() {
    if !is_root() {
        return;
    }
    for (target, cause) in [("/etc", "/etc"), ("/usr/share/none", "/usr/share/none"), ("/proc/x", "/proc/x")] {
        let mut spec = shell("true");
        spec.files.push(file(target, "x"));
        let ended = run(&spec);
        assert!(ended.exit.is_none() && ended.stderr.contains(cause), "{target}: {}", ended.stderr);
    }
    let mut spec = shell("true");
    spec.files.push(file("/a/../b", "x"));
    assert!(run(&spec).exit.is_none());
}
