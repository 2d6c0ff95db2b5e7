//! The body of a request, held to a pace: while it is waited for, a budget of time runs, and each byte that comes
//! adds to it. A client that sends just enough never to be idle is refused like one that sends nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;
use tokio::time::Sleep;

use super::doors::Line;

/// The request came too slowly.
#[derive(Debug, Error)]
pub(super) enum TooSlow {
    /// Its head.
    #[error("the head of the request was not there in time; send it at once")]
    Head,
    /// Its body.
    #[error("the body came too slowly; send it faster, or less at once")]
    Body,
}

impl Coded for TooSlow {
    fn code(&self) -> ErrorCode {
        ErrorCode::TooSlow
    }
}

/// How fast a body must come.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long it is waited for in any case.
    pub grace: Duration,
    /// Each so many bytes that came give a second more.
    pub bytes_per_second: u32,
}

/// A body that fails once it was waited for too long.
pub(super) struct Paced {
    body: Incoming,
    pace: Pace,
    line: Arc<Line>,
    /// How long it will be waited for, as long as it was not.
    budget: Duration,
    /// When the wait for it ends; `None` until it was first waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(body: Incoming, pace: Pace, line: Arc<Line>) -> Self {
        Self { body, pace, line, budget: pace.grace, deadline: None }
    }

    fn extend(&mut self, bytes: usize) {
        let more = Duration::from_secs_f64(bytes as f64 / f64::from(self.pace.bytes_per_second.max(1)));
        match &mut self.deadline {
            None => self.budget += more,
            Some(deadline) => {
                let later = deadline.deadline() + more;
                deadline.as_mut().reset(later);
            }
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // What is there is taken first: a server that was busy elsewhere must not call the client slow.
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(data) = frame.data_ref()
                {
                    self.extend(data.len());
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let budget = self.budget;
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(budget)));
                std::task::ready!(deadline.as_mut().poll(context));
                self.line.set_too_slow();
                Poll::Ready(Some(Err(TooSlow::Body.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
