//! The statements for a table of samples, made of the list of its columns.

use super::Resolution;

/// A table of samples.
pub(super) struct Rows {
    pub(super) table: &'static str,
    /// Besides series, seconds and time; the weight comes first.
    columns: &'static [Column],
}

struct Column {
    name: &'static str,
    /// The most over a longer time is the most of its parts; everything else is their mean.
    is_max: bool,
}

const fn mean(name: &'static str) -> Column {
    Column { name, is_max: false }
}

const fn max(name: &'static str) -> Column {
    Column { name, is_max: true }
}

pub(super) const NODE: Rows = Rows {
    table: "node_samples",
    columns: &[
        mean("weight"),
        mean("cpu_mean"),
        max("cpu_max"),
        max("cores"),
        mean("load"),
        mean("memory_used"),
        max("memory_total"),
        mean("swap_used"),
        max("swap_total"),
        mean("disk_used"),
        max("disk_total"),
        mean("rx_mean"),
        max("rx_max"),
        mean("tx_mean"),
        max("tx_max"),
    ],
};

pub(super) const PROCESS: Rows = Rows {
    table: "process_samples",
    columns: &[
        mean("weight"),
        mean("cpu_mean"),
        max("cpu_max"),
        mean("memory_mean"),
        max("memory_max"),
        mean("disk"),
        mean("rx_mean"),
        max("rx_max"),
        mean("tx_mean"),
        max("tx_max"),
    ],
};

// === impl Column ===

impl Column {
    /// Over several samples.
    fn over(&self) -> String {
        match self {
            Self { name: "weight", .. } => "cast(sum(weight) as bigint)".to_owned(),
            Self { name, is_max: true } => format!("max({name})"),
            Self { name, is_max: false } => format!("cast(sum({name} * weight) / sum(weight) as bigint)"),
        }
    }
}

// === impl Rows ===

impl Rows {
    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// Adds so many rows. What is there already was another server's, or of a clock that went back.
    pub(super) fn insert(&self, rows: usize) -> String {
        let width = self.columns.len() + 3;
        let row = |row: usize| {
            let values = (1..=width).map(|column| format!("${}", row * width + column)).collect::<Vec<_>>();
            format!("({})", values.join(", "))
        };
        format!(
            "insert into {} (series_id, seconds, begins_at, {}) values {} on conflict (series_id, seconds, begins_at) do nothing",
            self.table,
            self.names(),
            (0..rows).map(row).collect::<Vec<_>>().join(", "),
        )
    }

    /// Adds the means over `to` of the rows that a condition names.
    pub(super) fn means(&self, to: Resolution, condition: &str) -> String {
        format!(
            "insert into {} (series_id, seconds, begins_at, {}) {} on conflict (series_id, seconds, begins_at) do nothing",
            self.table,
            self.names(),
            self.grouped(to, condition),
        )
    }

    fn grouped(&self, to: Resolution, condition: &str) -> String {
        let over = self.columns.iter().map(Column::over).collect::<Vec<_>>().join(", ");
        let begin = format!("begins_at - begins_at % {}", to.ms());
        format!(
            "select series_id, cast({} as bigint), {begin}, {over} from {} where {condition} group by series_id, {begin}",
            to.seconds(),
            self.table,
        )
    }

    /// Samples of the series that a condition names with `$1`, from `$2` on. From `$3` on longer means that were not made
    /// yet are made of the shortest ones.
    pub(super) fn select(&self, series: &str, resolution: Resolution) -> String {
        let (table, names, seconds) = (self.table, self.names(), resolution.seconds());
        let of_series = format!("series_id in (select id from series where {series})");
        let condition = format!("seconds = 10 and begins_at >= $3 and {of_series}");
        let columns = self.columns.iter().map(|column| format!("made.{name} as {name}", name = column.name));
        let fresh = (resolution != Resolution::TenSeconds).then(|| {
            format!(
                " union all select fresh.series_id, fresh.begins_at, {fresh_names} from ({grouped}) fresh where not exists \
                 (select 1 from {table} stored where stored.series_id = fresh.series_id \
                 and stored.seconds = {seconds} and stored.begins_at = fresh.begins_at)",
                fresh_names = self.columns.iter().map(|it| format!("fresh.{}", it.name)).collect::<Vec<_>>().join(", "),
                grouped = self.named(resolution, &condition),
            )
        });
        format!(
            "select series.process as process, made.begins_at as begins_at, {columns} from (\
             select series_id, begins_at, {names} from {table} where seconds = {seconds} and begins_at >= $2 and {of_series}\
             {fresh}) made join series on series.id = made.series_id order by made.begins_at, series.process",
            columns = columns.collect::<Vec<_>>().join(", "),
            fresh = fresh.unwrap_or_default(),
        )
    }

    /// Means with the columns' names.
    fn named(&self, to: Resolution, condition: &str) -> String {
        let over = self.columns.iter().map(|column| format!("{} as {}", column.over(), column.name));
        let begin = format!("begins_at - begins_at % {}", to.ms());
        format!(
            "select series_id, {begin} as begins_at, {} from {} where {condition} group by series_id, {begin}",
            over.collect::<Vec<_>>().join(", "),
            self.table,
        )
    }
}
