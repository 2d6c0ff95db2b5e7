//! URLs that carry their own permission: Signature Version 4 in the query.
//!
//! Source: Amazon S3, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_core::object::SignedUrl;
use mainstay_core::time::{MachineTime, civil};
use object_store::aws::AwsCredential;
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs requests on one object, as of one moment.
pub(super) struct Presigner<'a> {
    credential: &'a AwsCredential,
    /// `20130524T000000Z`
    date: String,
    /// `20130524/us-east-1/s3/aws4_request`
    scope: String,
    key: [u8; 32],
}

impl<'a> Presigner<'a> {
    pub(super) fn new(credential: &'a AwsCredential, region: &str, now: MachineTime) -> Self {
        let (year, month, day) = civil(now.day());
        let second = now.micros().div_euclid(1_000_000).rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let day = format!("{year:04}{month:02}{day:02}");
        let parts = [day.as_str(), region, "s3", "aws4_request"];
        let secret = format!("AWS4{}", credential.secret_key).into_bytes();
        let key = parts.iter().fold(secret, |key, part| hmac(&key, part).to_vec());
        let key = key.try_into().unwrap_or_default();
        let date = format!("{day}T{hour:02}{minute:02}{second:02}Z");
        Self { credential, date, scope: parts.join("/"), key }
    }

    /// A URL for `method` on the object at `base`, which has no query yet and is encoded already.
    pub(super) fn url(
        &self,
        method: &str,
        base: &str,
        query: &[(&str, &str)],
        lifetime: Duration,
    ) -> SignedUrl {
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let credential = format!("{}/{}", self.credential.key_id, self.scope);
        let seconds = lifetime.as_secs().to_string();
        let mut all = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &self.date),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", "host"),
        ];
        if let Some(token) = &self.credential.token {
            all.push(("X-Amz-Security-Token", token));
        }
        all.extend_from_slice(query);
        let query = canonical(&all);
        let path = if path.is_empty() { "/" } else { path };
        let request = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let digest = hex::encode(Sha256::digest(request));
        let signature = hmac(&self.key, &format!("{ALGORITHM}\n{}\n{}\n{digest}", self.date, self.scope));
        SignedUrl::new(format!("{base}?{query}&X-Amz-Signature={}", hex::encode(signature)))
    }
}

/// Encoded and in order.
pub(super) fn canonical(query: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // A key of any length is taken.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.chain_update(text.as_bytes()).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(token: Option<&str>) -> AwsCredential {
        AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The example of the page that the module names.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let credential = credential(None);
        // 2013-05-24T00:00:00Z
        let now = MachineTime::from_micros(1_369_353_600_000_000);
        let presigner = Presigner::new(&credential, "us-east-1", now);
        let base = "https://examplebucket.s3.amazonaws.com/test.txt";
        let url = presigner.url("GET", base, &[], Duration::from_hours(24)).reveal();
        assert_eq!(
            url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_part_and_a_session_are_signed_too() {
        let credential = credential(Some("to/ken+="));
        let presigner = Presigner::new(&credential, "eu", MachineTime::from_micros(1_369_353_661_000_000));
        let query = [("partNumber", "2"), ("uploadId", "a/b=")];
        let url = presigner.url("PUT", "http://127.0.0.1:9000/b/k", &query, Duration::from_mins(1)).reveal();
        for part in [
            "X-Amz-Date=20130524T000101Z",
            "X-Amz-Security-Token=to%2Fken%2B%3D",
            "partNumber=2&uploadId=a%2Fb%3D",
        ] {
            assert!(url.contains(part), "{url}");
        }
        let other =
            presigner.url("GET", "http://127.0.0.1:9000/b/k", &query, Duration::from_mins(1)).reveal();
        assert_ne!(url, other);
    }
}
