//! A file system of its own, small enough to be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, umount2};

use crate::wait::{PATIENCE, wait_blocking};

/// Takes what room there is.
const BALLAST: &str = "ballast";

/// An ext4 file system in a file, mounted until it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    image: PathBuf,
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a new one of so many megabytes on `path`, which is made; the image lies beside it.
    pub(crate) fn mount(path: &Path, megabytes: u64) -> Self {
        let image = path.with_extension("ext4");
        let file = File::create(&image).expect("make the disk's image");
        file.set_len(megabytes << 20).expect("size the disk's image");
        // Nothing is kept for root: full is full.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        fs::create_dir_all(path).expect("make the directory to mount on");
        let disk = Self { image, path: path.to_owned() };
        disk.attach();
        disk
    }

    fn attach(&self) {
        // As is usual for the disk of a machine.
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).args([&self.image, &self.path]));
    }

    fn is_attached(&self) -> bool {
        let output = Command::new("losetup").arg("-j").arg(&self.image).output().expect("start losetup");
        !output.stdout.is_empty()
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        self.leave(0);
    }

    /// Takes the room that is left but for so many bytes.
    pub fn leave(&self, bytes: u64) {
        let spare = self.path.join("spare");
        fs::write(&spare, vec![1; usize::try_from(bytes).expect("it is a small disk")]).expect("keep room");
        sync(&self.path);
        let mut ballast =
            File::options().create(true).append(true).open(self.path.join(BALLAST)).expect("make ballast");
        for size in [1 << 20, 4096, 1] {
            let block = vec![1; size];
            loop {
                match ballast.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("fill the disk: {error}"),
                }
            }
        }
        fs::remove_file(spare).expect("give the room");
    }

    /// Gives back what was taken.
    pub fn free(&self) {
        fs::remove_file(self.path.join(BALLAST)).expect("remove the ballast");
    }

    /// What ext4 does by itself when the disk fails: from now on nothing can be written, whoever has it open.
    pub fn fail(&self) {
        let mounts = fs::read_to_string("/proc/mounts").expect("read the mounts");
        let on = self.path.to_str().expect("a path of ours");
        let device = mounts.lines().find_map(|line| line.split_once(&format!(" {on} ")).map(|(device, _)| device));
        let device = Path::new(device.expect("it is mounted")).file_name().expect("a device has a name");
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        fs::write(trigger, "a test").expect("tell ext4 of an error");
    }

    /// What a person does then. Nothing may work on the disk meanwhile.
    pub fn repair(&self) {
        run(Command::new("umount").arg(&self.path));
        // A sandbox that was being made has the mount for a moment longer; mounted again now, it would be the old one.
        assert!(wait_blocking(PATIENCE, || !self.is_attached()), "{} stays in use", self.image.display());
        // 1: errors were corrected.
        let status = Command::new("e2fsck").args(["-p", "-f"]).arg(&self.image).status().expect("start e2fsck");
        assert!(status.code().is_some_and(|code| code <= 1), "e2fsck: {status}");
        self.attach();
    }

    /// Without a fault, as an operator does. Nothing may have a file open for writing.
    pub fn read_only(&self) {
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.path));
    }

    pub fn writable(&self) {
        run(Command::new("mount").args(["-o", "remount,rw"]).arg(&self.path));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        detach(&self.path);
    }
}

/// Unmounts what a test left on `path`, if it did.
pub(crate) fn detach(path: &Path) {
    // Lazily: what still uses it ends in a moment. The loop device goes with the mount.
    let _ = umount2(path, MntFlags::MNT_DETACH);
}

fn sync(path: &Path) {
    File::open(path).and_then(|directory| nix::unistd::syncfs(directory).map_err(Into::into)).expect("sync the disk");
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
