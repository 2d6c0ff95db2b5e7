//! The port through which data that no server has open is opened by the command itself.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::Failed;

/// Longest answer that is read, in bytes.
pub const LONGEST_ANSWER: usize = 64 << 20;

/// Who has a data directory open.
pub enum Opened {
    /// This process has, since now.
    Here(Box<dyn Conversation>),
    /// A server has, at this address, such as `http://127.0.0.1:5000`.
    By(String),
}

/// What happens where there is no data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The command is refused: what it asks about is elsewhere.
    Refuse,
    /// It is made: a server that lets in nobody unknown needs somebody who is known before it starts.
    Make,
}

/// Opens data directories.
#[async_trait]
pub trait Local: Send + Sync {
    /// Opens `data`, or says which server has it open.
    async fn open(&self, data: &Path, db: Option<&str>, missing: Missing) -> Result<Opened, Failed>;
}

/// The HTTP API in this process, for as long as one command takes.
#[async_trait]
pub trait Conversation: Send + Sync {
    /// One request and its answer, of at most [`LONGEST_ANSWER`] bytes.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed>;
    /// Carries out runs of pipelines from now on: while the data is open here, nobody else does.
    async fn carry_out(&mut self) -> Result<(), Failed>;
    /// Removes what is purged: while the data is open here, nobody else does.
    async fn sweep(&self) -> Result<(), Failed>;
    /// Closes the data.
    async fn close(self: Box<Self>);
}
