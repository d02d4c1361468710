//! One request on a connection of tasks, and its answer: the head at once, the body in the portions in which it arrives.
//!
//! It collects nothing: what a body may hold is for the reader, how much of it for the limit it was given.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::HeaderValue;
use ureq::http::header::CONTENT_LENGTH;
use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call as Http, RecvBodyResult, RecvResponseResult, SendRequestResult};
use vmcp_core::mcp::http::{Failure, Head, Method, Request, Sent, Stage};

use super::super::call::{Call, Observed};
use super::super::channels::{self, Got, InboxReader};
use super::super::response::{Drained, PORTION};
use super::super::route::{self, HEAD, unanswered};
use super::connection::{Connection, Idle};
use super::vigil::Vigil;

/// Bytes of a message that are joined with its head.
const JOINED: usize = 32 * 1024;
/// Bytes that one look at a long body brings at most.
const LONG: usize = 64 * 1024;

/// An answer that has begun.
pub struct Response {
    /// Status and headers.
    pub head: Head,
    vigil: Vigil,
    body: Result<Option<Source>, Failure>,
    portion: Vec<u8>,
    taken: u64,
    /// Bytes that the body may have.
    limit: Option<u64>,
}

/// Where a body comes from.
enum Source {
    /// A connection of its own.
    Http(Box<Body>),
    /// A stream that others read too.
    Inbox(InboxReader),
}

struct Body {
    http: Http<RecvBody>,
    connection: Connection,
    idle: Arc<Idle>,
    /// Why no more of the request could be written.
    broke: Option<std::io::Error>,
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn exchange(
    mut connection: Connection,
    prepared: ureq::http::Request<()>,
    request: &Request,
    mut vigil: Vigil,
    idle: &Arc<Idle>,
    limit: u64,
) -> Result<Response, Failure> {
    let call = Arc::clone(&vigil.call);
    let (mut message, mut http) =
        written(prepared, request).map_err(|error| unanswered(&call, &ureq::Error::Protocol(error)))?;
    if let Some(absolute) = &connection.absolute {
        message = absolute.apply(&message);
    }
    // Head and body leave in one write, where that costs no large copy.
    let joined = if request.body.len() <= JOINED { request.body.len() } else { 0 };
    message.extend_from_slice(&request.body[..joined]);
    let mut broke = write(&mut connection, &mut vigil, &message).await?;
    if broke.is_none() && joined < request.body.len() {
        broke = write(&mut connection, &mut vigil, &request.body).await?;
    }
    call.note_written();
    let answer = read_head(&mut connection, &mut http, &mut vigil, &mut broke).await?;
    let (parts, ()) = answer.into_parts();
    let begun = (parts.status.as_u16(), parts.version, &parts.headers);
    let (http, length, kept) = match http.proceed() {
        Some(RecvResponseResult::RecvBody(http)) => {
            let length = match http.body_mode() {
                BodyMode::LengthDelimited(length) => Some(length),
                _ => None,
            };
            (Some(http), length, Kept::No)
        }
        Some(RecvResponseResult::Cleanup(http)) => (None, None, Kept::unless(http.must_close_connection())),
        Some(RecvResponseResult::Redirect(http)) => (None, None, Kept::unless(http.must_close_connection())),
        None => (None, None, Kept::No),
    };
    let (head, limit) = route::begun(&call, request.method, begun, length, limit)?;
    let body = match http {
        Some(http) => Some(Source::Http(Box::new(Body { http, connection, idle: Arc::clone(idle), broke }))),
        None => {
            if kept == Kept::Yes && broke.is_none() {
                idle.keep(connection);
            }
            None
        }
    };
    Ok(Response { head, vigil, body: Ok(body), portion: Vec::new(), taken: 0, limit })
}

/// The head of a request as bytes, and the machine that reads its answer.
fn written(
    mut prepared: ureq::http::Request<()>,
    request: &Request,
) -> Result<(Vec<u8>, Http<RecvResponse>), ureq_proto::Error> {
    if request.method == Method::Post {
        prepared.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
    }
    let mut http = Http::new(prepared)?.proceed();
    let (mut message, mut end) = (vec![0; 1024], 0);
    while !http.can_proceed() {
        match http.write(&mut message[end..]) {
            Ok(n) => end += n,
            Err(ureq_proto::Error::OutputOverflow) if message.len() <= 64 * HEAD => {}
            Err(error) => return Err(error),
        }
        if !http.can_proceed() {
            message.resize(message.len() * 2, 0);
        }
    }
    message.truncate(end);
    let http = match http.proceed()? {
        Some(SendRequestResult::SendBody(mut http)) => {
            http.consume_direct_write(request.body.len())?;
            http.proceed()
        }
        Some(SendRequestResult::RecvResponse(http)) => Some(http),
        // Nobody asks for an interim answer.
        Some(SendRequestResult::Await100(_)) | None => None,
    };
    http.map(|http| (message, http)).ok_or(ureq_proto::Error::BodyNotAllowed)
}

/// Writes all. The result is why no more could be written, where the answer may have come before: a server that refuses a
/// request early closes without reading all of it.
async fn write(
    connection: &mut Connection,
    vigil: &mut Vigil,
    mut bytes: &[u8],
) -> Result<Option<std::io::Error>, Failure> {
    let call = Arc::clone(&vigil.call);
    let portion = call.timeouts.idle.unwrap_or(call.timeouts.first_byte);
    let mut flushed = false;
    while !flushed {
        let (since, before) = (Instant::now(), connection.written());
        let until = |call: &Call| (Stage::Send, call.until(Some(portion), since));
        let step = vigil
            .wait(until, |cx| match bytes {
                [] => connection.poll_flush(cx).map_ok(|()| 0),
                bytes => connection.poll_write(cx, bytes),
            })
            .await;
        if connection.written() > before {
            call.note_sent();
        }
        match step.map_err(|stopped| stopped.failure(&call))? {
            Ok(_) if bytes.is_empty() => flushed = true,
            Ok(0) => return Err(call.broken(Stage::Send, until(&call).1, &ErrorKind::WriteZero.into())),
            Ok(n) => bytes = &bytes[n..],
            Err(error) => {
                let closed = matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
                );
                if !closed || call.sent() == Sent::Nothing {
                    return Err(call.broken(Stage::Send, until(&call).1, &error));
                }
                return Ok(Some(error));
            }
        }
    }
    Ok(None)
}

async fn read_head(
    connection: &mut Connection,
    http: &mut Http<RecvResponse>,
    vigil: &mut Vigil,
    broke: &mut Option<std::io::Error>,
) -> Result<ureq::http::Response<()>, Failure> {
    let call = Arc::clone(&vigil.call);
    loop {
        let unread = connection.unread().len();
        if unread > 0 {
            let read = http.try_response(connection.unread(), false);
            let (amount, answer) = read.map_err(|error| unanswered(&call, &ureq::Error::Protocol(error)))?;
            if (if answer.is_some() { amount } else { unread }) > HEAD {
                return Err(unanswered(&call, &ureq::Error::LargeResponseHeader(unread, HEAD)));
            }
            connection.take(amount);
            match answer {
                Some(answer) => return Ok(answer),
                // An interim answer; the next may be there already.
                None if amount > 0 => continue,
                None => {}
            }
        }
        let since = Instant::now();
        let more = vigil.wait(|call| call.reading(since), |cx| connection.poll_more(cx)).await;
        let ended = match more.map_err(|stopped| stopped.failure(&call))? {
            Ok(0) => None,
            Ok(_) => {
                call.note_answered();
                continue;
            }
            Err(error) => Some(error),
        };
        let (stage, until) = call.reading(since);
        return Err(match (broke.take(), ended) {
            (Some(broke), _) if !call.is_answered() => call.broken(Stage::Send, until, &broke),
            (_, Some(error)) => call.broken(stage, until, &error),
            (_, None) => unanswered(&call, &ureq::Error::Io(ErrorKind::UnexpectedEof.into())),
        });
    }
}

/// A portion of a body, read into a buffer.
enum Portion {
    Bytes(usize),
    End(Kept),
}

/// Whether the connection of a body that has ended can serve again.
#[derive(PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

impl Kept {
    fn unless(must_close: bool) -> Self {
        if must_close { Self::No } else { Self::Yes }
    }
}

impl Body {
    async fn next(&mut self, vigil: &mut Vigil, taken: u64, portion: &mut Vec<u8>) -> Result<Portion, Failure> {
        let call = Arc::clone(&vigil.call);
        let framed = |error| route::incomplete(&call, taken, &error);
        loop {
            let fulfilled = !matches!(self.http.body_mode(), BodyMode::CloseDelimited) && self.http.can_proceed();
            if fulfilled {
                return Ok(Portion::End(Kept::Yes));
            }
            if !self.connection.unread().is_empty() {
                let size = PORTION.max(self.connection.unread().len().min(LONG));
                if portion.len() < size {
                    portion.resize(size, 0);
                }
                let read = self.http.read(self.connection.unread(), portion);
                let (input, output) = read.map_err(|error| framed(ureq::Error::Protocol(error)))?;
                self.connection.take(input);
                if output > 0 {
                    return Ok(Portion::Bytes(output));
                }
                if input > 0 {
                    continue;
                }
            }
            let since = Instant::now();
            let connection = &mut self.connection;
            let more = vigil
                .wait(
                    |call| call.reading(since),
                    |cx| {
                        let more = connection.poll_more(cx);
                        if more.is_pending() {
                            *portion = Vec::new();
                        }
                        more
                    },
                )
                .await;
            match more.map_err(|stopped| stopped.failure(&call))? {
                Ok(0) if !self.connection.unread().is_empty() => return Err(framed(ureq::Error::BodyStalled)),
                // Some servers close after the last chunk without ending it.
                Ok(0) if self.http.can_proceed() || self.http.is_ended_chunked() => return Ok(Portion::End(Kept::No)),
                Ok(0) => return Err(framed(ureq::Error::Io(ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => {
                    let (stage, until) = call.reading(since);
                    return Err(call.broken(stage, until, &error));
                }
            }
        }
    }

    /// Its connection can serve again, unless one of the two sides has said that it shall not.
    fn over(self, kept: Kept) {
        let must_close = match self.http.proceed() {
            Some(RecvBodyResult::Cleanup(http)) => http.must_close_connection(),
            Some(RecvBodyResult::Redirect(http)) => http.must_close_connection(),
            None => true,
        };
        if kept == Kept::Yes && !must_close && self.broke.is_none() {
            self.idle.keep(self.connection);
        }
    }
}

impl Response {
    /// What came for one request on a stream that others read too.
    pub(super) fn of_inbox(head: Head, call: Arc<Call>, inbox: InboxReader) -> Self {
        call.note_head();
        Self::of(head, call, Some(Source::Inbox(inbox)))
    }

    /// A status that no connection was needed for.
    pub(super) fn bare(status: u16, call: Arc<Call>) -> Self {
        Self::of(Head { status, headers: Vec::new() }, call, None)
    }

    fn of(head: Head, call: Arc<Call>, body: Option<Source>) -> Self {
        Self { head, vigil: Vigil::new(call), body: Ok(body), portion: Vec::new(), taken: 0, limit: None }
    }

    /// From now on reading ends at `until`, whatever the limits say.
    pub(super) fn hurry(&self, until: Instant) {
        self.vigil.call.hurry(until);
    }

    /// Reading ends as the limits say again.
    pub(super) fn take_time(&self) {
        self.vigil.call.take_time();
    }

    /// What was seen so far: the address, the time of each stage, the TLS session.
    #[must_use]
    pub fn observed(&self) -> Observed {
        self.vigil.call.observed()
    }

    /// The next portion of the body, as soon as there is one; `None` at its end. After a failure, the same again.
    ///
    /// # Errors
    /// The body did not arrive whole, in time, or within its limit. What was read of it is no complete message.
    pub async fn read(&mut self) -> Result<Option<&[u8]>, Failure> {
        let failed = match &mut self.body {
            Ok(None) => return Ok(None),
            Err(failure) => return Err(failure.clone()),
            Ok(Some(Source::Inbox(inbox))) => {
                let since = Instant::now();
                match self.vigil.wait(|call| call.reading(since), |cx| inbox.take(cx.waker())).await {
                    Ok(Got::Event(event)) => {
                        self.portion = event;
                        return Ok(Some(&self.portion));
                    }
                    Ok(Got::End(why)) => channels::ended(&self.vigil.call, why),
                    Err(stopped) => stopped.failure(&self.vigil.call),
                }
            }
            Ok(Some(Source::Http(body))) => match body.next(&mut self.vigil, self.taken, &mut self.portion).await {
                Ok(Portion::End(kept)) => {
                    if let Ok(Some(Source::Http(body))) = std::mem::replace(&mut self.body, Ok(None)) {
                        body.over(kept);
                    }
                    return Ok(None);
                }
                Ok(Portion::Bytes(n)) => {
                    self.taken += n as u64;
                    match self.limit {
                        Some(limit) if self.taken > limit => route::too_large(&self.vigil.call, limit),
                        _ => return Ok(Some(&self.portion[..n])),
                    }
                }
                Err(failure) => failure,
            },
        };
        // The connection is closed by that.
        self.body = Err(failed.clone());
        Err(failed)
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.body, Ok(None) | Err(_))
    }

    /// Reads to the end if that is near, so that the connection can serve again: 16 KiB and `limit` at most.
    pub(super) async fn drain(mut self, limit: Duration) -> Drained {
        if matches!(self.body, Ok(None | Some(Source::Inbox(_)))) {
            return Drained::Whole;
        }
        self.hurry(Instant::now() + limit);
        let begun = self.taken;
        while self.taken - begun < PORTION as u64 {
            match self.read().await {
                Ok(Some(_)) => {}
                Ok(None) => return Drained::Whole,
                Err(_) => break,
            }
        }
        Drained::NotWhole
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.head.status)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
