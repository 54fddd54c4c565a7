//! Signing in: a password is exchanged for an API token, and only the token is kept.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use reqwest::{Response, header};
use serde_json::json;

use super::account::{self, Account};
use super::client::{Client, ClientError};
use super::output;

#[derive(clap::Args)]
pub(crate) struct LoginArgs {
    /// Address of the server. Default: NANOSCALE_URL, or http://127.0.0.1:4000.
    url: Option<String>,
    /// Who signs in; asked for when absent.
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,
    /// The one-time code the server printed when it started, to make the first administrator.
    #[arg(long, env = "NANOSCALE_SETUP_CODE", hide_env_values = true, value_name = "CODE")]
    code: Option<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long, conflicts_with = "token_stdin")]
    password_stdin: bool,
    /// Keep the API token that standard input holds, instead of making one.
    #[arg(long, conflicts_with = "username")]
    token_stdin: bool,
}

pub(super) async fn login(args: LoginArgs) -> Result<ExitCode> {
    let url = account::login_url(args.url.as_deref())?;
    let client = Client::anonymous(url)?;
    let status = client.get::<api::AuthStatus>(&["auth", "status"]).await?.value;
    warn_of_listeners(&client);
    let (account, username) = if args.token_stdin {
        given_token(&client).await?
    } else {
        own_token(&client, &args, status.users_count == 0).await?
    };
    let path = account::save(&account)?;
    output::line(format!("Signed in to {} as {username}; the token is in {}", client.address(), path.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn logout() -> Result<ExitCode> {
    let Some(account) = account::load()? else {
        output::line("You are not signed in.")?;
        return Ok(ExitCode::SUCCESS);
    };
    match &account.token_id {
        Some(id) => {
            let client = Client::anonymous(account.url()?)?.with_token(&account.token);
            match client.delete(&["tokens", id.as_str()]).await {
                Err(error) if !is_gone(&error) => {
                    output::note(format!("warning: the token was not revoked: {error:#}"));
                    output::note(format!("hint: `nanoscale token revoke {id}` does it after the next login"));
                }
                _ => {}
            }
        }
        None => output::note("The token was given to `login` and stays valid; `nanoscale token revoke ID` ends it."),
    }
    account::forget()?;
    output::line(format!("Signed out of {}", account.url))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the token was revoked before, here or elsewhere.
fn is_gone(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(ClientError::Refused { status, .. }) => matches!(status.as_u16(), 401 | 404),
        _ => false,
    }
}

fn warn_of_listeners(client: &Client) {
    let url = client.url();
    if url.scheme() == "http" && !account::is_loopback(url) {
        output::note(format!(
            "warning: {} is not encrypted; whoever listens on the way can sign in as you",
            client.address()
        ));
    }
}

async fn given_token(client: &Client) -> Result<(Account, String)> {
    let token = from_stdin()?.trim().to_owned();
    let me = client.with_token(&token).get::<api::Me>(&["auth", "me"]).await.context("check the token")?.value;
    Ok((Account { url: client.address().to_owned(), token, token_id: None }, me.user.username))
}

/// Signs in, has a token made, and signs out again: a session is for browsers.
async fn own_token(client: &Client, args: &LoginArgs, first: bool) -> Result<(Account, String)> {
    let response = if first { set_up(client, args).await? } else { sign_in(client, args).await? };
    let session = client.with_session(cookie(&response)?);
    let me = response.json::<api::Me>().await.context("read who signed in")?;
    // All that there are: it makes tokens for others, which can have no more than it has.
    let scopes = ["read", "write", "models"].map(str::to_owned).to_vec();
    let create =
        api::TokenCreate { name: format!("cli@{}", hostname()), scopes: Some(scopes), ..api::TokenCreate::default() };
    let created = session.post::<api::TokenCreated>(&["tokens"], &create).await;
    if created.is_ok() {
        revoke_kept(&session).await;
    }
    let ended = session.post_for_response(&["auth", "logout"], &json!({})).await;
    let created = created.context("make an API token")?.value;
    if let Err(error) = ended {
        output::note(format!("warning: the session was not ended: {error:#}"));
    }
    let account = Account { url: client.address().to_owned(), token: created.token, token_id: Some(created.id) };
    Ok((account, me.user.username))
}

/// Revokes the token of the login before this one, which this one's replaces.
async fn revoke_kept(session: &Client) {
    let Ok(Some(Account { url, token_id: Some(id), .. })) = account::load() else { return };
    if url == session.address() {
        // It may be revoked already, or belong to somebody else.
        let _ = session.delete(&["tokens", id.as_str()]).await;
    }
}

async fn sign_in(client: &Client, args: &LoginArgs) -> Result<Response> {
    let username = match &args.username {
        Some(username) => username.clone(),
        None => ask("User name", None, "--username")?,
    };
    let password = password(args)?;
    client.post_for_response(&["auth", "login"], &api::Credentials { username, password }).await
}

async fn set_up(client: &Client, args: &LoginArgs) -> Result<Response> {
    output::note("Nobody has an account there yet: this makes the first administrator.");
    let code = match &args.code {
        Some(code) => code.clone(),
        None => ask("The code the server printed when it started", None, "--code")?,
    };
    let username = match &args.username {
        Some(username) => username.clone(),
        None => ask("User name", Some("admin"), "--username")?,
    };
    let password = password(args)?;
    if !args.password_stdin && rpassword::prompt_password("The same password again: ")? != password {
        bail!("the two passwords differ");
    }
    client.post_for_response(&["auth", "setup"], &api::Setup { username, password, code }).await
}

fn password(args: &LoginArgs) -> Result<String> {
    if args.password_stdin {
        let text = from_stdin()?;
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    rpassword::prompt_password("Password: ")
        .context("there is no terminal to ask for the password; use --password-stdin")
}

fn from_stdin() -> Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("read standard input")?;
    if text.trim().is_empty() {
        bail!("standard input is empty");
    }
    Ok(text)
}

fn ask(question: &str, default: Option<&str>, option: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        return match default {
            Some(default) => Ok(default.to_owned()),
            None => bail!("there is no terminal to ask at; give {option}"),
        };
    }
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    eprint!("{question}{shown}: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match (line.trim(), default) {
        ("", Some(default)) => Ok(default.to_owned()),
        ("", None) => bail!("{option} was left empty"),
        (answer, _) => Ok(answer.to_owned()),
    }
}

/// The session of an answer, as a request sends it back.
fn cookie(response: &Response) -> Result<String> {
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookie = pairs.map(str::trim).collect::<Vec<_>>().join("; ");
    if cookie.is_empty() {
        bail!("the server sent no session");
    }
    Ok(cookie)
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        // With `cli@` before it, it has to fit into a token's name.
        name => output::shortened(name, 56),
    }
}
