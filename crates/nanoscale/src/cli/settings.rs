//! Settings of the person who is signed in.

use std::process::ExitCode;

use anyhow::Result;

use super::Format;
use super::client::Client;
use super::output;

#[derive(clap::Args)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(clap::Subcommand)]
enum SettingsCommand {
    /// Whose commits your workspaces make, and the dotfiles they begin with. Without options: as it is.
    Git(GitArgs),
}

/// What is not named stays; an empty text removes.
#[derive(clap::Args)]
struct GitArgs {
    /// The name that commits carry.
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// A repository that is cloned into the home directory of a new workspace.
    #[arg(long, value_name = "URL")]
    dotfiles: Option<String>,
}

pub(super) async fn run(args: SettingsArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let SettingsCommand::Git(GitArgs { name, email, dotfiles }) = args.command;
    let path = ["me", "work-settings"];
    let present = client.get::<api::WorkSettings>(&path).await?;
    let answer = if name.is_none() && email.is_none() && dotfiles.is_none() {
        present
    } else {
        let api::WorkSettings { git_name, git_email, dotfiles_url } = present.value;
        let put = api::WorkSettings {
            git_name: name.or(git_name),
            git_email: email.or(git_email),
            dotfiles_url: dotfiles.or(dotfiles_url),
        };
        client.put::<api::WorkSettings>(&path, &put).await?
    };
    answer.show(args.format.json, |settings| {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        output::line(format!("name      {}", shown(&settings.git_name)))?;
        output::line(format!("email     {}", shown(&settings.git_email)))?;
        output::line(format!("dotfiles  {}", shown(&settings.dotfiles_url)))
    })?;
    Ok(ExitCode::SUCCESS)
}
