//! The machine itself, of /proc and the file systems.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use wire::{Cpu, DiskUse, Memory, NetworkInterface, SystemInfo};

use crate::metrics::meminfo;
use crate::now_ms;

/// File systems that hold people's data on this machine: one of the network may never answer.
const FILE_SYSTEMS: [&str; 9] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "bcachefs"];

/// All but what programs have to be asked for.
pub(super) fn read() -> SystemInfo {
    let name = nix::sys::utsname::uname().ok();
    let text = |pick: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        name.as_ref().map(|name| pick(name).to_string_lossy().into_owned()).unwrap_or_default()
    };
    let memory = |total: &str, free: &str| {
        let (total_bytes, free) = (meminfo(total).unwrap_or_default(), meminfo(free).unwrap_or_default());
        Memory { total_bytes, used_bytes: total_bytes.saturating_sub(free) }
    };
    SystemInfo {
        at_ms: now_ms(),
        hostname: text(|name| name.nodename()),
        os: os(&read_to_string("/etc/os-release").unwrap_or_default()),
        kernel: format!("{} {}", text(|name| name.sysname()), text(|name| name.release())),
        architecture: text(|name| name.machine()),
        uptime_seconds: uptime(&read_to_string("/proc/uptime").unwrap_or_default()),
        cpu: cpu(),
        memory: memory("MemTotal", "MemAvailable"),
        swap: memory("SwapTotal", "SwapFree"),
        disks: disks(&read_to_string("/proc/self/mountinfo").unwrap_or_default()),
        networks: networks(&read_to_string("/proc/net/dev").unwrap_or_default()),
        ..SystemInfo::default()
    }
}

/// What this process has in memory.
pub(super) fn own_memory() -> u64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// `PRETTY_NAME` of os-release(5).
fn os(text: &str) -> String {
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches(['"', '\'']).to_owned())
}

fn uptime(text: &str) -> u64 {
    text.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

fn cpu() -> Cpu {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let mut load = load.split(' ').map(|load| load.parse().unwrap_or_default());
    Cpu {
        model,
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1)),
        load: [(); 3].map(|()| load.next().unwrap_or_default()),
    }
}

/// Each device once, by its shortest mount point; the root's file system whatever it is.
fn disks(mountinfo: &str) -> Vec<DiskUse> {
    let mut mounts = mountinfo.lines().filter_map(mount).collect::<Vec<_>>();
    mounts.sort_by_key(|(mount, ..)| mount.len());
    let mut seen = BTreeSet::new();
    let mut disks = Vec::new();
    for (mount, filesystem, device) in mounts {
        if mount != "/" && !FILE_SYSTEMS.contains(&filesystem.as_str()) || !seen.insert(device.clone()) {
            continue;
        }
        let Ok(stat) = nix::sys::statvfs::statvfs(mount.as_str()) else { continue };
        let total_bytes = stat.blocks() * stat.fragment_size();
        let used_bytes = total_bytes.saturating_sub(stat.blocks_free() * stat.fragment_size());
        if total_bytes > 0 {
            disks.push(DiskUse { mount, device, filesystem, total_bytes, used_bytes });
        }
    }
    disks
}

/// Mount point, type and device of a line of proc_pid_mountinfo(5).
fn mount(line: &str) -> Option<(String, String, String)> {
    let (before, after) = line.split_once(" - ")?;
    // Octal for what would not be one word.
    let point = before.split(' ').nth(4)?.replace("\\040", " ");
    let mut after = after.split(' ');
    Some((point, after.next()?.to_owned(), after.next()?.to_owned()))
}

/// All but loopback, and but the links of workloads, of which there is one each.
fn networks(text: &str) -> Vec<NetworkInterface> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers = numbers.split_whitespace().map(|n| n.parse().unwrap_or(0)).collect::<Vec<u64>>();
        let name = name.trim();
        let is_own = name != "lo" && !name.starts_with("veth") && !is_link(name);
        is_own.then(|| NetworkInterface {
            name: name.to_owned(),
            rx_bytes: numbers.first().copied().unwrap_or(0),
            tx_bytes: numbers.get(8).copied().unwrap_or(0),
        })
    };
    text.lines().filter_map(interface).collect()
}

/// `n<instance>-…`, a workload's way out, of whatever node on this machine.
fn is_link(name: &str) -> bool {
    name.starts_with('n') && name.as_bytes().get(7) == Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(
            os("NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            "Debian GNU/Linux 12 (bookworm)"
        );
        assert_eq!(uptime("350735.47 234388.90\n"), 350_735);
        let line = "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 - ext4 /dev/root rw,errors=continue";
        assert_eq!(mount(line), Some(("/a b".into(), "ext4".into(), "/dev/root".into())));
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n  eth0: 1500 0 0 0 0 0 0 0 700 0 0 0 0 0 0 0\nnabc123-1f: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n";
        assert_eq!(networks(dev), [NetworkInterface { name: "eth0".into(), rx_bytes: 1500, tx_bytes: 700 }]);
        assert!(read().memory.total_bytes > 0 && own_memory() > 0);
    }
}
