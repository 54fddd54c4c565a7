//! Where the server itself may connect to on somebody's behalf: public addresses, and hosts that a setting lists.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ids::RepoUrl;

/// A name that takes longer to resolve is not waited for.
const RESOLVE: Duration = Duration::from_secs(3);

/// Whether a list of `host` or `host:port` names this place.
pub(crate) fn is_listed(host: &str, port: u16, allow_hosts: &[String]) -> bool {
    let bare = unbracketed(host);
    allow_hosts.iter().any(|listed| {
        let is_host = |name: &str| unbracketed(name).eq_ignore_ascii_case(bare);
        is_host(listed) || listed.rsplit_once(':').is_some_and(|(name, of)| is_host(name) && of == port.to_string())
    })
}

/// Every address of a host, which is a name or itself an address (in brackets if it is one of IPv6).
pub(crate) async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let bare = unbracketed(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    Ok(tokio::net::lookup_host((bare, port)).await?.collect())
}

/// The first of them that lies in a private range, on this machine or where clouds answer for their machines.
pub(crate) fn private(addresses: &[SocketAddr]) -> Option<IpAddr> {
    addresses.iter().map(SocketAddr::ip).find(|ip| !RepoUrl::is_public(*ip))
}

/// The same for a host, as far as its name can be resolved in time: whoever connects looks again.
pub(crate) async fn private_at(host: &str, port: u16) -> Option<IpAddr> {
    match tokio::time::timeout(RESOLVE, lookup(host, port)).await {
        Ok(Ok(addresses)) => private(&addresses),
        _ => None,
    }
}

/// Why a host there is not connected to, for its person.
pub(crate) fn private_message(host: &str, ip: IpAddr) -> String {
    let place = if unbracketed(host).parse::<IpAddr>().is_ok() { String::new() } else { format!(" is at {ip}, which") };
    format!("`{host}`{place} lies in a private range; list it in `notifications.allow_hosts` if that is meant")
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::is_listed;

    #[test]
    fn a_listed_host_may_name_its_port() {
        let list = ["Hooks.example.com", "10.0.0.7:8080", "[::1]:9000", "fd00::5"].map(str::to_owned);
        for (host, port, expected) in [
            ("hooks.example.com", 443, true),
            ("10.0.0.7", 8080, true),
            ("10.0.0.7", 8081, false),
            ("[::1]", 9000, true),
            ("[::1]", 9001, false),
            ("[fd00::5]", 80, true),
            ("example.com", 443, false),
        ] {
            assert_eq!(is_listed(host, port, &list), expected, "{host}:{port}");
        }
    }
}
