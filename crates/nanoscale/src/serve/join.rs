//! `nanoscale join`: this machine as a node of a cluster whose server is elsewhere. Node and edge in one process, and
//! the link to the server instead of one.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use edge::Edge;
use edge::control::Control;
use link::JoinToken;
use node::uplink::{Membership, Uplink, Way};
use node::{Agent, Announced, Direct, OwnLog, Separation};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::directories::{self, hold};
use super::{CONVERGE, FINISH, Termination, bind, edge_config, node_config};
use crate::cli::is_loopback;
use crate::config::Config;
use crate::mesh_serve::Offered;

/// How a machine joins, and stays.
#[derive(clap::Args, Debug, Clone, Default)]
pub(crate) struct JoinArgs {
    /// What `nanoscale node token` or "Add server" in the dashboard shows. Needed once; may stay in a unit's command line.
    #[arg(env = "NANOSCALE_JOIN_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Read the token from this file, so that no list of processes shows it.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Another address of the same server than the token has. Default: worker.orchestrator_url.
    #[arg(long)]
    pub(crate) url: Option<Url>,
    /// What this machine is called, unless the token says so. Default: worker.name, or the host's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Offer this machine's models to a mesh, too, under the machine's name: like `nanoscale mesh serve`, set up by the same
    /// variables (COORDINATOR_URL, AGENT_REGISTRATION_TOKEN, OLLAMA_HOST, LLAMA_URL).
    #[arg(long, env = "NANOSCALE_OFFER_MODELS")]
    pub(crate) offer_models: bool,
}

impl JoinArgs {
    fn read_token(&self) -> Result<Option<JoinToken>> {
        let from_file = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("read the join token in {}", path.display()))
        };
        let text = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => Some(from_file(path)?),
            (None, None) => None,
        };
        text.filter(|text| !text.trim().is_empty()).map(|text| Ok(text.parse()?)).transpose()
    }
}

pub(super) async fn join(config: Config, args: JoinArgs, mut termination: Termination, log: &OwnLog) -> Result<()> {
    directories::make(&config.data_dir)?;
    let _held = hold(&config.node_dir())?;
    super::keep_log(log, &config);
    directories::make_private(&config.data_dir)?;
    let joining = membership(&config, &args);
    let membership = tokio::select! {
        membership = joining => membership?,
        () = termination.requested() => return Ok(()),
    };
    let models = args.offer_models.then(|| Offered::beside(membership.name(), &config.data_dir.join("mesh-agent")));
    let models = models.and_then(|models| {
        // Its apps are more than its models.
        let told = |error: &anyhow::Error| tracing::error!("its models are not offered: {error:#}");
        models.inspect_err(told).ok()
    });
    stay(&config, &membership, models, termination).await
}

/// Does a member's work until it is asked to end.
async fn stay(
    config: &Config,
    membership: &Membership,
    models: Option<Offered>,
    mut termination: Termination,
) -> Result<()> {
    let visitors = bind(config.edge_http_bind, "edge.http_bind").await?;
    let address = visitors.local_addr()?;
    directories::make(&config.edge_dir())?;
    let edge = Edge::new(edge_config(config));
    let control = Control::new(edge.clone(), Some(config.edge_dir().join("routes.json")));
    let way = Way::new(membership).context("use the node's key")?;
    let (peers, direct) = direct(config, membership).await?;
    let agent = Agent::new(
        node_config(config, Separation::OneProcess, None).await?,
        super::doors(edge.clone(), control, way.to_tunnel(), Some(direct)),
    )
    .context("prepare the node's directory")?;
    let stop = CancellationToken::new();
    let (id, name, url) = (membership.node_id().clone(), membership.name().to_owned(), membership.url().clone());
    let uplink = Uplink::new(agent.clone(), way);
    let linked = tokio::spawn({
        let stop = stop.clone();
        async move { uplink.run(stop).await }
    });
    let working = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop.cancelled_owned()).await }
    });
    let offered = models.map(|models| tokio::spawn(models.run(stop.clone())));
    let met = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move {
            let Some(listener) = peers else { return };
            tokio::select! {
                () = agent.serve_peers(&listener) => {}
                () = stop.cancelled() => {}
            }
        }
    });
    // What was live before serves again before the first visitor is let in; of a new node nothing was.
    tokio::select! {
        _ = tokio::time::timeout(CONVERGE, agent.converged()) => {}
        () = agent.knows_nothing() => {}
    }
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { edge.serve(visitors, stop.cancelled_owned()).await }
    });
    super::announce(&format!("joined node={id} edge={address}"));
    super::announce(&format!("this machine is the node `{name}` of the cluster at {url}"));
    termination.requested().await;
    tracing::info!("stopping; apps go on running");
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, serving).await;
    let _ = tokio::time::timeout(FINISH, working).await;
    met.await?;
    if let Some(offered) = offered {
        offered.await?;
    }
    Ok(linked.await?)
}

/// Where other machines' edges come in, if they may, and this one's side of such connections.
async fn direct(config: &Config, membership: &Membership) -> Result<(Option<TcpListener>, Direct)> {
    let mut listener = None;
    let mut announce = None;
    if let Some(address) = config.worker_bind {
        let bound = bind(address, "worker.bind").await?;
        announce = Some(announced(config.worker_ip, bound.local_addr()?, membership.url()));
        listener = Some(bound);
    }
    Ok((listener, Direct::new(membership, announce).context("use the node's key")?))
}

/// Where other machines find this one, which listens at `bound` for them. The guide's file says that it is on this very
/// machine, and is copied to others as it is.
fn announced(configured: Option<IpAddr>, bound: SocketAddr, server: &Url) -> Announced {
    let configured = configured.filter(|ip| {
        let misleads = ip.is_loopback() && !is_loopback(server);
        if misleads {
            tracing::warn!(
                "worker.ip is {ip}, which other machines have too: it is not used; take it out of the configuration, or \
                 give the address at which they reach this one"
            );
        }
        !misleads
    });
    match configured.or(Some(bound.ip()).filter(|ip| !ip.is_unspecified())) {
        Some(ip) => Announced::At(SocketAddr::new(ip, bound.port())),
        None => Announced::Towards(server.clone(), bound.port()),
    }
}

/// What this machine is, from an earlier start or from the token.
async fn membership(config: &Config, args: &JoinArgs) -> Result<Membership> {
    let directory = config.node_dir();
    let token = args.read_token()?;
    if let Some(mut membership) = Membership::load(&directory).context("read what this machine joined")?
        && token.as_ref().is_none_or(|token| membership.is_of(token))
    {
        if let Some(url) = elsewhere(config, args, membership.url()) {
            membership.move_to(&directory, url).context("keep the server's address")?;
        }
        return Ok(membership);
    }
    let Some(token) = token else {
        bail!(
            "this machine has not joined a cluster yet; run `nanoscale join <token>` with a token from \"Add server\" in the \
             dashboard, or from `nanoscale node token`"
        );
    };
    let name = args.name.clone().or_else(|| config.worker_name.clone()).unwrap_or_else(host_name);
    let url = elsewhere(config, args, &token.url).unwrap_or_else(|| token.url.clone());
    node::uplink::join(&directory, &token, url, &name).await.context("join the cluster")
}

/// Another address of the server than the `known` one, where somebody has given one. The guide's file says that the
/// server is on this machine, and is copied to others as it is.
fn elsewhere(config: &Config, args: &JoinArgs, known: &Url) -> Option<Url> {
    if args.url.is_some() {
        return args.url.clone();
    }
    let configured = config.worker_url.as_deref()?.parse::<Url>().ok()?;
    if is_loopback(&configured) && !is_loopback(known) {
        tracing::warn!(
            "worker.orchestrator_url is {configured}, which is this machine, but the cluster is at {known}: it is not \
             used; take it out of the configuration, or give another address of the cluster"
        );
        return None;
    }
    Some(configured)
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    // What a server may be called, see `ids::NodeName`.
    let allowed = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name = name.unwrap_or_default().chars().map(allowed).take(63).collect::<String>();
    let name = name.trim_start_matches(['.', '-', '_']);
    if name.is_empty() { "worker".to_owned() } else { name.to_owned() }
}
