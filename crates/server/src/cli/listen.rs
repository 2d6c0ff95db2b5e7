//! `--listen`: an address, or the name of a host, with a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::Failed;

/// Where a server is to listen, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listen {
    Address(SocketAddr),
    Host(String, u16),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Err(format!("say at which port, such as {}", SocketAddr::new(ip, 5000)));
        }
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
            return Err(format!(
                "say at which address: 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for whoever can \
                 reach it"
            ));
        }
        let is_host = |host: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            !host.is_empty() && host.bytes().all(plain)
        };
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if is_host(host) => Ok(Self::Host(host.to_owned(), port)),
            None if is_host(text) => Err(format!("say at which port, such as {text}:5000")),
            _ => Err("write an address and a port, such as 127.0.0.1:5000 or localhost:5000".to_owned()),
        }
    }
}

impl Listen {
    /// The address. Of several that a name has, the first of IPv4: it is what clients try where only one of them
    /// is listened on.
    pub(super) async fn resolve(&self) -> Result<SocketAddr, Failed> {
        let (host, port) = match self {
            Self::Address(address) => return Ok(*address),
            Self::Host(host, port) => (host, *port),
        };
        let unknown = |why: String| {
            Failed::Usage(format!("--listen {self}: this machine knows no address of {host}{why}"))
        };
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let found: Vec<_> = found.map_err(|error| unknown(format!(": {error}")))?.collect();
        let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
        first.copied().ok_or_else(|| unknown(String::new()))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_hosts_have_a_port_and_the_rest_is_told_what_to_write() {
        for good in ["127.0.0.1:5000", "[::1]:0", "localhost:5000", "box-1.example.org:80"] {
            assert_eq!(good.parse::<Listen>().unwrap().to_string(), good);
        }
        for (bad, told) in [
            ("5000", "127.0.0.1:5000 for this machine alone"),
            (":5000", "0.0.0.0:5000 for whoever"),
            ("127.0.0.1", "such as 127.0.0.1:5000"),
            ("::1", "such as [::1]:5000"),
            ("localhost", "such as localhost:5000"),
            ("localhost:", "write an address and a port"),
            ("localhost:70000", "write an address and a port"),
            ("http://localhost:5000", "write an address and a port"),
            ("", "write an address and a port"),
        ] {
            let error = bad.parse::<Listen>().unwrap_err();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }

    #[tokio::test]
    async fn localhost_is_this_machine() {
        let address = "localhost:5000".parse::<Listen>().unwrap().resolve().await.unwrap();
        assert!(address.ip().is_loopback() && address.port() == 5000, "{address}");
        let nowhere = "no-such-host.invalid:1".parse::<Listen>().unwrap().resolve().await.unwrap_err();
        assert!(
            matches!(&nowhere, Failed::Usage(said) if said.contains("no-such-host.invalid")),
            "{nowhere}"
        );
    }
}
