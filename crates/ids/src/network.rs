use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A place on the network: an IPv4 address, a network as `address/prefix` or a host's name, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    host: DestinationHost,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DestinationHost {
    Network(Ipv4Net),
    Name(String),
}

const NAME_MAX: usize = 253;

impl Destination {
    pub fn host(&self) -> &DestinationHost {
        &self.host
    }

    /// Every port when absent.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for Destination {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(format!(
                "`{text}` is not a destination; one looks like `api.example.com:443`, `203.0.113.7` or `10.1.0.0/16:5432`"
            ))
        };
        let (host, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(invalid)?)),
        };
        let network = host.parse().or_else(|_| host.parse().map(|address: std::net::Ipv4Addr| Ipv4Net::from(address)));
        let host = match network {
            Ok(network) => DestinationHost::Network(network.trunc()),
            Err(_) if is_name(host) => DestinationHost::Name(host.to_ascii_lowercase()),
            Err(_) => return Err(invalid()),
        };
        Ok(Self { host, port })
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= NAME_MAX
        && text.split('.').all(label)
        && !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

impl TryFrom<String> for Destination {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            DestinationHost::Network(network) if network.prefix_len() == 32 => write!(f, "{}", network.addr())?,
            DestinationHost::Network(network) => write!(f, "{network}")?,
            DestinationHost::Name(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_round_trip_and_refuse_everything_else() {
        for good in ["203.0.113.7", "10.1.0.0/16:5432", "api.example.com:443", "localhost", "a-b.example"] {
            assert_eq!(good.parse::<Destination>().unwrap().to_string(), good);
        }
        assert_eq!("10.1.2.3/16".parse::<Destination>().unwrap().to_string(), "10.1.0.0/16");
        for bad in
            ["", ":443", "a b", "x:0", "x:70000", "1.2.3", "1.2.3.4/33", "-a.example", "a..b", "\"; drop", "[::1]:1"]
        {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }
}
