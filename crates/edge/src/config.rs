use std::time::Duration;

/// How an [`Edge`](crate::Edge) and its upstreams behave. [`Config::default`] suits applications on the same machine.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long requests in flight may take to finish once an upstream drains or a listener closes. 30 s.
    pub drain_timeout: Duration,
    /// How long to try to connect to an upstream before the client is told, retries included. 5 s.
    pub connect_timeout: Duration,
    /// How many times in a row one of several upstreams may give no answer before it is left out. 3.
    pub eject_after: u32,
    /// For how long at first. It doubles each time that the upstream still cannot be connected to, or fails the one
    /// request that it is given then. 1 s.
    pub ejection: Duration,
    /// For how long at most. 30 s.
    pub ejection_max: Duration,
    /// How long an unused connection to an upstream is kept. 4 s, which is below the 5 s after which Node.js closes
    /// it: the side that sends requests must be the one to let go first.
    pub upstream_idle: Duration,
    /// How long a client may take to send the head of a request, counted from the connection's opening or from the
    /// end of the request before, so that this also limits how long a kept connection may be idle. 60 s.
    pub header_timeout: Duration,
    /// How long a WebSocket must have been silent to be closed while its upstream drains. 1 s.
    pub websocket_quiet: Duration,
    /// How names of cookies begin that never reach an upstream, and that none may set, since they are somebody else's credentials.
    pub private_cookies: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            eject_after: 3,
            ejection: Duration::from_secs(1),
            ejection_max: Duration::from_secs(30),
            upstream_idle: Duration::from_secs(4),
            header_timeout: Duration::from_secs(60),
            websocket_quiet: Duration::from_secs(1),
            private_cookies: vec!["nanoscale_".to_owned(), "__Host-nanoscale_".to_owned()],
        }
    }
}
