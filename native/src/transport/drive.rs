//! Walks an exchange of the core through the transport of its backend.
//!
//! It understands no message; it only does what the exchange says and reports what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vmcp_core::mcp::client::{Answer, CallError, Exchange, Output, ServerMessage, Standing, Wait};
use vmcp_core::mcp::http::{Failure, Input, Request, Sent, Stage};

use super::call::Silence;
use super::{BackendTransport, Cancel, Timeouts};

/// Bytes for each second without a message, with which an answer is on its way.
const FLOW: u64 = 16 * 1024;

/// How long an exchange waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Connecting, for every request.
    pub connect: Duration,
    /// TLS, for every request.
    pub tls: Duration,
    /// An answer to `initialize` or `server/discover`, whole.
    pub handshake: Duration,
    /// One page of a list, whole.
    pub list: Duration,
    /// The first byte of the answer to a call, and the silence in it.
    pub call: Duration,
    /// An acknowledgement, whole.
    pub acknowledgement: Duration,
    /// An answer to a call that brings no message for so long, and less than 16 KiB a second: comments that keep a
    /// connection open, or an answer drop by drop.
    pub drip: Duration,
}

impl Patience {
    /// `call` for calls and lists, ten times that for an answer that drips, 10 s at most for everything that a backend
    /// which is well does at once.
    #[must_use]
    pub fn of(call: Duration) -> Self {
        let short = call.min(Duration::from_secs(10));
        let drip = call.saturating_mul(10);
        Self { connect: short, tls: short, handshake: call, list: call, call, acknowledgement: short, drip }
    }

    pub(super) fn timeouts(&self, wait: Wait) -> Timeouts {
        let (answer, total) = match wait {
            Wait::Handshake => (self.handshake, Some(self.handshake)),
            Wait::List => (self.list, Some(self.list)),
            Wait::Acknowledgement => (self.acknowledgement, Some(self.acknowledgement)),
            // Each byte is a sign of life; how long a call may take as a whole is for the caller to cancel.
            Wait::Call => (self.call, None),
        };
        Timeouts { connect: self.connect, tls: self.tls, first_byte: answer, idle: Some(answer), total }
    }
}

impl Default for Patience {
    /// 30 s, as Go's vMCP.
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}

/// How the answer to a call comes along. Every byte is a sign of life, but not for ever.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the last message came.
    since: Instant,
    /// Bytes since then.
    bytes: u64,
    /// Since when nothing is read, because what was read is taken slowly.
    stopped: Option<Instant>,
}

impl Pace {
    /// A request has been sent, or a message has come.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), bytes: 0, stopped: None }
    }

    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// A part is passed on: how long that takes is no fault of the backend's.
    pub(super) fn stops(&mut self) {
        self.stopped = Some(Instant::now());
    }

    /// More is read.
    pub(super) fn goes_on(&mut self) {
        if let Some(stopped) = self.stopped.take() {
            self.since += stopped.elapsed();
        }
    }

    /// Why no more of it is waited for. While the backend waits for the client, its silence is no fault.
    pub(super) fn drips(&self, limit: Duration, cancel: &Cancel) -> Option<Failure> {
        let passed = match cancel.silence() {
            Silence::Counts => self.since.elapsed(),
            Silence::CountsFrom(at) => Instant::now().saturating_duration_since(self.since.max(at)),
        };
        let flows = self.bytes >= FLOW.saturating_mul(passed.as_secs().max(1));
        let message = || format!("no message came for {limit:?}, and less than {FLOW} bytes a second");
        (passed > limit && !flows).then(|| Failure { stage: Stage::Body, sent: Sent::Maybe, message: message() })
    }
}

/// What an exchange says before it is done.
#[derive(Clone, Debug)]
pub enum Said {
    /// A message of the backend, to be passed on. If it is a request, [`Exchange::answer`] answers it.
    Event(ServerMessage),
    /// Keep this for the next exchange.
    Learned(Arc<Standing>),
    /// The stream of the response has begun with an event that says nothing, and can be resumed.
    Primed,
    /// A part of the response, where the call wants it while it arrives.
    Part(Vec<u8>),
    /// The backend closed the stream of the call; the rest is asked for later.
    Paused,
}

impl BackendTransport {
    /// Walks `exchange` to its end on this thread. `said` hears what comes before the answer, in order.
    ///
    /// # Errors
    /// As the exchange says; a request that came to nothing is inside.
    pub fn run(
        &self,
        exchange: &mut Exchange,
        patience: &Patience,
        cancel: &Cancel,
        mut said: impl FnMut(&mut Exchange, Said),
    ) -> Result<Answer, CallError> {
        let mut next = exchange.poll();
        loop {
            match next {
                Some(Output::Send { request, wait }) => {
                    next = self.walk(exchange, &request, &patience.timeouts(wait), patience, cancel, &mut said);
                    continue;
                }
                Some(Output::Pause(how_long)) => {
                    said(exchange, Said::Paused);
                    cancel.pause(how_long);
                }
                Some(output) => {
                    if let Some(end) = self.tell(exchange, output, patience, &mut said) {
                        return end;
                    }
                }
                // An exchange awaits an answer only while a request of it is being walked through.
                None => exchange.handle(Input::Failed(unasked())),
            }
            next = exchange.poll();
        }
    }

    /// One request and its answer. Comes back with what the exchange wants that is not part of it.
    fn walk(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        timeouts: &Timeouts,
        patience: &Patience,
        cancel: &Cancel,
        said: &mut impl FnMut(&mut Exchange, Said),
    ) -> Option<Output> {
        let mut response = match self.send(request, timeouts, cancel) {
            Ok(response) => response,
            Err(failure) => {
                exchange.handle(Input::Failed(failure));
                return exchange.poll();
            }
        };
        exchange.handle(Input::Head(std::mem::replace(
            &mut response.head,
            vmcp_core::mcp::http::Head { status: 0, headers: Vec::new() },
        )));
        let mut pace = Pace::new();
        loop {
            while let Some(output) = exchange.poll() {
                match output {
                    Output::Event(_) => pace = Pace::new(),
                    Output::Part(_) => pace.stops(),
                    _ => {}
                }
                if matches!(output, Output::Send { .. } | Output::Pause(_) | Output::Done(_)) {
                    // What is left of a short answer is read, so that the connection serves the next request.
                    self.finish(response);
                    return Some(output);
                }
                self.tell(exchange, output, patience, said);
                pace.goes_on();
            }
            if let Some(failure) = pace.drips(patience.drip, cancel) {
                exchange.handle(Input::Failed(failure));
                return exchange.poll();
            }
            match response.read() {
                Ok(Some(bytes)) => {
                    pace.came(bytes.len());
                    exchange.handle(Input::Body(bytes));
                }
                Ok(None) => {
                    exchange.handle(Input::End);
                    return exchange.poll();
                }
                Err(failure) => {
                    exchange.handle(Input::Failed(failure));
                    return exchange.poll();
                }
            }
        }
    }

    /// Everything but a request whose answer matters.
    fn tell(
        &self,
        exchange: &mut Exchange,
        output: Output,
        patience: &Patience,
        said: &mut impl FnMut(&mut Exchange, Said),
    ) -> Option<Result<Answer, CallError>> {
        match output {
            Output::Event(message) => said(exchange, Said::Event(message)),
            Output::Primed => said(exchange, Said::Primed),
            Output::Part(part) => said(exchange, Said::Part(part)),
            Output::Learned(standing) => said(exchange, Said::Learned(standing)),
            Output::Aside(request) => self.aside(&request, patience),
            Output::Done(end) => return Some(end),
            Output::Send { .. } | Output::Pause(_) => {}
        }
        None
    }

    /// Sends what nobody waits for. A cancelled call sends these too: its cancellation is one.
    fn aside(&self, request: &Request, patience: &Patience) {
        if let Ok(response) = self.send(request, &patience.timeouts(Wait::Acknowledgement), &Cancel::new()) {
            self.finish(response);
        }
    }
}

pub(super) fn unasked() -> Failure {
    Failure { stage: Stage::Send, sent: Sent::Nothing, message: "the exchange asked for nothing to be sent".to_owned() }
}
