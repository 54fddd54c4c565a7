//! Going back to an earlier release, with what that changes shown first.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::ChangeKind;

use super::client::Client;
use super::watch::{Show, Wait, conclude};
use super::{Format, deployment, find, output, time};

#[derive(clap::Args)]
pub(crate) struct RollbackArgs {
    project: String,
    /// The id or number of the deployment to go back to. Default: the one that was live before.
    #[arg(long, value_name = "DEPLOYMENT")]
    to: Option<String>,
    /// Only show what would change.
    #[arg(long, conflicts_with = "yes")]
    diff: bool,
    /// Do not ask, at a terminal.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn rollback(args: RollbackArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let project = find::project(&client, &args.project).await?.value;
    let mut query = Vec::new();
    if let Some(to) = &args.to {
        query.push(("deployment_id", find::deployment_of(&client, &project, to).await?.to_string()));
    }
    let path = ["projects", project.id.as_str(), "rollback-plan"];
    let answer = client.get_with::<api::RollbackPlan>(&path, &query).await?;
    if args.diff {
        answer.show(args.format.json, |plan| {
            output::line(format!("A rollback would go to {}", named(&plan.to)))?;
            lines(plan).into_iter().try_for_each(output::line)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = answer.value;
    output::note(format!("Rolling back to {}", named(&plan.to)));
    lines(&plan).into_iter().for_each(output::note);
    if !args.yes && io::stdin().is_terminal() && !confirmed()? {
        bail!("nothing was changed");
    }
    // What was shown, even if something went live since.
    let rollback = api::Rollback { deployment_id: Some(plan.to.deployment_id.to_string()) };
    let path = ["projects", project.id.as_str(), "rollback"];
    let accepted = client.post::<api::DeploymentAccepted>(&path, &rollback).await?.value;
    conclude(&client, &project, &accepted.deployment, args.wait, Show::Nothing, args.format).await
}

fn confirmed() -> Result<bool> {
    eprint!("Go on? [y/N] ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}

fn named(end: &api::RollbackEnd) -> String {
    let commit = end.commit.as_ref().map(|commit| format!(" ({})", output::safe(&deployment::commit(commit))));
    format!("deployment {}{}, built {}", end.number, commit.unwrap_or_default(), time::ago(&end.built_at))
}

/// One line for each change, then what stays as it is.
fn lines(plan: &api::RollbackPlan) -> Vec<String> {
    let from = plan.from.iter().map(|from| format!("from {}", named(from)));
    let alike = plan.changes.is_empty().then(|| "  no difference but the code".to_owned());
    let alike = match &plan.from {
        Some(from) if from.release_id == plan.to.release_id => Some("  it is what is live; it starts anew".to_owned()),
        _ => alike,
    };
    let changes = plan.changes.iter().map(|change| format!("  {}", output::safe(&shown(change))));
    from.chain(changes).chain(alike).chain(plan.notes.iter().cloned()).collect()
}

fn shown(change: &api::ReleaseChange) -> String {
    let sign = match change.change {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
    };
    let values = match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!(": {from} → {to}"),
        (Some(one), None) | (None, Some(one)) => format!(": {one}"),
        (None, None) => String::new(),
    };
    let note = change.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{sign} {}{values}{note}", change.what)
}

#[cfg(test)]
mod tests {
    use super::shown;
    use ids::ChangeKind;

    #[test]
    fn a_change_is_a_line() {
        let change = |change, from: Option<&str>, to: Option<&str>, note: Option<&str>| {
            let [from, to, note] = [from, to, note].map(|text| text.map(str::to_owned));
            shown(&api::ReleaseChange { what: "web".into(), change, from, to, note })
        };
        assert_eq!(change(ChangeKind::Added, None, Some("b"), None), "+ web: b");
        assert_eq!(change(ChangeKind::Removed, Some("a"), None, Some("why")), "- web: a (why)");
        assert_eq!(change(ChangeKind::Changed, Some("a"), Some("b"), None), "~ web: a → b");
        assert_eq!(change(ChangeKind::Changed, None, None, None), "~ web");
    }
}
