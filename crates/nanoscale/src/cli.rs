#[derive(clap::Subcommand)]
pub(crate) enum ClientCommand {}

pub(crate) async fn run(command: ClientCommand) -> anyhow::Result<std::process::ExitCode> {
    match command {}
}
