//! One emulated machine, from power on to power off.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::directory;
use super::image::Image;

/// The guest's last line, followed by its exit code.
const ENDED: &str = "vm: ended with ";
/// Lines of the kernel's console that are shown when a machine died.
const CONSOLE_TAIL: usize = 30;

/// What a machine does with its disk.
pub(super) enum Disk<'a> {
    /// Starts from the image; what it writes goes when it does.
    Fresh,
    /// A copy of the image, for a machine that is started more than once.
    Kept(&'a Path),
}

/// A start of a machine, and what it is for.
pub(super) struct Start<'a> {
    pub(super) image: &'a Image,
    pub(super) disk: Disk<'a>,
    /// The drive with our programs, which says what is done for a `task`.
    pub(super) drive: &'a Path,
    pub(super) task: &'a str,
    /// Besides the usual ones.
    pub(super) kernel_parameters: &'a str,
    pub(super) within: Duration,
}

impl Start<'_> {
    /// Does the task, shows what the machine says, and takes its power away when it has ended, without any warning.
    ///
    /// # Errors
    /// If the task failed or took too long, or the machine died.
    pub(super) fn run(&self) -> Result<()> {
        let console = directory().join(format!("console-{}.log", self.task));
        let mut emulator = self.emulator(&console)?;
        let lines = lines(&mut emulator)?;
        let ended = watch(&lines, Instant::now() + self.within);
        let _ = emulator.kill();
        let _ = emulator.wait();
        let Self { task, within, .. } = self;
        match ended {
            Ok(Some(0)) => Ok(()),
            Ok(Some(code)) => bail!("`{task}` failed in the virtual machine with {code}"),
            Ok(None) => {
                bail!("the virtual machine died during `{task}`; its console's last lines:\n{}", tail(&console))
            }
            Err(error) => Err(error).with_context(|| format!("`{task}` in the virtual machine, for {within:?}")),
        }
    }

    fn emulator(&self, console: &Path) -> Result<Child> {
        // A disk that nobody sees again need not be safe from anything.
        let (system, safety) = match self.disk {
            Disk::Fresh => (self.image.disk.as_path(), "snapshot=on,cache=unsafe"),
            Disk::Kept(path) => (path, "cache=writeback"),
        };
        // With an id that is given, systemd does not take every start for the first one.
        let kernel = format!(
            "root=/dev/vda rw quiet console=ttyS0 panic=-1 mitigations=off systemd.unified_cgroup_hierarchy=1 \
             systemd.machine_id=6e616e6f7363616c652d766d2d746573 vm.task={} {}",
            self.task, self.kernel_parameters
        );
        let drive = |path: &Path, rest: &str| format!("file={},if=virtio,format=raw,{rest}", path.display());
        // Ends with us, however we end. The processor is one that qemu emulates without detours: what has AVX makes programs
        // use it, which takes half as long again, and what can virtualize has its drivers loaded.
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"])
            .args(["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem", "-M", "q35", "-smp", "2", "-m", "3072"])
            .args(["-nodefaults", "-display", "none", "-no-reboot", "-append", &kernel])
            .arg("-kernel")
            .arg(&self.image.kernel)
            .arg("-initrd")
            .arg(&self.image.initrd)
            .args(["-drive", &drive(system, safety), "-drive", &drive(self.drive, "readonly=on")])
            .args(["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"])
            .args(["-chardev", "file,id=host,path=/dev/stdout", "-device", "virtserialport,chardev=host,name=host"])
            .args(["-serial", &format!("file:{}", console.display())])
            .env("TMPDIR", directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start qemu-system-x86_64")
    }
}

fn lines(emulator: &mut Child) -> Result<Receiver<String>> {
    let output = emulator.stdout.take().context("the machine's output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    Ok(lines)
}

/// Shows what the machine says until it has ended: its exit code, or `None` if it died without one.
#[expect(clippy::print_stdout, reason = "the test runner's own lines")]
fn watch(lines: &Receiver<String>, deadline: Instant) -> Result<Option<i32>> {
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => match line.trim_end().strip_prefix(ENDED) {
                Some(code) => return Ok(Some(code.parse().unwrap_or(1))),
                None => println!("{line}"),
            },
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("did not end in time"),
        }
    }
}

fn tail(console: &Path) -> String {
    let text = std::fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(CONSOLE_TAIL)..].join("\n")
}
