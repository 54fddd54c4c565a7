//! Environment variables of a project. Their values go to the server and never come back.

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
    /// The names of a project's variables.
    #[command(visible_alias = "ls")]
    List { project: String },
    /// Set variables; the others stay.
    Set {
        project: String,
        /// `KEY=VALUE`, or `KEY` alone to read a secret from standard input.
        #[arg(required = true, value_name = "KEY[=VALUE]")]
        variables: Vec<String>,
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
        then: Then,
    },
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
            let project = find::project(&client, &project).await?.value;
            let answer = client.get::<Vec<api::EnvVar>>(&["projects", project.id.as_str(), "env"]).await?;
            answer.show(args.format.json, |variables| {
                if variables.is_empty() {
                    output::note(format!("`{}` has no environment variables.", project.name));
                }
                variables.iter().try_for_each(|variable| output::line(&variable.key))
            })?;
            Ok(ExitCode::SUCCESS)
        }
        EnvCommand::Set { project, variables, then } => {
            change(&client, &project, parse_all(&variables)?, then, args.format).await
        }
        EnvCommand::Unset { project, keys, then } => {
            let changes = keys.into_iter().map(|key| (key.to_string(), None)).collect();
            change(&client, &project, changes, then, args.format).await
        }
        EnvCommand::Import { project, file, then } => {
            let changes = dotenv::read(&file)?.into_iter().map(|(key, value)| (key, Some(value))).collect();
            change(&client, &project, changes, then, args.format).await
        }
    }
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

async fn change(client: &Client, name: &str, changes: Changes, then: Then, format: Format) -> Result<ExitCode> {
    let project = find::project(client, name).await?.value;
    let path = ["projects", project.id.as_str(), "env"];
    let stored = client.get::<Vec<api::EnvVar>>(&path).await?.value;
    for (key, change) in &changes {
        if change.is_none() && stored.iter().all(|variable| variable.key != *key) {
            bail!("`{}` has no variable `{key}`; nothing was changed", project.name);
        }
    }
    let answer = client.put::<Vec<api::EnvVar>>(&path, &merged(&stored, &changes)).await?;
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
fn merged(stored: &[api::EnvVar], changes: &Changes) -> Vec<api::EnvVarUpdate> {
    let kept = stored.iter().filter(|variable| !changes.contains_key(&variable.key));
    let kept = kept.map(|variable| api::EnvVarUpdate { key: variable.key.clone(), value: None, has_value: None });
    let set = changes.iter().filter_map(|(key, change)| {
        Some(api::EnvVarUpdate { key: key.clone(), value: Some(change.clone()?), has_value: None })
    });
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
    use super::{Changes, merged, parse_all};

    #[test]
    fn what_is_not_named_keeps_its_value() {
        let stored = ["A", "B", "C"].map(|key| api::EnvVar { key: key.into(), has_value: true });
        let changes =
            Changes::from([("B".into(), Some("2".into())), ("C".into(), None), ("D".into(), Some("4".into()))]);
        let set = merged(&stored, &changes).into_iter().map(|update| (update.key, update.value)).collect::<Vec<_>>();
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
