//! A node that is nothing but its end of the link: the real code to join, dial and prove who it is, and answers that a
//! test chooses. It runs nothing.

mod lively;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State as Node;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use futures_util::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ids::{DeploymentId, NodeId};
use link::tls::Connector;
use link::{Io, JoinToken, KeyPair, PublicKey, Purpose, proof};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;
use wire::{ConnectionTicket, Desired, Hello, Observed, Refused};

use crate::client::Client;
pub use lively::Answers;

/// Linked until it is dropped, or the server ends the link.
pub struct SimulatedNode {
    inner: Arc<Inner>,
    serving: Option<JoinHandle<()>>,
}

struct Inner {
    key: KeyPair,
    cluster: PublicKey,
    id: NodeId,
    url: Url,
    connector: Connector,
    protocol: u32,
    /// Whether it dials when it is asked for further connections.
    obliging: bool,
    /// Whether it says that it did what it was told.
    lively: bool,
    state: watch::Sender<State>,
    answers: Mutex<Answers>,
    refused: watch::Sender<Option<Refused>>,
    tickets: Mutex<Vec<String>>,
}

/// What it was told and given.
#[derive(Default)]
struct State {
    /// Rises with every change.
    revision: u64,
    told: Desired,
    /// Releases of other nodes whose files have come.
    received: BTreeSet<DeploymentId>,
}

// === impl SimulatedNode ===

impl SimulatedNode {
    /// Joins under this name. The server answers at `url`.
    pub async fn join(client: &Client, url: &str, name: &str) -> Self {
        let create = api::JoinTokenCreate { name: Some(name.into()), ..api::JoinTokenCreate::default() };
        let created = client.join_token(&create).await.expect("a token");
        let token = created.token.parse::<JoinToken>().expect("a join token");
        let key = KeyPair::generate().expect("a key");
        let nonce = proof::nonce().expect("a nonce");
        let said = proof::Join::of(&token, &nonce, key.public(), name, wire::LINK_PROTOCOL);
        let join = api::ClusterJoin {
            token_id: token.id.clone(),
            public_key: key.public().to_string(),
            name: name.into(),
            protocol: wire::LINK_PROTOCOL,
            proof: said.prove(&token.secret),
            signature: said.sign(&key),
            nonce: nonce.clone(),
        };
        let joined = client.anonymous().cluster_join(&join).await.expect("join");
        let connector = Connector::new(&key, token.cluster).expect("TLS with the node's key");
        let inner = Inner {
            key,
            cluster: token.cluster,
            id: joined.node_id,
            url: url.parse().expect("the server's address"),
            connector,
            protocol: wire::LINK_PROTOCOL,
            obliging: true,
            lively: false,
            state: watch::Sender::default(),
            answers: Mutex::default(),
            refused: watch::Sender::new(None),
            tickets: Mutex::default(),
        };
        Self { inner: Arc::new(inner), serving: None }
    }

    /// What it says it speaks. Before it links.
    pub fn speaking(mut self, protocol: u32) -> Self {
        self.inner_mut().protocol = protocol;
        self
    }

    /// The same node after its program was replaced; not linked.
    pub fn speaking_again(&self, protocol: u32) -> Self {
        let inner = Inner {
            key: KeyPair::from_pkcs8(self.inner.key.to_pkcs8()).expect("its key"),
            cluster: self.inner.cluster,
            id: self.inner.id.clone(),
            url: self.inner.url.clone(),
            connector: self.inner.connector.clone(),
            protocol,
            obliging: self.inner.obliging,
            lively: self.inner.lively,
            state: watch::Sender::default(),
            answers: Mutex::default(),
            refused: watch::Sender::new(None),
            tickets: Mutex::default(),
        };
        Self { inner: Arc::new(inner), serving: None }
    }

    /// Keeps the tickets that it gets, and dials with none. Before it links.
    pub fn disobliging(mut self) -> Self {
        self.inner_mut().obliging = false;
        self
    }

    /// Dials at another address of the same server. Before it links.
    pub fn through(mut self, url: &str) -> Self {
        self.inner_mut().url = url.parse().expect("an address");
        self
    }

    fn inner_mut(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.inner).expect("it has not linked yet")
    }

    pub fn id(&self) -> &NodeId {
        &self.inner.id
    }

    /// The cluster's key.
    pub fn cluster(&self) -> PublicKey {
        self.inner.cluster
    }

    pub fn key(&self) -> &KeyPair {
        &self.inner.key
    }

    /// Links, and answers until the connection ends.
    pub async fn link(&mut self) -> io::Result<()> {
        let io = self.dial(Purpose::Lead).await?;
        self.serving = Some(tokio::spawn(serve(self.inner.clone(), io)));
        Ok(())
    }

    /// A connection to the server as this node, with nothing said on it yet.
    pub async fn dial(&self, purpose: Purpose<'_>) -> io::Result<Box<dyn Io>> {
        link::dial(&self.inner.url, purpose, &self.inner.connector).await
    }

    pub fn is_linked(&self) -> bool {
        self.serving.as_ref().is_some_and(|serving| !serving.is_finished())
    }

    /// What it shall do, as it was told last.
    pub fn told(&self) -> Desired {
        self.inner.state.borrow().told.clone()
    }

    /// Why the server does not lead it, once it has heard of it.
    pub fn refused(&self) -> Option<Refused> {
        self.inner.refused.borrow().clone()
    }

    /// What it was asked to dial with, in order.
    pub fn tickets(&self) -> Vec<String> {
        self.inner.tickets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SimulatedNode {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Boxed, as what it serves has it serve further connections.
fn serve(inner: Arc<Inner>, io: Box<dyn Io>) -> BoxFuture<'static, ()> {
    let router = Router::new()
        .route("/v1/hello", get(hello))
        .route("/v1/desired", put(desired))
        .route("/v1/observed", get(observed))
        .route("/v1/metrics", get(lively::metrics))
        .route("/v1/uploads/{build}", put(lively::receive))
        .route("/v1/connections", post(connection))
        .route("/v1/refused", put(refused))
        .with_state(inner.clone());
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    if inner.lively {
        builder.timer(TokioTimer::new()).keep_alive_interval(lively::SIGN_OF_LIFE).keep_alive_timeout(lively::SILENCE);
    }
    let served = builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(router));
    Box::pin(async move { drop(served.await) })
}

async fn hello(Node(node): Node<Arc<Inner>>) -> axum::Json<Hello> {
    let capabilities = if node.lively { lively::capabilities() } else { Vec::new() };
    axum::Json(Hello {
        protocol: node.protocol,
        version: "0.0.0".into(),
        kernel: "none".into(),
        capabilities,
        direct_address: None,
    })
}

async fn desired(Node(node): Node<Arc<Inner>>, axum::Json(told): axum::Json<Desired>) -> StatusCode {
    node.state.send_modify(|state| {
        state.told = told;
        state.revision += 1;
    });
    StatusCode::NO_CONTENT
}

/// Unless it is lively, it sees nothing, until it is told something else.
async fn observed(Node(node): Node<Arc<Inner>>, uri: axum::http::Uri) -> axum::Json<Observed> {
    let known = uri.query().and_then(|query| query.strip_prefix("revision=")?.parse::<u64>().ok());
    let mut state = node.state.subscribe();
    let news = state.wait_for(|state| Some(state.revision) != known);
    if node.lively {
        let _ = tokio::time::timeout(lively::LONG_POLL, news).await;
        return axum::Json(lively::observed(&node));
    }
    let _ = news.await;
    let state = node.state.borrow();
    axum::Json(Observed { revision: state.revision, fence: state.told.fence, ..Observed::default() })
}

async fn connection(Node(node): Node<Arc<Inner>>, axum::Json(asked): axum::Json<ConnectionTicket>) -> StatusCode {
    node.tickets.lock().unwrap_or_else(PoisonError::into_inner).push(asked.ticket.clone());
    if !node.obliging {
        return StatusCode::NO_CONTENT;
    }
    match link::dial(&node.url, Purpose::Further { ticket: &asked.ticket }, &node.connector).await {
        Ok(io) => {
            tokio::spawn(serve(node.clone(), io));
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

async fn refused(Node(node): Node<Arc<Inner>>, axum::Json(refused): axum::Json<Refused>) -> StatusCode {
    node.refused.send_replace(Some(refused));
    StatusCode::NO_CONTENT
}
