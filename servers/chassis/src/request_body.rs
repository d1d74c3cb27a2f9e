//! The body of a request while it arrives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use hyper::body::{Bytes, Frame, Incoming, SizeHint};

use crate::connections::ConnectionGuard;

/// A body that notes on its connection when a handler waits for it.
struct TrackedBody {
    body: Incoming,
    guard: Arc<ConnectionGuard>,
}

/// This body for a handler. Most requests have none, and cost nothing here.
pub(crate) fn track_body(body: Incoming, guard: &Arc<ConnectionGuard>) -> Body {
    if body.is_end_stream() { Body::new(body) } else { Body::new(TrackedBody { body, guard: Arc::clone(guard) }) }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let whole = matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream();
        if frame.is_pending() {
            self.guard.set_awaiting_body();
        } else if whole && !self.guard.set_serving() {
            // The connection is being closed, and this handler with it.
            return Poll::Pending;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
