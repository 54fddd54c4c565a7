//! Hosted providers: companies whose models the mesh offers, too.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use ids::HostedProviderKind;

use super::super::client::Client;
use super::super::confirm;
use super::super::output::{self, Cell, Colour, Table};

#[derive(clap::Subcommand)]
pub(super) enum ProviderCommand {
    /// Hosted providers, and what is offered of them.
    #[command(visible_alias = "ls")]
    List,
    /// Offer a company's models, too. What is asked of them leaves your machines.
    Add {
        /// A name that no other one has, like `openai`.
        name: String,
        /// `openai` (which most companies speak) or `anthropic`.
        #[arg(long, default_value = "openai")]
        kind: HostedProviderKind,
        /// Where it is. Default: the company's own address.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        key: Key,
        /// A model, as NAME=CONTEXT:INPUT/OUTPUT: tokens of context, microcredits for a token of the prompt and of the answer. May
        /// be given several times.
        #[arg(long, required = true, value_name = "NAME=CONTEXT:INPUT/OUTPUT", value_parser = model)]
        model: Vec<api::HostedModel>,
    },
    /// Another key for a provider.
    Rekey {
        name: String,
        #[command(flatten)]
        key: Key,
    },
    /// Ask a provider which models it has for the key. That costs nothing.
    Check { name: String },
    /// Offer its models again.
    Enable { name: String },
    /// Offer its models no longer, and keep the key.
    Disable { name: String },
    /// Forget a provider with its key.
    #[command(visible_alias = "rm")]
    Remove {
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Never an argument: those are seen by everybody on the machine.
#[derive(clap::Args)]
pub(super) struct Key {
    /// Read the API key from this file. Default: from standard input.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Key {
    fn read(&self) -> Result<String> {
        let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
        let text = match &self.key_file {
            Some(path) => read(path)?,
            None => {
                output::note("The API key is read from standard input.");
                let mut text = String::new();
                io::stdin().lock().read_to_string(&mut text).context("read standard input")?;
                text
            }
        };
        Ok(text.trim().to_owned())
    }
}

fn model(text: &str) -> Result<api::HostedModel, String> {
    let parsed = || {
        let (name, rest) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty())?;
        let (context, price) = rest.split_once(':')?;
        let (input, output) = price.split_once('/')?;
        Some(api::HostedModel {
            name: name.to_owned(),
            context: context.parse().ok()?,
            input_price: input.parse().ok()?,
            output_price: output.parse().ok()?,
        })
    };
    parsed().ok_or_else(|| "it is not like gpt-5=400000:2/10".to_owned())
}

pub(super) async fn run(client: &Client, json: bool, command: ProviderCommand) -> Result<ExitCode> {
    match command {
        ProviderCommand::List => {
            client.get::<api::HostedProviderList>(&["mesh", "providers"]).await?.show(json, list)?;
        }
        ProviderCommand::Add { name, kind, url, key, model } => {
            let create = api::HostedProviderCreate { name, kind, base_url: url, api_key: key.read()?, models: model };
            let made = client.post::<api::HostedProvider>(&["mesh", "providers"], &create).await?;
            made.show(json, |it| output::line(format!("Added {}: it offers {} models", it.name, it.models.len())))?;
        }
        ProviderCommand::Rekey { name, key } => {
            let update = api::HostedProviderUpdate { api_key: Some(key.read()?), ..Default::default() };
            change(client, json, &name, &update, "has another key").await?;
        }
        ProviderCommand::Check { name } => {
            let found = find(client, &name).await?;
            let path = ["mesh", "providers", found.id.as_str(), "check"];
            let answer = client.post::<api::HostedProviderCheck>(&path, &()).await?;
            answer.show(json, checked)?;
            if !answer.value.ok {
                return Ok(ExitCode::FAILURE);
            }
        }
        ProviderCommand::Enable { name } => switch(client, json, &name, true).await?,
        ProviderCommand::Disable { name } => switch(client, json, &name, false).await?,
        ProviderCommand::Remove { name, yes } => {
            let found = find(client, &name).await?;
            if !yes {
                confirm::by_name("Its models are offered no longer, and its key is forgotten.", &name)?;
            }
            client.delete(&["mesh", "providers", found.id.as_str()]).await?;
            output::line(format!("Removed {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn switch(client: &Client, json: bool, name: &str, enabled: bool) -> Result<()> {
    let update = api::HostedProviderUpdate { enabled: Some(enabled), ..Default::default() };
    change(client, json, name, &update, if enabled { "is offered" } else { "is offered no longer" }).await
}

async fn change(client: &Client, json: bool, name: &str, update: &api::HostedProviderUpdate, what: &str) -> Result<()> {
    let found = find(client, name).await?;
    let path = ["mesh", "providers", found.id.as_str()];
    let answer = client.patch::<api::HostedProvider>(&path, update).await?;
    answer.show(json, |it| output::line(format!("{} {what}", it.name)))
}

async fn find(client: &Client, name: &str) -> Result<api::HostedProvider> {
    let list = client.get::<api::HostedProviderList>(&["mesh", "providers"]).await?.value;
    let found = list.providers.into_iter().find(|it| it.name == name);
    found.ok_or_else(|| {
        anyhow!("there is no hosted provider `{name}`; `nanoscale mesh provider list` shows those that there are")
    })
}

fn list(list: &api::HostedProviderList) -> Result<()> {
    let mut table = Table::new(["PROVIDER", "KIND", "URL", "STATE", "MODELS"]);
    for it in &list.providers {
        let (state, colour) = if it.enabled { ("offered", Colour::Green) } else { ("off", Colour::Yellow) };
        table.row([
            Cell::from(&it.name),
            it.kind.as_str().into(),
            it.base_url.as_str().into(),
            Cell::new(state.to_owned(), colour),
            it.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ").into(),
        ]);
    }
    table.print()
}

fn checked(check: &api::HostedProviderCheck) -> Result<()> {
    if let Some(message) = &check.message {
        output::note(message);
        return Ok(());
    }
    check.models.iter().try_for_each(output::line)
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn a_model_is_named_with_its_context_and_price() {
        let read = model("org/big=x=128000:2/10").unwrap();
        assert_eq!((read.name.as_str(), read.context), ("org/big=x", 128_000));
        assert_eq!((read.input_price, read.output_price), (2, 10));
        for wrong in ["", "m", "m=1", "m=1:2", "=1:2/3", "m=a:1/2", "m=1:-1/2"] {
            assert!(model(wrong).is_err(), "{wrong}");
        }
    }
}
