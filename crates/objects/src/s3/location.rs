//! Where a bucket is, and how it is reached.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::object::ObjectPath;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector as _, ReqwestConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use thiserror::Error;

/// Where Amazon's tools and MLflow's look for the address of a store, in this order.
const ENDPOINTS: [&str; 4] =
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "MLFLOW_S3_ENDPOINT_URL"];
/// Under which a customer's own key of encryption is given, which no URL may carry.
const CUSTOMER_KEY: &str = "AWS_SSE_CUSTOMER_KEY_BASE64";

/// The text names no bucket. It is not repeated: people put credentials into such texts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "this is no place in S3: write s3://BUCKET/PREFIX, then, if need be, ?endpoint=URL, region=NAME, \
     addressing=path|virtual and allow_http=true, joined by '&'; credentials come from the environment ({0})"
)]
pub struct InvalidS3Location(&'static str);

impl Coded for InvalidS3Location {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A bucket cannot be opened with what the environment says.
#[derive(Debug, Error)]
pub enum OpenS3Error {
    /// Credentials and artifacts would go over the network for everybody to read.
    #[error(
        "the endpoint of the S3 store is not encrypted: use https, or, if you trust the network between, add \
         allow_http=true to the URL or set AWS_ALLOW_HTTP=true"
    )]
    PlainHttp,
    /// The environment contradicts itself.
    #[error("the S3 store cannot be opened with these settings: {0}")]
    Settings(String),
}

impl Coded for OpenS3Error {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// `s3://bucket/prefix?endpoint=…&region=…&addressing=…&allow_http=…`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    prefix: Option<ObjectPath>,
    endpoint: Option<String>,
    region: Option<String>,
    is_virtual: Option<bool>,
    allow_http: bool,
}

/// A bucket that is opened.
pub(super) struct Opened {
    pub(super) s3: AmazonS3,
    pub(super) http: HttpClient,
    pub(super) region: String,
    pub(super) is_direct: bool,
}

impl FromStr for S3Location {
    type Err = InvalidS3Location;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(InvalidS3Location("it begins otherwise"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_name) {
            return Err(InvalidS3Location("the bucket has no name that one can have"));
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = (!prefix.is_empty()).then(|| ObjectPath::new(prefix)).transpose();
        let prefix = prefix.map_err(|_| InvalidS3Location("the prefix is no path"))?;
        let bucket = bucket.to_owned();
        let mut location =
            Self { bucket, prefix, endpoint: None, region: None, is_virtual: None, allow_http: false };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            location.set(option)?;
        }
        Ok(location)
    }
}

impl fmt::Display for S3Location {
    /// What it was read from, in one order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri())?;
        let options = [
            self.endpoint.as_ref().map(|endpoint| format!("endpoint={endpoint}")),
            self.region.as_ref().map(|region| format!("region={region}")),
            self.is_virtual.map(|yes| format!("addressing={}", if yes { "virtual" } else { "path" })),
            self.allow_http.then(|| "allow_http=true".to_owned()),
        ];
        let mut separator = '?';
        for option in options.iter().flatten() {
            write!(f, "{separator}{option}")?;
            separator = '&';
        }
        Ok(())
    }
}

impl S3Location {
    fn set(&mut self, option: &str) -> Result<(), InvalidS3Location> {
        let is_plain = |value: &str| !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic());
        match option.split_once('=') {
            Some(("endpoint", url)) if is_plain(url) && is_endpoint(url) => {
                self.endpoint = Some(url.trim_end_matches('/').to_owned());
            }
            Some(("region", name)) if is_plain(name) => self.region = Some(name.to_owned()),
            Some(("addressing", "path")) => self.is_virtual = Some(false),
            Some(("addressing", "virtual")) => self.is_virtual = Some(true),
            Some(("allow_http", "true")) => self.allow_http = true,
            Some(("allow_http", "false")) => self.allow_http = false,
            _ => return Err(InvalidS3Location("an option is unknown, or has no value that it can have")),
        }
        Ok(())
    }

    /// The bucket and the prefix, as a URI.
    pub fn uri(&self) -> String {
        let slash = if self.prefix.is_some() { "/" } else { "" };
        let prefix = self.prefix.as_ref().map_or("", ObjectPath::as_str);
        format!("s3://{}{slash}{prefix}", self.bucket)
    }

    /// Below which objects are kept; `None` for the whole bucket.
    pub(super) fn prefix(&self) -> Option<&ObjectPath> {
        self.prefix.as_ref()
    }

    /// What the URL says goes before what the environment says.
    pub(super) fn open(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Opened, OpenS3Error> {
        let settings = |error: object_store::Error| OpenS3Error::Settings(error.to_string());
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let value = |name: &str| {
            let found = environment.iter().find(|(key, value)| key == name && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let mut builder = AmazonS3Builder::new().with_bucket_name(&self.bucket);
        for (name, value) in &environment {
            let key = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse().ok()).flatten();
            if let Some(key) = key.filter(|_| !value.is_empty()) {
                builder = builder.with_config(key, value);
            }
        }
        let endpoint = self.endpoint.clone().or_else(|| ENDPOINTS.iter().find_map(|name| value(name)));
        if let Some(endpoint) = &endpoint {
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(is_virtual) = self.is_virtual {
            builder = builder.with_virtual_hosted_style_request(is_virtual);
        }
        let is_plain = endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        let asked = self.allow_http || value("AWS_ALLOW_HTTP").is_some_and(|yes| yes == "true");
        if is_plain && !asked && !endpoint.as_deref().is_some_and(is_loopback) {
            return Err(OpenS3Error::PlainHttp);
        }
        // Each call has its own patience: a long object may take long.
        let client = ClientOptions::new().with_allow_http(is_plain).with_timeout_disabled();
        let http = ReqwestConnector::default().connect(&client).map_err(settings)?;
        let retries = RetryConfig { backoff: BackoffConfig::default(), max_retries: 4, retry_timeout: RETRY };
        builder = builder.with_client_options(client).with_retry(retries);
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let is_direct = value(CUSTOMER_KEY).is_none();
        Ok(Opened { s3: builder.with_region(&region).build().map_err(settings)?, http, region, is_direct })
    }
}

/// For how long a call is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// An address of a server, and nothing else: no user, path, query or fragment.
fn is_endpoint(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.map(|host| host.trim_end_matches('/'))
        .is_some_and(|host| !host.is_empty() && !host.contains(['@', '?', '#', '\\']))
}

/// Whether a URL names this machine.
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<S3Location, InvalidS3Location> {
        text.parse()
    }

    fn opened(text: &str, environment: &[(&str, &str)]) -> Result<Opened, OpenS3Error> {
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        parsed(text).unwrap().open(environment)
    }

    #[test]
    fn a_location_is_what_it_was_read_from() {
        for text in [
            "s3://models",
            "s3://models/a/b",
            "s3://models/a?endpoint=http://127.0.0.1:9000&region=eu-central-1&addressing=virtual&allow_http=true",
        ] {
            assert_eq!(parsed(text).unwrap().to_string(), text);
        }
        assert_eq!(parsed("s3://models/a/?endpoint=https://s3.host/").unwrap().uri(), "s3://models/a");
        assert_eq!(parsed("s3://models/").unwrap(), parsed("s3://models").unwrap());
    }

    #[test]
    fn what_is_wrong_is_not_repeated() {
        for text in [
            "s3://",
            "s3://ab",
            "s3://KEY:SECRET@bucket",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "s3://bucket?secret_access_key=SECRET",
            "s3://bucket?endpoint=ftp://x",
            "s3://bucket?endpoint=https://user:SECRET@host",
            "s3://bucket?allow_http=maybe",
            "gs://bucket",
        ] {
            let told = parsed(text).unwrap_err().to_string();
            assert!(!told.contains("SECRET"), "{told}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_or_asked_for() {
        let near = "s3://bucket?endpoint=http://127.0.0.1:9000";
        let far = "s3://bucket?endpoint=http://minio:9000";
        let key = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        assert!(opened(near, &key).is_ok() && opened("s3://bucket?endpoint=http://[::1]:9", &key).is_ok());
        assert!(matches!(opened(far, &key), Err(OpenS3Error::PlainHttp)));
        assert!(opened(&format!("{far}&allow_http=true"), &key).is_ok());
        let asked = [&key[..], &[("AWS_ALLOW_HTTP", "true")]].concat();
        assert!(opened(far, &asked).is_ok());
        let elsewhere = [&key[..], &[("MLFLOW_S3_ENDPOINT_URL", "http://minio:9000")]].concat();
        assert!(matches!(opened("s3://bucket", &elsewhere), Err(OpenS3Error::PlainHttp)));
        // A name that only begins like this machine's.
        for host in ["localhost.evil.org", "127.0.0.1.evil.org"] {
            let far = format!("s3://bucket?endpoint=http://{host}:9000");
            assert!(matches!(opened(&far, &key), Err(OpenS3Error::PlainHttp)), "{host}");
        }
    }

    #[test]
    fn the_url_goes_before_the_environment() {
        let environment =
            [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "here")];
        assert_eq!(opened("s3://bucket", &environment).unwrap().region, "here");
        assert_eq!(opened("s3://bucket?region=there", &environment).unwrap().region, "there");
        assert_eq!(opened("s3://bucket", &environment[..2]).unwrap().region, "us-east-1");
        assert!(opened("s3://bucket", &environment).unwrap().is_direct);
        let with_key = [&environment[..], &[("AWS_SSE_CUSTOMER_KEY_BASE64", "k")]].concat();
        assert!(opened("s3://bucket", &with_key).is_ok_and(|opened| !opened.is_direct));
        assert!(matches!(opened("s3://bucket", &environment[..1]), Err(OpenS3Error::Settings(_))));
    }
}
