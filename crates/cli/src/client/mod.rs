//! One way for the command line to talk to Mainstay: its HTTP API, over a socket to a server, or, where
//! nobody has the data directory open, over the same router in this process.

mod answer;
mod remote;

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, header};
use serde_json::Value;

use self::remote::Remote;
use crate::credential::{Credential, parted};
use crate::{Conversation, Failed, Local, Missing, Opened};

/// Where to find Mainstay, as the arguments and the environment say.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The address of a server; the data directory does not matter then.
    pub(crate) server: Option<String>,
    /// What a server is shown, unless its address says so itself.
    pub(crate) credential: Option<Credential>,
    /// The workspace.
    pub(crate) workspace: String,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The PostgreSQL database instead of the one in the data directory.
    pub(crate) db: Option<String>,
    /// What happens where there is no data directory.
    pub(crate) missing: Missing,
}

/// A conversation with Mainstay.
pub(crate) struct Client {
    transport: Transport,
    credential: Option<Credential>,
    workspace: String,
}

enum Transport {
    Remote(Remote),
    Here(Box<dyn Conversation>),
}

/// Items asked for at once.
const PAGE: usize = 500;

impl Client {
    /// Connects to the server that is named, to the one that has the data directory open, or, where there
    /// is none, opens the data here.
    pub(crate) async fn connect(place: Place, local: &dyn Local) -> Result<Self, Failed> {
        let Place { server, mut credential, workspace, data, db, missing } = place;
        let transport = match server {
            Some(url) => {
                let (url, own) = parted(&url)?;
                credential = own.or(credential);
                Transport::Remote(Remote::new(&url)?)
            }
            None => match local.open(&data, db.as_deref(), missing).await? {
                Opened::Here(here) => Transport::Here(here),
                Opened::By(url) => Transport::Remote(Remote::new(&url)?),
            },
        };
        Ok(Self { transport, credential, workspace })
    }

    /// What is at `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failed> {
        self.send(Method::GET, path, None).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// One request and its answer; null if the answer is empty.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failed> {
        let request = self.request(method, path, body)?;
        let response = self.exchange(request).await?;
        answer::read(&response)
    }

    /// Every item of a listing, page after page, at most `most` of them.
    pub(crate) async fn list(&self, path: &str, most: usize) -> Result<Vec<Value>, Failed> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        let mut token = None::<String>;
        loop {
            let limit = PAGE.min(most - all.len());
            let next = token.map_or_else(String::new, |token| format!("&page_token={token}"));
            let mut page = self.get(&format!("{path}{mark}limit={limit}{next}")).await?;
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                all.extend(items);
            }
            token = page.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() || all.len() >= most {
                return Ok(all);
            }
        }
    }

    /// Every row of a search by `POST`, page after page, at most `most` of them: `key` names them in the answer.
    pub(crate) async fn search(
        &self,
        path: &str,
        mut body: Value,
        key: &str,
        most: usize,
    ) -> Result<Vec<Value>, Failed> {
        let size = if path.starts_with("/api/v1/") { "limit" } else { "max_results" };
        let mut all = Vec::new();
        loop {
            body[size] = PAGE.min(most - all.len()).into();
            let mut page = self.post(path, &body).await?;
            if let Some(Value::Array(rows)) = page.get_mut(key).map(Value::take) {
                all.extend(rows);
            }
            match page.get_mut("next_page_token").map(Value::take) {
                Some(Value::String(token)) if all.len() < most => body["page_token"] = token.into(),
                _ => return Ok(all),
            }
        }
    }

    /// Sees to it that runs of pipelines are carried out: a server does, and data that was opened here needs to be
    /// told.
    pub(crate) async fn carry_out(&mut self) -> Result<(), Failed> {
        match &mut self.transport {
            Transport::Remote(_) => Ok(()),
            Transport::Here(here) => here.carry_out().await,
        }
    }

    /// Has what is purged removed, where there is no server that does.
    pub(crate) async fn sweep(&self) -> Result<(), Failed> {
        match &self.transport {
            Transport::Remote(_) => Ok(()),
            Transport::Here(here) => here.sweep().await,
        }
    }

    /// Ends the conversation; data that was opened here is closed.
    pub(crate) async fn close(self) {
        if let Transport::Here(here) = self.transport {
            here.close().await;
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Bytes>, Failed> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HeaderName::from_static("x-mainstay-workspace"), &self.workspace);
        if let Some(credential) = &self.credential {
            request = request.header(header::AUTHORIZATION, credential.header()?);
        }
        let body = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
        };
        let unfit = |_| Failed::Usage("the workspace or a name holds characters that cannot be sent".into());
        request.body(body).map_err(unfit)
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        match &self.transport {
            Transport::Remote(remote) => remote.exchange(request).await,
            Transport::Here(here) => here.exchange(request).await,
        }
    }
}

/// A name as one part of a path.
pub(crate) fn part(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let digit =
                    |value: u8| char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase();
                encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(part("flight-delay_2.0~x"), "flight-delay_2.0~x");
        assert_eq!(part("a b/ü?"), "a%20b%2F%C3%BC%3F");
    }
}
