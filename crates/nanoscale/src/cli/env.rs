//! Environment variables of a project. The values of secrets go to the server and never come back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ids::EnvKey;

use super::client::Client;
use super::watch::Wait;
use super::{Format, deploy, dotenv, find, output, secret};

#[derive(clap::Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: EnvCommand,
}

#[derive(clap::Subcommand)]
enum EnvCommand {
    /// A project's variables; those that are not secret with their values.
    #[command(visible_alias = "ls")]
    List { project: String },
    /// Set variables; the others stay.
    Set {
        project: String,
        /// `KEY=VALUE`, or `KEY` alone to read a secret from standard input.
        #[arg(required = true, value_name = "KEY[=VALUE]")]
        variables: Vec<String>,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        then: Then,
    },
    /// Remove variables.
    Unset {
        project: String,
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<EnvKey>,
        #[command(flatten)]
        then: Then,
    },
    /// Set the variables of a .env file; the others stay.
    Import {
        project: String,
        file: PathBuf,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        then: Then,
    },
}

/// Whether a value is shown again. What is there stays what it is when neither is said; what is new is secret.
#[derive(clap::Args, Clone, Copy)]
pub(super) struct Shown {
    /// Show it to whoever may see the project.
    #[arg(long)]
    plain: bool,
    /// Never show it again.
    #[arg(long, conflicts_with = "plain")]
    secret: bool,
}

impl Shown {
    pub(super) fn is_secret(self) -> Option<bool> {
        (self.plain || self.secret).then_some(self.secret)
    }
}

#[derive(clap::Args)]
struct Then {
    /// Deploy again at once, so that the app gets the change.
    #[arg(long)]
    redeploy: bool,
    #[command(flatten)]
    wait: Wait,
}

/// What to do with a variable: set a value, or remove it.
type Changes = BTreeMap<String, Option<String>>;

pub(super) async fn run(args: EnvArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        EnvCommand::List { project } => {
            list(&client, &project, args.format).await?;
            Ok(ExitCode::SUCCESS)
        }
        EnvCommand::Set { project, variables, shown, then } => {
            change(&client, &project, parse_all(&variables)?, shown, then, args.format).await
        }
        EnvCommand::Unset { project, keys, then } => {
            let changes = keys.into_iter().map(|key| (key.to_string(), None)).collect();
            change(&client, &project, changes, Shown { plain: false, secret: false }, then, args.format).await
        }
        EnvCommand::Import { project, file, shown, then } => {
            let changes = dotenv::read(&file)?.into_iter().map(|(key, value)| (key, Some(value))).collect();
            change(&client, &project, changes, shown, then, args.format).await
        }
    }
}

async fn list(client: &Client, project: &str, format: Format) -> Result<()> {
    let project = find::project(client, project).await?.value;
    if format.json {
        let answer = client.get::<Vec<api::EnvVar>>(&["projects", project.id.as_str(), "env"]).await?;
        return answer.show(true, |_| Ok(()));
    }
    let path = ["projects", project.id.as_str(), "runtime-config"];
    let variables = client.get::<api::RuntimeConfig>(&path).await?.value.env_vars;
    if variables.is_empty() {
        output::note(format!("`{}` has no environment variables.", project.name));
    }
    variables.iter().try_for_each(|variable| match &variable.value {
        Some(value) => output::line(format!("{}={value}", variable.key)),
        None => output::line(&variable.key),
    })
}

fn parse_all(variables: &[String]) -> Result<Changes> {
    let mut changes = Changes::new();
    let mut asked = None;
    for variable in variables {
        if variable.contains('=') {
            let (key, value) = dotenv::parse_pair(variable).map_err(anyhow::Error::msg)?;
            changes.insert(key, Some(value));
        } else if let Some(first) = asked.replace(variable.parse::<EnvKey>()?) {
            bail!("standard input holds one value, and both `{first}` and `{variable}` want it");
        }
    }
    if let Some(key) = asked {
        let value = secret::read(&format!("Value of {key}"))?;
        let value = value
            .with_context(|| format!("no value for {key} came on standard input; write {key}= for an empty one"))?;
        changes.insert(key.to_string(), Some(value));
    }
    Ok(changes)
}

async fn change(
    client: &Client,
    name: &str,
    changes: Changes,
    shown: Shown,
    then: Then,
    format: Format,
) -> Result<ExitCode> {
    let project = find::project(client, name).await?.value;
    let path = ["projects", project.id.as_str(), "env"];
    let stored = client.get::<Vec<api::EnvVar>>(&path).await?.value;
    for (key, change) in &changes {
        if change.is_none() && stored.iter().all(|variable| variable.key != *key) {
            bail!("`{}` has no variable `{key}`; nothing was changed", project.name);
        }
    }
    let answer = client.put::<Vec<api::EnvVar>>(&path, &merged(&stored, &changes, shown)).await?;
    if then.redeploy {
        output::note(said(&changes));
        return deploy::again(client, &project, &api::Redeploy::default(), then.wait, format).await;
    }
    answer.show(format.json, |_| {
        output::line(said(&changes))?;
        output::note(format!("The next deployment takes it up: nanoscale redeploy '{}'", project.name));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The whole set after the changes: what is not named keeps its value, which only the server knows.
fn merged(stored: &[api::EnvVar], changes: &Changes, shown: Shown) -> Vec<api::EnvVarUpdate> {
    let update = |key: &str, value: Option<String>| {
        let is_secret = value.as_ref().and_then(|_| shown.is_secret());
        api::EnvVarUpdate { key: key.to_owned(), value, has_value: None, is_secret }
    };
    let kept = stored.iter().filter(|variable| !changes.contains_key(&variable.key));
    let kept = kept.map(|variable| update(&variable.key, None));
    let set = changes.iter().filter_map(|(key, change)| Some(update(key, Some(change.clone()?))));
    kept.chain(set).collect()
}

fn said(changes: &Changes) -> String {
    let names = |set: bool| {
        let chosen = changes.iter().filter(|(_, change)| change.is_some() == set);
        chosen.map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
    };
    match (names(true), names(false)) {
        (set, removed) if removed.is_empty() => format!("Set {set}"),
        (_, removed) => format!("Removed {removed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, Shown, merged, parse_all};

    const SHOWN: Shown = Shown { plain: false, secret: false };

    #[test]
    fn what_is_not_named_keeps_its_value() {
        let stored = ["A", "B", "C"].map(|key| api::EnvVar { key: key.into(), has_value: true, is_secret: true });
        let changes =
            Changes::from([("B".into(), Some("2".into())), ("C".into(), None), ("D".into(), Some("4".into()))]);
        let set =
            merged(&stored, &changes, SHOWN).into_iter().map(|update| (update.key, update.value)).collect::<Vec<_>>();
        let expected = [("A", None), ("B", Some("2")), ("D", Some("4"))];
        assert_eq!(set, expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))));
    }

    #[test]
    fn only_one_value_comes_from_standard_input() {
        let set = |texts: &[&str]| parse_all(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(set(&["A=1", "B="]).unwrap()["B"], Some(String::new()));
        assert!(set(&["A", "B"]).is_err());
        assert!(set(&["1A=2"]).is_err());
    }
}
