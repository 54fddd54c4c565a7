//! systemd's manager, over the system's D-Bus.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use zbus::connection::Builder;
use zbus::{Connection, DynamicType, OwnedObjectPath, OwnedVariant, Type, Variant};

const SERVICE: &str = "org.freedesktop.systemd1";
const MANAGER: (&str, &str) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
/// There while systemd is what runs the machine (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// A manager that lives answers within this time, also while it reloads.
const ANSWER: Duration = Duration::from_secs(25);

/// Settings of a unit, as D-Bus has them (org.freedesktop.systemd1(5)).
pub(super) type Settings<'a> = Vec<(&'static str, Variant<'a>)>;

/// Why workloads cannot be units here.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("it needs a node that is root; start it as root, or set it to `native`")]
    NotRoot,
    #[error("it needs a machine that systemd runs (there is no {BOOTED}); set it to `native`")]
    NotBooted,
    #[error(
        "it needs cgroup v2 alone; start the kernel with systemd.unified_cgroup_hierarchy=1 (and without cgroup_no_v1), or set \
         it to `native`"
    )]
    NotUnified,
    #[error(
        "it needs the system's D-Bus, which does not answer; install it (`apt-get install dbus`), or set it to `native`"
    )]
    NoBus(#[source] zbus::Error),
}

/// systemd, as the system's manager. Cheap to clone; connects again when the bus was started anew.
#[derive(Debug, Clone)]
pub struct Systemd {
    version: Arc<str>,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Systemd {
    /// Finds out whether this process can have units made, and connects.
    ///
    /// # Errors
    /// What is missing, and what to do about it; the text goes after the name of the setting.
    pub async fn connect() -> Result<Self, Unusable> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Unusable::NotRoot);
        }
        if !Path::new(BOOTED).is_dir() {
            return Err(Unusable::NotBooted);
        }
        if !sandbox::cgroup::Cgroup::is_unified() {
            return Err(Unusable::NotUnified);
        }
        let mut systemd = Self { version: "".into(), connection: Arc::default() };
        let version = systemd.property(MANAGER.0, MANAGER.1, "Version").await.map_err(Unusable::NoBus)?;
        systemd.version = version.as_str().into();
        Ok(systemd)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Makes and starts a unit that is nowhere on disk. Only a job: it is active a little later.
    pub(super) async fn start_transient(&self, name: &str, settings: &Settings<'_>) -> zbus::Result<()> {
        let others: Vec<(&str, Settings<'_>)> = Vec::new();
        // What has the name is not replaced, but told of.
        self.manager("StartTransientUnit", &(name, "fail", settings, others)).await.map(|_: OwnedObjectPath| ())
    }

    /// Changes settings of a unit until it ends.
    pub(super) async fn set(&self, name: &str, settings: &Settings<'_>) -> zbus::Result<()> {
        self.manager("SetUnitProperties", &(name, true, settings)).await
    }

    pub(super) async fn stop(&self, name: &str) -> zbus::Result<()> {
        self.manager("StopUnit", &(name, "replace")).await.map(|_: OwnedObjectPath| ())
    }

    /// `active`, `inactive` and so on.
    pub(super) async fn state(&self, name: &str) -> zbus::Result<String> {
        self.property(&self.path(name).await?, UNIT, "ActiveState").await
    }

    /// Where the unit's processes lie, from the top of the hierarchy, without the slash in front.
    pub(super) async fn control_group(&self, name: &str) -> zbus::Result<String> {
        let interface = if name.ends_with(".scope") { "Scope" } else { "Slice" };
        let path = self.path(name).await?;
        let group: String = self.property(&path, &format!("{SERVICE}.{interface}"), "ControlGroup").await?;
        Ok(group.trim_start_matches('/').to_owned())
    }

    /// Names of the units that a pattern fits.
    pub(super) async fn list(&self, pattern: &str) -> zbus::Result<Vec<String>> {
        type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);
        let states: [&str; 0] = [];
        let units: Vec<Listed> = self.manager("ListUnitsByPatterns", &(&states[..], &[pattern][..])).await?;
        Ok(units.into_iter().map(|unit| unit.0).collect())
    }

    async fn path(&self, name: &str) -> zbus::Result<String> {
        let path: OwnedObjectPath = self.manager("GetUnit", &(name,)).await?;
        Ok(path.to_string())
    }

    async fn property(&self, path: &str, interface: &str, name: &str) -> zbus::Result<String> {
        let value: OwnedVariant = self.call((path, PROPERTIES), "Get", &(interface, name)).await?;
        String::try_from(value)
    }

    async fn manager<R: DeserializeOwned + Type>(
        &self,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> zbus::Result<R> {
        self.call(MANAGER, method, body).await
    }

    async fn call<R: DeserializeOwned + Type>(
        &self,
        (path, interface): (&str, &str),
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> zbus::Result<R> {
        let connection = self.connection().await?;
        // The client's futures are large, and this one is in those of many callers.
        let answer = Box::pin(connection.call_method(Some(SERVICE), path, Some(interface), method, body)).await?;
        answer.body().deserialize()
    }

    async fn connection(&self) -> zbus::Result<Connection> {
        let mut connection = self.connection.lock().await;
        match connection.as_ref().filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection.clone()),
            None => {
                let made = Box::pin(Builder::system().method_timeout(ANSWER).build()).await?;
                Ok(connection.insert(made).clone())
            }
        }
    }
}

/// Whether the name is taken by a unit that is there, or has not quite gone.
pub(super) fn exists(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::MethodError(name, ..) if name.as_str() == UNIT_EXISTS)
}
