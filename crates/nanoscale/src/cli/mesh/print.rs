//! The mesh as tables.

use anyhow::Result;
use ids::EnrolmentState;

use super::super::output::{self, Cell, Colour, Table};
use super::super::time;
use super::CREDIT;

/// Credits as people read them: without zeros that say nothing.
pub(in crate::cli) fn credits(micro: i64) -> String {
    let (whole, part) = (micro.unsigned_abs() / CREDIT.unsigned_abs(), micro.unsigned_abs() % CREDIT.unsigned_abs());
    let sign = if micro < 0 { "-" } else { "" };
    let part = format!("{part:06}");
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

pub(super) fn enrolments(list: &api::EnrolmentList) -> Result<()> {
    let mut table = Table::new(["MACHINE", "STATE", "OWNER", "KEY", "MODELS", "SEEN"]);
    for it in &list.enrolments {
        let (state, colour) = match it.state {
            EnrolmentState::Active if it.online => ("online".to_owned(), Colour::Green),
            EnrolmentState::Active => ("offline".to_owned(), Colour::Yellow),
            EnrolmentState::Pending => ("waits for approval".to_owned(), Colour::Yellow),
            other => (other.to_string(), Colour::Red),
        };
        table.row([
            Cell::from(it.node_id.as_str()),
            Cell::new(state, colour),
            it.owner.as_str().into(),
            it.fingerprint.as_deref().unwrap_or("not registered").into(),
            it.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ").into(),
            it.last_seen_at.as_deref().map_or_else(|| "never".to_owned(), time::ago).into(),
        ]);
    }
    table.print()
}

pub(super) fn created(created: &api::EnrolmentCreated) -> Result<()> {
    output::note("On the machine, set AGENT_REGISTRATION_TOKEN to this, which is not shown again:");
    output::line(&created.registration_token)?;
    output::note(format!("and run: {}", created.command));
    Ok(())
}

pub(super) fn models(list: &api::EnrolmentList) -> Result<()> {
    let mut table = Table::new(["MODEL", "MACHINE", "CONTEXT", "BUSY", "TOKENS/S", "PRICE IN/OUT PER MILLION"]);
    for it in list.enrolments.iter().filter(|it| it.online) {
        for model in &it.models {
            table.row([
                Cell::from(&model.name),
                it.node_id.as_str().into(),
                model.context.to_string().into(),
                format!("{}/{}", model.busy, model.slots).into(),
                model.tokens_per_second.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.1}")).into(),
                format!("{}/{}", model.input_price, model.output_price).into(),
            ]);
        }
    }
    table.print()
}

pub(super) fn standing(mesh: &api::Mesh) -> Result<()> {
    output::line(format!("{} credits", credits(mesh.balance)))?;
    output::line(format!("{} set aside for requests under way", credits(mesh.held)))?;
    output::line(format!("{} earned by your machines", credits(mesh.earned)))
}

pub(super) fn statement(statement: &api::LedgerStatement) -> Result<()> {
    let mut table = Table::new(["WHEN", "WHAT", "CREDITS", "BALANCE", "FOR"]);
    for entry in &statement.entries {
        let what_for = entry.completion_id.as_ref().map(ToString::to_string).or_else(|| entry.reason.clone());
        table.row([
            Cell::from(time::ago(&entry.created_at)),
            entry.kind.as_str().into(),
            credits(entry.amount).into(),
            credits(entry.balance).into(),
            what_for.unwrap_or_default().into(),
        ]);
    }
    table.print()
}

pub(super) fn completions(list: &api::CompletionList) -> Result<()> {
    let mut table = Table::new(["WHEN", "MODEL", "MACHINE", "STATE", "IN", "OUT", "CREDITS", "REQUEST"]);
    for it in &list.completions {
        table.row([
            Cell::from(time::ago(&it.created_at)),
            it.model.as_str().into(),
            it.node_id.as_ref().map_or("", |node| node.as_str()).into(),
            it.state.as_str().into(),
            it.input_tokens.to_string().into(),
            it.output_tokens.to_string().into(),
            credits(it.cost).into(),
            Cell::new(&it.id, Colour::Dim),
        ]);
    }
    table.print()
}

pub(super) fn explained(explained: &api::CompletionExplained) -> Result<()> {
    for choice in &explained.choices {
        let chosen = choice.chosen.as_ref().map_or("no machine", |node| node.as_str());
        output::line(format!("{chosen} for about {} tokens of prompt", choice.prompt_tokens))?;
        let mut table = Table::new(["MACHINE", "WAIT", "LOAD", "READ", "WRITE", "REMEMBERS", "OUT BECAUSE"]);
        for it in &choice.candidates {
            let seconds = |seconds: f64| Cell::from(format!("{seconds:.2} s"));
            table.row([
                Cell::from(it.node_id.as_str()),
                seconds(it.queue_seconds),
                seconds(it.load_seconds),
                seconds(it.prompt_seconds),
                seconds(it.answer_seconds),
                it.cached_tokens.to_string().into(),
                it.refused.as_deref().unwrap_or("").into(),
            ]);
        }
        table.print()?;
    }
    Ok(())
}

pub(super) fn ledger(audit: &api::LedgerAudit) -> Result<()> {
    let mut table = Table::new(["ACCOUNT", "CREDITS"]);
    for account in &audit.accounts {
        let name = account.username.as_deref().unwrap_or(&account.account);
        table.row([Cell::from(name), credits(account.balance).into()]);
    }
    table.print()?;
    match (audit.sum, audit.wrong) {
        (0, 0) => output::line(format!("Everything adds up; {} requests are under way", audit.open_completions)),
        (sum, wrong) => anyhow::bail!("the ledger does not add up: its sum is {sum}, and {wrong} entries are wrong"),
    }
}
