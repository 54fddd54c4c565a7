//! Keys that the server signs tokens with, which others verify by their published halves.

use std::process::ExitCode;

use anyhow::Result;

use super::client::Client;
use super::output::{Cell, Colour, Table};
use super::{Format, time};

#[derive(clap::Subcommand)]
pub(crate) enum KeysCommand {
    /// Keys of the server that tokens are signed with. For administrators.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Have the server sign tokens with a new key. For the superadmin.
    ///
    /// The key before stays published, and its tokens good, until the last of them has run out.
    Rotate {
        /// Refuse the tokens of earlier keys at once.
        #[arg(long)]
        revoke_previous: bool,
        #[command(flatten)]
        format: Format,
    },
}

pub(super) async fn run(command: &KeysCommand) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let (answer, format) = match command {
        KeysCommand::List { format } => (client.get::<api::SigningKeyList>(&["signing-keys"]).await?, format),
        KeysCommand::Rotate { revoke_previous, format } => {
            let rotate = api::SigningKeyRotate { revoke_previous: *revoke_previous };
            (client.post::<api::SigningKeyList>(&["signing-keys", "rotate"], &rotate).await?, format)
        }
    };
    answer.show(format.json, print)?;
    Ok(ExitCode::SUCCESS)
}

fn print(list: &api::SigningKeyList) -> Result<()> {
    let mut table = Table::new(["ID", "STATE", "MADE", "ACCEPTED UNTIL"]);
    for key in &list.signing_keys {
        let state = match (key.is_active, key.is_configured) {
            (true, false) => Cell::new("signs", Colour::Green),
            (true, true) => Cell::new("signs (configured)", Colour::Green),
            (false, _) => Cell::new("retired", Colour::Dim),
        };
        let until = key.accepted_until.as_deref().unwrap_or_default();
        table.row([Cell::from(&key.id), state, time::ago(&key.created_at).into(), Cell::from(until)]);
    }
    table.print()
}
