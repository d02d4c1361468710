//! Walks an exchange of the core through the transport of its backend, on a task: whoever walks takes what is said piece by
//! piece, and nothing more is read before it asks for the next.
//!
//! It understands no message; it only does what the exchange says and reports what comes back.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use vmcp_core::mcp::client::{Answer, CallError, Exchange, Output, Wait};
use vmcp_core::mcp::http::{Failure, Head, Input, Request};

use super::super::drive::{Pace, Patience, Said, unasked};
use super::super::{Cancel, Timeouts};
use super::{AsyncTransport, LATE_REST, Response};

/// An exchange on its way.
pub struct Walk {
    transport: AsyncTransport,
    exchange: Exchange,
    patience: Patience,
    cancel: Cancel,
    /// The answer that is being read.
    response: Option<Response>,
    pace: Pace,
    /// What is waited for before the next request.
    pause: Option<Duration>,
}

/// What comes next of an exchange.
#[derive(Debug)]
pub enum Next {
    /// Something before the answer.
    Said(Said),
    /// The end.
    Done(Result<Answer, CallError>),
}

impl AsyncTransport {
    /// Begins to walk `exchange`. Nothing is sent before [`Walk::next`] is awaited.
    #[must_use]
    pub fn walk(&self, exchange: Exchange, patience: Patience, cancel: Cancel) -> Walk {
        Walk { transport: self.clone(), exchange, patience, cancel, response: None, pace: Pace::new(), pause: None }
    }

    /// Sends what nobody waits for. A cancelled call sends these too: its cancellation is one.
    ///
    /// # Errors
    /// It was not delivered, or not acknowledged.
    pub async fn send_aside(&self, request: &Request, timeouts: &Timeouts) -> Result<(), Failure> {
        let response = self.send(request, timeouts, &Cancel::new()).await?;
        self.finish(response).await;
        Ok(())
    }
}

impl Walk {
    /// Walks on until something is said, or to the end. After the end, the end again is not to be asked for.
    pub async fn next(&mut self) -> Next {
        self.pace.goes_on();
        if let Some(pause) = self.pause.take() {
            self.cancel.paused(pause).await;
        }
        loop {
            match self.exchange.poll() {
                Some(Output::Send { request, wait }) => self.send(&request, self.patience.timeouts(wait)).await,
                Some(Output::Pause(how_long)) => {
                    self.let_go().await;
                    self.pause = Some(how_long);
                    return Next::Said(Said::Paused);
                }
                Some(Output::Event(message)) => {
                    self.pace = Pace::new();
                    return Next::Said(Said::Event(message));
                }
                Some(Output::Primed) => return Next::Said(Said::Primed),
                Some(Output::Part(part)) => {
                    self.pace.stops();
                    return Next::Said(Said::Part(part));
                }
                Some(Output::Learned(standing)) => return Next::Said(Said::Learned(standing)),
                Some(Output::Aside(request)) => self.aside(request),
                Some(Output::Done(end)) => {
                    self.leave().await;
                    return Next::Done(end);
                }
                None => self.read().await,
            }
        }
    }

    /// Answers a request that was said: as [`Exchange::answer`].
    pub fn answer(&mut self, response: String) {
        self.exchange.answer(response);
    }

    /// As [`Exchange::withdraw`].
    #[must_use]
    pub fn withdraw(&self) -> Option<Request> {
        self.exchange.withdraw()
    }

    async fn send(&mut self, request: &Request, timeouts: Timeouts) {
        self.let_go().await;
        match self.transport.send(request, &timeouts, &self.cancel).await {
            Ok(mut response) => {
                let head = std::mem::replace(&mut response.head, Head { status: 0, headers: Vec::new() });
                self.exchange.handle(Input::Head(head));
                (self.response, self.pace) = (Some(response), Pace::new());
            }
            Err(failure) => self.exchange.handle(Input::Failed(failure)),
        }
    }

    async fn read(&mut self) {
        let Some(response) = &mut self.response else {
            // An exchange awaits an answer only while a request of it is being walked through.
            return self.exchange.handle(Input::Failed(unasked()));
        };
        if let Some(failure) = self.pace.drips(self.patience.drip, &self.cancel) {
            self.response = None;
            return self.exchange.handle(Input::Failed(failure));
        }
        match response.read().await {
            Ok(Some(bytes)) => {
                self.pace.came(bytes.len());
                return self.exchange.handle(Input::Body(bytes));
            }
            Ok(None) => self.exchange.handle(Input::End),
            Err(failure) => self.exchange.handle(Input::Failed(failure)),
        }
        self.response = None;
    }

    /// What is left of a short answer is read, so that the connection serves the next request.
    async fn let_go(&mut self) {
        if let Some(response) = self.response.take().filter(|response| !response.is_over()) {
            self.transport.finish(response).await;
        }
    }

    /// The same at the end, for which nobody waits: the rest of an answer comes with it, or a moment later.
    async fn leave(&mut self) {
        let Some(response) = self.response.take().filter(|response| !response.is_over()) else { return };
        let mut rest = Box::pin(response.drain(LATE_REST));
        let is_over = poll_fn(|cx| Poll::Ready(rest.as_mut().poll(cx).is_ready())).await;
        if !is_over {
            tokio::spawn(rest);
        }
    }

    fn aside(&self, request: Request) {
        let (transport, timeouts) = (self.transport.clone(), self.patience.timeouts(Wait::Acknowledgement));
        tokio::spawn(async move {
            // Nobody waits for it, and nothing is to be done if it is not heard.
            drop(transport.send_aside(&request, &timeouts).await);
        });
    }
}
