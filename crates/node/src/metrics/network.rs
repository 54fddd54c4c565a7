//! What went over the machine's interfaces, as the kernel counts it.

use std::collections::BTreeMap;
use std::path::Path;

/// Bytes received and sent by each interface but the loopback: what apps say to the edge is no traffic.
pub(super) type Interfaces = BTreeMap<String, (u64, u64)>;

/// What the machine received and sent, and what its interfaces had counted when that was last looked at.
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
    counted: Interfaces,
}

pub(super) fn interfaces() -> Interfaces {
    parse(&std::fs::read_to_string("/proc/net/dev").unwrap_or_default())
}

fn parse(text: &str) -> Interfaces {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap_or(0));
        let received = numbers.next()?;
        Some((name.trim().to_owned(), (received, numbers.nth(7)?)))
    };
    text.lines().filter_map(interface).filter(|(name, _)| name != "lo").collect()
}

/// What a counter rose by. One that is lower than it was began anew, at zero.
pub(super) fn risen(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

// === impl Traffic ===

impl Traffic {
    pub(super) fn new(now: &Interfaces, own_links: &str) -> Self {
        let counted = outward(now, own_links, has_device);
        let (received, sent) = counted.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        Self { received, sent, counted }
    }

    /// What came and went since the last time.
    pub(super) fn advance(&mut self, now: &Interfaces, own_links: &str) -> (u64, u64) {
        self.take(outward(now, own_links, has_device))
    }

    fn take(&mut self, now: Interfaces) -> (u64, u64) {
        // One that has come since may have counted long before.
        let known = now.iter().filter_map(|(name, now)| Some((self.counted.get(name)?, now)));
        let (received, sent) = known.fold((0, 0), |(received, sent), (before, now)| {
            (received + risen(before.0, now.0), sent + risen(before.1, now.1))
        });
        self.counted = now;
        self.received += received;
        self.sent += sent;
        (received, sent)
    }
}

/// Those that lead out of the machine: what passes a bridge, a tunnel or the link of a container passes one of these too.
/// In a machine that has none, as a container is, all but the workloads' own links.
fn outward(all: &Interfaces, own_links: &str, is_device: impl Fn(&str) -> bool) -> Interfaces {
    let of = |counts: &dyn Fn(&str) -> bool| {
        let counted = all.iter().filter(|(name, _)| counts(name));
        counted.map(|(name, bytes)| (name.clone(), *bytes)).collect::<Interfaces>()
    };
    let devices = of(&is_device);
    if devices.is_empty() { of(&|name| !name.starts_with(own_links)) } else { devices }
}

fn has_device(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).join("device").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 900 9 0 0 0 0 0 0 900 9 0 0 0 0 0 0
  eth0:1000 9 0 0 0 0 0 0 200 9 0 0 0 0 0 0
nabcdef-1234567: 70 1 0 0 0 0 0 0 80 1 0 0 0 0 0 0
";

    fn named(of: &[(&str, u64, u64)]) -> Interfaces {
        of.iter().map(|(name, received, sent)| ((*name).to_owned(), (*received, *sent))).collect()
    }

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        assert_eq!(parse(DEV), named(&[("eth0", 1000, 200), ("nabcdef-1234567", 70, 80)]));
    }

    #[test]
    fn only_what_leaves_the_machine_counts_and_once() {
        let all = named(&[("br0", 5, 5), ("eth0", 1000, 200), ("nabcdef-1", 70, 80)]);
        assert_eq!(outward(&all, "nabcdef-", |name| name == "eth0"), named(&[("eth0", 1000, 200)]));
        assert_eq!(outward(&all, "nabcdef-", |_| false), named(&[("br0", 5, 5), ("eth0", 1000, 200)]));
    }

    #[test]
    fn traffic_never_goes_back_whatever_interfaces_do() {
        let counted = named(&[("eth0", 1000, 200), ("eth1", 50_000, 50_000)]);
        let mut traffic = Traffic { received: 51_000, sent: 50_200, counted };
        assert_eq!(traffic.take(named(&[("eth0", 1500, 300), ("eth1", 50_000, 50_000)])), (500, 100));
        // One is gone, one has begun anew, one has come.
        assert_eq!(traffic.take(named(&[("eth0", 40, 10), ("eth2", 7000, 7000)])), (40, 10));
        assert_eq!((traffic.received, traffic.sent), (51_540, 50_310));
    }
}
