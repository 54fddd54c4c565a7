use sqlx::Row;
use sqlx::any::AnyRow;

use crate::StoreResult;

/// What comes in bursts: the mean of a while, and the most in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Peak {
    pub mean: f64,
    pub max: f64,
}

/// What a machine used, from a time on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeSample {
    pub at_ms: i64,
    /// Of how many measurements it is the mean.
    pub weight: u32,
    /// 0 to 100 over all cores.
    pub cpu_percent: Peak,
    pub cpu_cores: u32,
    pub load: f64,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    pub swap_used_bytes: u64,
    pub swap_total_bytes: u64,
    pub disk_used_bytes: u64,
    pub disk_total_bytes: u64,
    /// Bytes a second.
    pub network_rx: Peak,
    pub network_tx: Peak,
}

/// What a process of a project used, from a time on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessSample {
    pub at_ms: i64,
    /// Of how many measurements it is the mean.
    pub weight: u32,
    /// 100 is one whole core.
    pub cpu_percent: Peak,
    /// Bytes.
    pub memory: Peak,
    /// Of the project's volumes; 0 for a process.
    pub disk_bytes: u64,
    /// Bytes a second.
    pub network_rx: Peak,
    pub network_tx: Peak,
}

// === impl Peak ===

impl Peak {
    fn values(self, unit: f64) -> [i64; 2] {
        [rounded(self.mean * unit), rounded(self.max * unit)]
    }

    fn read(row: &AnyRow, name: &str, unit: f64) -> StoreResult<Self> {
        let read = |end: &str| Ok::<_, sqlx::Error>(float(row.try_get(format!("{name}_{end}").as_str())?) / unit);
        Ok(Self { mean: read("mean")?, max: read("max")? })
    }

    /// Of two at the same time. They may not have been at their most at the same moment: it was not more than this.
    fn add(&mut self, other: Self) {
        self.mean += other.mean;
        self.max += other.max;
    }
}

/// Percents and loads are stored as hundredths.
const HUNDREDTHS: f64 = 100.0;

// === impl NodeSample ===

impl NodeSample {
    /// In the order of the table's columns.
    pub(super) fn values(&self) -> [i64; 15] {
        let [cpu_mean, cpu_max] = self.cpu_percent.values(HUNDREDTHS);
        let [rx_mean, rx_max] = self.network_rx.values(1.0);
        let [tx_mean, tx_max] = self.network_tx.values(1.0);
        [
            self.weight.into(),
            cpu_mean,
            cpu_max,
            self.cpu_cores.into(),
            rounded(self.load * HUNDREDTHS),
            whole(self.memory_used_bytes),
            whole(self.memory_total_bytes),
            whole(self.swap_used_bytes),
            whole(self.swap_total_bytes),
            whole(self.disk_used_bytes),
            whole(self.disk_total_bytes),
            rx_mean,
            rx_max,
            tx_mean,
            tx_max,
        ]
    }

    pub(super) fn read(row: &AnyRow) -> StoreResult<Self> {
        Ok(Self {
            at_ms: row.try_get("begins_at")?,
            weight: narrow(row, "weight")?,
            cpu_percent: Peak::read(row, "cpu", HUNDREDTHS)?,
            cpu_cores: narrow(row, "cores")?,
            load: float(row.try_get("load")?) / HUNDREDTHS,
            memory_used_bytes: bytes(row, "memory_used")?,
            memory_total_bytes: bytes(row, "memory_total")?,
            swap_used_bytes: bytes(row, "swap_used")?,
            swap_total_bytes: bytes(row, "swap_total")?,
            disk_used_bytes: bytes(row, "disk_used")?,
            disk_total_bytes: bytes(row, "disk_total")?,
            network_rx: Peak::read(row, "rx", 1.0)?,
            network_tx: Peak::read(row, "tx", 1.0)?,
        })
    }
}

// === impl ProcessSample ===

impl ProcessSample {
    /// In the order of the table's columns.
    pub(super) fn values(&self) -> [i64; 10] {
        let [cpu_mean, cpu_max] = self.cpu_percent.values(HUNDREDTHS);
        let [memory_mean, memory_max] = self.memory.values(1.0);
        let [rx_mean, rx_max] = self.network_rx.values(1.0);
        let [tx_mean, tx_max] = self.network_tx.values(1.0);
        let (weight, disk) = (self.weight.into(), whole(self.disk_bytes));
        [weight, cpu_mean, cpu_max, memory_mean, memory_max, disk, rx_mean, rx_max, tx_mean, tx_max]
    }

    /// With the process's name.
    pub(super) fn read(row: &AnyRow) -> StoreResult<(String, Self)> {
        let sample = Self {
            at_ms: row.try_get("begins_at")?,
            weight: narrow(row, "weight")?,
            cpu_percent: Peak::read(row, "cpu", HUNDREDTHS)?,
            memory: Peak::read(row, "memory", 1.0)?,
            disk_bytes: bytes(row, "disk")?,
            network_rx: Peak::read(row, "rx", 1.0)?,
            network_tx: Peak::read(row, "tx", 1.0)?,
        };
        Ok((row.try_get("process")?, sample))
    }

    /// That of the same process on another machine at the same time.
    pub(super) fn add(&mut self, other: &Self) {
        self.weight = self.weight.max(other.weight);
        self.cpu_percent.add(other.cpu_percent);
        self.memory.add(other.memory);
        self.disk_bytes += other.disk_bytes;
        self.network_rx.add(other.network_rx);
        self.network_tx.add(other.network_tx);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a plot ends long before, and what is beyond is cut off")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "a plot does not need the last bit")]
fn float(value: i64) -> f64 {
    value as f64
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn bytes(row: &AnyRow, name: &str) -> StoreResult<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default())
}

fn narrow(row: &AnyRow, name: &str) -> StoreResult<u32> {
    Ok(u32::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default())
}
