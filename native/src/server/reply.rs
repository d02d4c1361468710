//! What the listener answers: the body types and the few responses that are no MCP result.
//!
//! It decides nothing; which answer is right is the routes' and the core's.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::batch::Several;
use super::flow::{BrokenOff, Flow, Form};
use super::routes::refuse;
use super::stream::Reader;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::time::{Instant, Sleep, sleep};
use vmcp_core::gateway;
use vmcp_core::mcp::code;

/// Between two comments on a stream that has nothing to say; proxies commonly give up after 60 seconds.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// The answer to one request.
pub(super) type Reply = Response<Content>;

/// A body.
pub(super) enum Content {
    /// Pieces that are there already. They are sent one after the other, never joined.
    Whole(VecDeque<Bytes>),
    /// Server-sent events as they come.
    Events(Events),
    /// The same of several messages.
    Several(Box<Several>),
    /// One message, while it comes. The second is dropped when the client is gone, or has all of it.
    Flow(Flow, Box<dyn Send>),
}

/// The events of a stream. It ends when the stream does, or when another connection reads it.
pub(super) struct Events {
    reader: Reader,
    quiet: Pin<Box<Sleep>>,
    every: Duration,
    /// When nothing more is told, whatever there is.
    ends: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    over: bool,
    _until_closed: Box<dyn Send>,
}

impl Events {
    /// Passes on what `reader` reads, and a comment whenever nothing came for `every`, so that proxies keep the
    /// connection. `until_closed` is dropped when the client is gone or the stream has ended.
    pub(super) fn new(reader: Reader, every: Duration, until_closed: impl Send + 'static) -> Self {
        Self {
            reader,
            quiet: Box::pin(sleep(every)),
            every,
            ends: None,
            over: false,
            _until_closed: Box::new(until_closed),
        }
    }

    /// The same, until `ends` is over.
    pub(super) fn until(mut self, ends: impl Future<Output = ()> + Send + 'static) -> Self {
        self.ends = Some(Box::pin(ends));
        self
    }

    /// The next event, or a comment.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if self.ends.as_mut().is_some_and(|ends| ends.as_mut().poll(cx).is_ready()) {
            (self.ends, self.over) = (None, true);
        }
        if self.over {
            return Poll::Ready(None);
        }
        let event = match Pin::new(&mut self.reader).poll_event(cx) {
            Poll::Ready(event) => event,
            Poll::Pending => {
                if self.reader.is_amid() || self.quiet.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                Some(Ok(Bytes::from_static(b": keep-alive\n\n")))
            }
        };
        self.quiet.as_mut().reset(Instant::now() + self.every);
        Poll::Ready(event)
    }
}

impl Content {
    /// Nothing.
    pub(super) fn empty() -> Self {
        Self::Whole(VecDeque::new())
    }
}

impl<B: Into<Bytes>> From<B> for Content {
    fn from(bytes: B) -> Self {
        Self::Whole(VecDeque::from([bytes.into()]))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let data = match self.get_mut() {
            Self::Whole(pieces) => Poll::Ready(pieces.pop_front().map(Ok)),
            Self::Flow(flow, _) => flow.poll_part(cx),
            Self::Events(events) => events.poll_event(cx),
            Self::Several(several) => several.poll_event(cx),
        };
        data.map(|data| data.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(pieces) if pieces.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
            Self::Events(_) | Self::Several(_) | Self::Flow(..) => SizeHint::default(),
        }
    }
}

/// A JSON body.
pub(super) fn json(status: StatusCode, body: impl Into<Content>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// No body.
pub(super) fn bare(status: StatusCode) -> Reply {
    let mut reply = Response::new(Content::empty());
    *reply.status_mut() = status;
    reply
}

/// An event stream.
pub(super) fn events(events: Events) -> Reply {
    stream(Content::Events(events))
}

/// A message while it comes.
pub(super) fn flowing(form: Form, flow: Flow, until_closed: impl Send + 'static) -> Reply {
    let content = Content::Flow(flow, Box::new(until_closed));
    match form {
        Form::Document => json(StatusCode::OK, content),
        Form::Event => stream(content),
    }
}

/// The same once all of it is there, for who has to put it among others.
pub(super) async fn collected(reply: Reply) -> Reply {
    let (head, content) = reply.into_parts();
    let Content::Flow(mut flow, until_closed) = content else { return Response::from_parts(head, content) };
    let mut parts = VecDeque::new();
    while let Some(part) = poll_fn(|cx| flow.poll_part(cx)).await {
        match part {
            Ok(part) => parts.push_back(part),
            Err(broken) => {
                return refuse(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, &broken.to_string());
            }
        }
    }
    drop(until_closed);
    Response::from_parts(head, Content::Whole(parts))
}

/// The event stream of several messages.
pub(super) fn several(several: Several) -> Reply {
    stream(Content::Several(Box::new(several)))
}

fn stream(content: Content) -> Reply {
    let mut reply = Response::new(content);
    for (name, value) in gateway::STREAM_HEADERS {
        reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    reply
}

/// An answer that the core has written.
pub(super) fn written(response: gateway::Response) -> Reply {
    let mut reply = Response::new(if response.body.is_empty() { Content::empty() } else { response.body.into() });
    // The core writes the three digits of a known status, and header values of visible ASCII.
    *reply.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if response.status == 503 {
        // Room is made by the second: calls end, sessions expire.
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use std::convert::Infallible;

    use tokio::sync::mpsc;

    use super::super::stream::{Resumption, Stream};
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    async fn next(content: &mut Content) -> Option<Bytes> {
        content.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
    }

    #[test]
    fn a_quiet_stream_is_kept_alive_and_ends_with_its_sender() {
        run(async {
            let stream_of = Stream::new(0, Resumption::No);
            let reader = stream_of.reader().with_opening();
            let (closed, mut is_closed) = mpsc::channel::<Infallible>(1);
            let mut stream = Content::Events(Events::new(reader, Duration::from_millis(1), closed));
            assert!(!stream.is_end_stream() && stream.size_hint().exact().is_none());
            assert_eq!(next(&mut stream).await.as_deref(), Some(&b": ok\n\n"[..]));
            assert_eq!(next(&mut stream).await.as_deref(), Some(&b": keep-alive\n\n"[..]));
            stream_of.send("1");
            // The event may be behind a comment that was due.
            while next(&mut stream).await.as_deref() != Some(&b"event: message\ndata: 1\n\n"[..]) {}
            stream_of.end();
            while next(&mut stream).await.is_some() {}
            assert!(is_closed.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Empty));
            drop(stream);
            assert_eq!(is_closed.recv().await, None);
        });
    }

    #[test]
    fn pieces_are_sent_as_they_are() {
        run(async {
            let mut content = Content::Whole([&b"ab"[..], b"c"].map(Bytes::from_static).into());
            assert_eq!(content.size_hint().exact(), Some(3));
            assert_eq!(next(&mut content).await.as_deref(), Some(&b"ab"[..]));
            assert_eq!(next(&mut content).await.as_deref(), Some(&b"c"[..]));
            assert!(content.is_end_stream() && next(&mut content).await.is_none());
        });
    }

    #[test]
    fn a_refusal_for_want_of_room_says_when_to_try_again() {
        let reply = written(gateway::Response::empty(503));
        assert_eq!(reply.headers()[RETRY_AFTER], "1");
        assert!(written(gateway::accepted()).headers().is_empty());
    }
}
