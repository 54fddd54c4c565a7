//! What machines and processes used, over time: apart from everything else, as losing it is no harm.
//!
//! Means over ten seconds come in; those over a minute and over ten are made of them in here. Every batch is one transaction.

mod rows;
mod sample;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ids::{NodeId, ProjectId};
use sqlx::{Any, AnyPool, Transaction};
use tokio::sync::Mutex;

use crate::dialect::{Dialect, sqlite_path};
use crate::{StoreError, StoreResult};
use rows::{NODE, PROCESS, Rows};
pub use sample::{NodeSample, Peak, ProcessSample};

/// Rows of one statement: binding its values takes SQLite a time that grows with the square of their number.
const CHUNK: usize = 40;

/// How long one stored sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    TenSeconds,
    Minute,
    TenMinutes,
}

/// Means over ten seconds.
#[derive(Debug, Clone, Default)]
pub struct MetricsBatch {
    pub nodes: Vec<(NodeId, NodeSample)>,
    /// With an empty name: what the project's processes on that node share.
    pub processes: Vec<(NodeId, ProjectId, String, ProcessSample)>,
}

/// The history of metrics. Cheap to clone.
#[derive(Clone)]
pub struct MetricsStore {
    dialect: Dialect,
    url: String,
    pool: AnyPool,
    known: Arc<Mutex<Known>>,
}

/// What the last batches found out.
#[derive(Default)]
struct Known {
    /// Numbers by node, project and process.
    series: HashMap<SeriesKey, i64>,
    /// Until when means over a minute, and over ten, have been made.
    made: [Option<i64>; 2],
}

type SeriesKey = (String, String, String);

// === impl Resolution ===

impl Resolution {
    const ALL: [Self; 3] = [Self::TenSeconds, Self::Minute, Self::TenMinutes];

    pub fn seconds(self) -> i64 {
        match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::TenMinutes => 600,
        }
    }

    fn ms(self) -> i64 {
        self.seconds() * 1000
    }

    /// How long they are kept, with some more than anybody is shown.
    fn kept_ms(self) -> i64 {
        const HOUR: i64 = 3_600_000;
        match self {
            Self::TenSeconds => HOUR + 600_000,
            Self::Minute => 25 * HOUR,
            Self::TenMinutes => 30 * 24 * HOUR + HOUR,
        }
    }

    fn floor(self, ms: i64) -> i64 {
        ms - ms.rem_euclid(self.ms())
    }
}

// === impl MetricsStore ===

impl MetricsStore {
    /// Where the metrics of a server with this database are: in a file in `directory`, or in the same PostgreSQL.
    pub fn url_for(database_url: &str, directory: &Path) -> String {
        Dialect::of(database_url).metrics_url(database_url, directory)
    }

    /// Opens what is there, or begins anew. A file that is damaged is moved aside.
    pub async fn open(url: &str) -> StoreResult<Self> {
        sqlx::any::install_default_drivers();
        match Self::open_as_is(url).await {
            Err(error) if error.is_damage() && set_aside(url) => {
                tracing::warn!(%error, "the history of metrics was damaged and begins anew; the old file is beside it");
                Self::open_as_is(url).await
            }
            opened => opened,
        }
    }

    async fn open_as_is(url: &str) -> StoreResult<Self> {
        let dialect = Dialect::of(url);
        let pool = dialect.open_metrics(url).await?;
        if let Err(error) = sqlx::migrate!("./migrations_metrics").run(&pool).await {
            pool.close().await;
            return Err(StoreError::Migrate(error));
        }
        Ok(Self { dialect, url: url.to_owned(), pool, known: Arc::default() })
    }

    /// Whether it has to be opened anew after this: what is open leads nowhere any more.
    pub async fn is_lost(&self, error: Option<&StoreError>) -> bool {
        let is_lost = error.is_some_and(StoreError::is_damage) || !self.dialect.is_there(&self.url);
        if is_lost {
            self.pool.close().await;
        }
        if error.is_some_and(StoreError::is_damage) && set_aside(&self.url) {
            tracing::warn!("the history of metrics is damaged and begins anew; the old file is beside it");
        }
        is_lost
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Adds a batch, makes the longer means that are due, and removes what is old.
    pub async fn write(&self, batch: &MetricsBatch, now_ms: i64) -> StoreResult<()> {
        let mut known = self.known.lock().await;
        let mut series = known.series.clone();
        let (mut made, mut is_due) = (known.made, false);
        let mut tx = self.pool.begin_with(self.dialect.begin_metrics()).await?;
        add(&mut tx, &mut series, batch).await?;
        for (made, [from, to]) in made
            .iter_mut()
            .zip([[Resolution::TenSeconds, Resolution::Minute], [Resolution::Minute, Resolution::TenMinutes]])
        {
            let end = to.floor(now_ms);
            // What an earlier process did not come to is made up for.
            let begin = match *made {
                // Not where the clock has gone back.
                Some(begin) if begin <= end => begin,
                _ => newest(&mut tx, to, end).await?,
            };
            if begin < end {
                for rows in [&NODE, &PROCESS] {
                    let condition = format!("seconds = {} and begins_at >= $1 and begins_at < $2", from.seconds());
                    sqlx::query(&rows.means(to, &condition)).bind(begin).bind(end).execute(&mut *tx).await?;
                }
                *made = Some(end);
                is_due = true;
            }
        }
        if is_due {
            purge(&mut tx, now_ms).await?;
            // Their numbers may have been removed.
            series.clear();
        }
        tx.commit().await?;
        *known = Known { series, made };
        Ok(())
    }

    /// A machine's samples since a time, oldest first.
    pub async fn node(
        &self,
        node: &NodeId,
        resolution: Resolution,
        since_ms: i64,
        now_ms: i64,
    ) -> StoreResult<Vec<NodeSample>> {
        let series = "series.node_id = $1 and series.project_id = ''";
        let rows = self.read(&NODE, series, node.as_str(), resolution, since_ms, now_ms).await?;
        rows.iter().map(NodeSample::read).collect()
    }

    /// Samples of a project's processes since a time, oldest first, added up over all machines. The name is empty for what
    /// they share.
    pub async fn project(
        &self,
        project: &ProjectId,
        resolution: Resolution,
        since_ms: i64,
        now_ms: i64,
    ) -> StoreResult<Vec<(String, ProcessSample)>> {
        let rows =
            self.read(&PROCESS, "series.project_id = $1", project.as_str(), resolution, since_ms, now_ms).await?;
        let mut added: Vec<(String, ProcessSample)> = Vec::new();
        for row in &rows {
            let (process, sample) = ProcessSample::read(row)?;
            // They come in order of time and name.
            match added.last_mut().filter(|(name, last)| *name == process && last.at_ms == sample.at_ms) {
                Some((_, last)) => last.add(&sample),
                None => added.push((process, sample)),
            }
        }
        Ok(added)
    }

    async fn read(
        &self,
        rows: &Rows,
        series: &str,
        id: &str,
        resolution: Resolution,
        since_ms: i64,
        now_ms: i64,
    ) -> StoreResult<Vec<sqlx::any::AnyRow>> {
        // The last means may not have been made yet, and the present ones cannot have been.
        let fresh = resolution.floor(now_ms) - resolution.ms();
        let text = rows.select(series, resolution);
        let query = sqlx::query(&text).bind(id).bind(since_ms);
        let query = if resolution == Resolution::TenSeconds { query } else { query.bind(fresh) };
        Ok(query.fetch_all(&self.pool).await?)
    }
}

async fn add(
    tx: &mut Transaction<'static, Any>,
    series: &mut HashMap<SeriesKey, i64>,
    batch: &MetricsBatch,
) -> StoreResult<()> {
    let mut values = Vec::with_capacity(batch.nodes.len());
    for (node, sample) in &batch.nodes {
        let id = number(tx, series, (node.to_string(), String::new(), String::new())).await?;
        values.push((id, sample.at_ms, sample.values().to_vec()));
    }
    insert(tx, &NODE, &values).await?;
    let mut values = Vec::with_capacity(batch.processes.len());
    for (node, project, process, sample) in &batch.processes {
        let id = number(tx, series, (node.to_string(), project.to_string(), process.clone())).await?;
        values.push((id, sample.at_ms, sample.values().to_vec()));
    }
    insert(tx, &PROCESS, &values).await
}

/// When the newest means before `end` began, of any machine.
async fn newest(tx: &mut Transaction<'static, Any>, resolution: Resolution, end: i64) -> StoreResult<i64> {
    let text = "select coalesce(max(begins_at), 0) from node_samples where seconds = $1 and begins_at < $2";
    let newest = sqlx::query_as::<_, (i64,)>(text).bind(resolution.seconds()).bind(end);
    Ok(newest.fetch_one(&mut **tx).await?.0)
}

/// The number of a series, a new one if it has none.
async fn number(
    tx: &mut Transaction<'static, Any>,
    known: &mut HashMap<SeriesKey, i64>,
    key: SeriesKey,
) -> StoreResult<i64> {
    if let Some(id) = known.get(&key) {
        return Ok(*id);
    }
    let find = "select id from series where node_id = $1 and project_id = $2 and process = $3";
    let found = sqlx::query_as::<_, (i64,)>(find);
    let found = found.bind(&key.0).bind(&key.1).bind(&key.2).fetch_optional(&mut **tx).await?;
    let id = match found {
        Some((id,)) => id,
        None => {
            let make = "insert into series (id, node_id, project_id, process) \
                        select coalesce(max(id), 0) + 1, $1, $2, $3 from series where true returning id";
            let made = sqlx::query_as::<_, (i64,)>(make).bind(&key.0).bind(&key.1).bind(&key.2);
            made.fetch_one(&mut **tx).await?.0
        }
    };
    known.insert(key, id);
    Ok(id)
}

async fn insert(tx: &mut Transaction<'static, Any>, rows: &Rows, values: &[(i64, i64, Vec<i64>)]) -> StoreResult<()> {
    for chunk in values.chunks(CHUNK) {
        let text = rows.insert(chunk.len());
        let mut query = sqlx::query(&text);
        for (series, at, values) in chunk {
            query = query.bind(*series).bind(Resolution::TenSeconds.seconds()).bind(*at);
            query = values.iter().fold(query, |query, value| query.bind(*value));
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Removes what is older than anybody is shown, and what a clock that was ahead has left.
async fn purge(tx: &mut Transaction<'static, Any>, now_ms: i64) -> StoreResult<()> {
    const DAY: i64 = 86_400_000;
    for table in [NODE.table, PROCESS.table] {
        for resolution in Resolution::ALL {
            let text = format!(
                "delete from {table} where seconds = {} and (begins_at < $1 or begins_at > $2)",
                resolution.seconds()
            );
            let query = sqlx::query(&text).bind(now_ms - resolution.kept_ms()).bind(now_ms + DAY);
            query.execute(&mut **tx).await?;
        }
    }
    sqlx::query(
        "delete from series where not exists (select 1 from node_samples where series_id = series.id) \
         and not exists (select 1 from process_samples where series_id = series.id)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Moves a file, with what belongs to it, out of the way. Says whether it could.
fn set_aside(url: &str) -> bool {
    let Some(path) = sqlite_path(url) else { return false };
    let with = |end: &str| PathBuf::from(format!("{path}{end}"));
    for end in ["-wal", "-shm"] {
        // Without the file it belongs to it says nothing.
        let _ = std::fs::remove_file(with(end));
    }
    std::fs::rename(path, with(".damaged")).is_ok()
}
