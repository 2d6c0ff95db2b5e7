//! Which server a replay is lived through with.

use std::net::SocketAddr;

use http::Uri;
use mainstay_core::failed::Failed;

/// A server, and what it is shown.
#[derive(Debug, Clone)]
pub struct Server {
    /// As `host:port`.
    pub(crate) address: String,
    pub(crate) token: Option<String>,
}

impl Server {
    /// Reads `http://host:port`. The token is shown to the server, which must be able to read the files of
    /// the replay.
    pub fn named(url: &str, token: Option<String>) -> Result<Self, Failed> {
        let wrong = || Failed::Usage(format!("{url}: write the server as http://127.0.0.1:5000"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        Ok(Self { address, token })
    }
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        Self { address: address.to_string(), token: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let address = |url: &str| Server::named(url, None).map(|server| server.address).ok();
        assert_eq!(address("http://[::1]:5000/").as_deref(), Some("[::1]:5000"));
        assert_eq!(address("http://box.lan").as_deref(), Some("box.lan:80"));
        for bad in ["127.0.0.1:5000", "https://x", "", "http://", "http://x/y", "http://x/?y"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
