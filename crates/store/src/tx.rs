use sqlx::{Any, AnyPool, Row};
use tokio::sync::watch;

use crate::dialect::Dialect;
use crate::{StoreError, StoreResult};

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    dialect: Dialect,
    url: String,
    write: AnyPool,
    read: AnyPool,
    /// The newest event position this process committed.
    newest_event: watch::Sender<i64>,
}

/// A transaction: everything in it happens or nothing does. Dropped without [`Tx::commit`] it did not happen.
pub struct Tx {
    pub(crate) inner: sqlx::Transaction<'static, Any>,
    /// The newest event position this transaction wrote.
    pub(crate) event: Option<i64>,
    newest_event: watch::Sender<i64>,
}

// === impl Store ===

impl Store {
    /// Opens the database at `url` (`sqlite:path` or `postgres:…`) and brings its tables up to date.
    pub async fn open(url: &str) -> StoreResult<Self> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of(url);
        let (write, read) = dialect.open(url).await?;
        sqlx::migrate!().run(&write).await.map_err(StoreError::Migrate)?;
        Ok(Self { dialect, url: url.to_owned(), write, read, newest_event: watch::Sender::new(0) })
    }

    /// Begins a transaction that may write.
    pub async fn write(&self) -> StoreResult<Tx> {
        let inner = self.write.begin_with(self.dialect.begin_write()).await?;
        Ok(Tx { inner, event: None, newest_event: self.newest_event.clone() })
    }

    /// Begins a transaction that only reads.
    pub async fn read(&self) -> StoreResult<Tx> {
        let inner = self.read.begin().await?;
        Ok(Tx { inner, event: None, newest_event: self.newest_event.clone() })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> StoreResult<()> {
        if !self.dialect.is_there(&self.url) {
            return Err(StoreError::Unavailable(sqlx::Error::PoolClosed));
        }
        sqlx::query("select 1").execute(&self.read).await?;
        Ok(())
    }

    /// What it is: `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    /// Changes when an event was committed.
    pub fn events_committed(&self) -> watch::Receiver<i64> {
        self.newest_event.subscribe()
    }

    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

// === impl Tx ===

impl Tx {
    pub async fn commit(self) -> StoreResult<()> {
        self.inner.commit().await?;
        if let Some(position) = self.event {
            self.newest_event.send_if_modified(|newest| {
                let later = position > *newest;
                *newest = position.max(*newest);
                later
            });
        }
        Ok(())
    }

    /// Raises a counter and returns its new value; the row stays locked until the transaction ends.
    pub(crate) async fn count_up(&mut self, name: &str) -> StoreResult<i64> {
        let row = sqlx::query("update counters set value = value + 1 where name = $1 returning value")
            .bind(name)
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The number that was taken last.
    pub async fn epoch(&mut self) -> StoreResult<i64> {
        let row = sqlx::query("select value from counters where name = 'epoch'").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get(0)?)
    }

    /// A number later than `beyond` too, which was taken before the database was put back to an older state.
    pub async fn raise_epoch(&mut self, beyond: i64) -> StoreResult<i64> {
        sqlx::query("update counters set value = $1 where name = 'epoch' and value < $1")
            .bind(beyond)
            .execute(&mut *self.inner)
            .await?;
        self.next_epoch().await
    }

    /// A number later than every one taken before, from every server on this database.
    pub async fn next_epoch(&mut self) -> StoreResult<i64> {
        self.count_up("epoch").await
    }
}
