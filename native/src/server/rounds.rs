//! Questions of modern backends to clients with sessions: asked one by one on the stream of the call, after which the call
//! is made once more.
//!
//! What is asked and repeated is the core's; this waits for the client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vmcp_core::gateway::relay::may_be_asked;
use vmcp_core::gateway::rounds::{self, ROUNDS, Round};
use vmcp_core::mcp::client::{Answer, Call, CallError, Reply};
use vmcp_core::mcp::{Era, code, json, jsonrpc};

use super::client::Client;
use super::outlet::{Outlet, Told};
use super::questions::On;
use crate::transport::Cancel;

/// How long before a backend is asked again that waits for what the client does elsewhere, at least and at most.
const ELSEWHERE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The rounds of one call.
pub(super) struct Rounds<'c> {
    pub(super) client: &'c Client,
    pub(super) outlet: &'c Arc<Outlet>,
    pub(super) cancel: &'c Cancel,
    /// Makes ids of what is opened by URL.
    pub(super) token: String,
    made: usize,
    /// URLs that the client opens, and what it is told when that is done.
    opened: BTreeMap<String, String>,
    pause: Duration,
}

/// Whether the call is to be made once more.
pub(super) enum Then {
    /// With other parameters.
    Again(Call),
    /// No: this is what came of it.
    Done(Result<Answer, CallError>),
}

impl<'c> Rounds<'c> {
    pub(super) fn new(client: &'c Client, outlet: &'c Arc<Outlet>, cancel: &'c Cancel, token: String) -> Self {
        Self { client, outlet, cancel, token, made: 0, opened: BTreeMap::new(), pause: ELSEWHERE.0 }
    }

    /// Asks the client what the backend wants to know, if it wants to.
    pub(super) async fn next(&mut self, call: &Call, result: Result<Answer, CallError>) -> Then {
        let round = match &result {
            Ok(Answer::Reply(reply)) => Round::read(reply, &format!("{}-{}", self.token, self.made)),
            _ => None,
        };
        let round = match round {
            None => {
                if let Ok(Answer::Reply(reply)) = &result {
                    self.over(reply);
                }
                return Then::Done(result);
            }
            Some(Ok(round)) => round,
            Some(Err(message)) => return failed(code::INTERNAL, &message),
        };
        self.made += 1;
        if self.made > ROUNDS {
            return failed(
                code::INTERNAL,
                &format!("the backend has asked for input {ROUNDS} times, as often as it may"),
            );
        }
        match self.answers(&round).await {
            Ok(answers) => {
                self.outlet.begins_again();
                let params = round.repeated(call.params.as_deref().unwrap_or("{}"), &answers);
                Then::Again(Call { params: Some(params), ..call.clone() })
            }
            Err(then) => then,
        }
    }

    /// All answers by key. The client is asked everything at once and may answer in any order.
    pub(super) async fn answers(&mut self, round: &Round) -> Result<Vec<(String, String)>, Then> {
        let mut asked = Vec::new();
        let mut answers = Vec::new();
        let mut elsewhere = false;
        let urls: Vec<_> = round.questions.iter().filter_map(|(_, question)| rounds::url(question)).collect();
        self.tell_completed(&urls);
        for (key, question) in &round.questions {
            if rounds::url(question).is_some_and(|url| self.opened.contains_key(&url)) {
                // It was asked before and the client is at it.
                elsewhere = true;
                answers.push((key.clone(), r#"{"action":"accept"}"#.to_owned()));
                continue;
            }
            let on = [On::Call(Arc::clone(self.outlet)), On::Standing(Arc::clone(&self.client.stream))];
            let answer = may_be_asked(&self.client.session.capabilities, question)
                .and_then(|()| self.client.questions.ask_here(question, &on))
                .map_err(|why| failed(code::INTERNAL, &format!("the backend asks for input: {why}")))?;
            asked.push((key, question, answer));
        }
        for (key, question, mut answer) in asked {
            let text = tokio::select! {
                text = answer.recv() => text,
                () = self.cancel.cancelled() => None,
            };
            let Some(text) = text else {
                return Err(failed(code::INTERNAL, "the client is gone, or gave the call up"));
            };
            let said = Reply::read(text, Era::Legacy);
            let Some(said) = said else { return Err(failed(code::INTERNAL, "the client's answer is none")) };
            match (said.result(), said.error()) {
                (Some(result), _) => {
                    if json::member(result, "action").is_some_and(|action| json::says(action, "accept")) {
                        self.opened.extend(rounds::url(question).zip(rounds::completed(question)));
                    }
                    answers.push((key.clone(), result.to_owned()));
                }
                // Only results can be given to the backend (2026-07-28, schema, InputResponses).
                (None, error) => {
                    let message = error.map(|error| error.message.into_owned()).unwrap_or_default();
                    let message = format!("the client did not answer what the backend asked: {message}");
                    return Err(failed(code::INTERNAL, &message));
                }
            }
        }
        if elsewhere || round.questions.is_empty() {
            self.cancel.paused(self.pause).await;
            self.pause = (self.pause * 2).min(ELSEWHERE.1);
        }
        Ok(answers)
    }
}

impl Rounds<'_> {
    /// The call is over: with a result, if it is one, which it could not have while anything was to be opened.
    pub(super) fn over(&mut self, reply: &Reply) {
        if reply.result().is_some() {
            self.tell_completed(&[]);
        }
    }

    /// Tells the client that what it opened is done, but for what the backend asks for still.
    fn tell_completed(&mut self, still: &[String]) {
        self.opened.retain(|url, completed| {
            let waits = still.contains(url);
            if !waits && self.outlet.say(completed) == Told::No {
                self.client.stream.send(completed);
            }
            waits
        });
    }
}

/// The call ends with an error of the gateway.
fn failed(code: i64, message: &str) -> Then {
    let error = jsonrpc::error(Some("0"), code, message, None);
    // What is made here is a response.
    Then::Done(Reply::read(error, Era::Legacy).map(Answer::Reply).ok_or_else(|| CallError {
        method: String::new(),
        problem: vmcp_core::mcp::client::Problem::Empty,
        ran: vmcp_core::mcp::client::Ran::Maybe,
    }))
}
