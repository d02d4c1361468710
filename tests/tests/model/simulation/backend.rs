//! A backend without a socket: what comes of each request, portion by portion, with the faults of real ones.
//!
//! It delivers nothing; who plays the network does, when it likes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use vmcp_core::mcp::Era;
use vmcp_core::mcp::http::{Failure, Head, Input, Method, Request, Sent, Stage};

use super::chance::Chance;

/// One thing that the network brings of an answer.
#[derive(Clone, Debug)]
pub(super) enum Portion {
    Head(u16, &'static str, Option<String>),
    Body(Vec<u8>),
    End,
    Failed(Stage, Sent),
    /// Nothing more comes before this question of the backend is answered.
    Until(String),
    /// The tool has run now.
    Runs(String),
}

impl Portion {
    /// What an exchange is told.
    pub(super) fn input(&self) -> Option<Input<'_>> {
        Some(match self {
            Self::Head(status, media_type, session) => {
                let mut headers = vec![("content-type".to_owned(), (*media_type).to_owned())];
                headers.extend(session.clone().map(|session| ("mcp-session-id".to_owned(), session)));
                Input::Head(Head { status: *status, headers })
            }
            Self::Body(bytes) => Input::Body(bytes),
            Self::End => Input::End,
            Self::Failed(stage, sent) => {
                Input::Failed(Failure { stage: *stage, sent: *sent, message: "it was played so".into() })
            }
            Self::Until(_) | Self::Runs(_) => return None,
        })
    }
}

/// How an answer is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// No connection.
    Refused,
    /// The connection breaks before an answer, and before the request was read or after.
    Reset,
    ResetAfterwards,
    /// Nothing is said until patience ends.
    Silence,
    Busy,
    Garbage,
    /// The answer ends in its middle.
    Cut,
    /// Somebody else's answer comes first.
    WrongId,
    /// It comes twice.
    Twice,
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

pub(super) struct Backend {
    pub(super) name: String,
    speaks: Era,
    sessions: BTreeSet<String>,
    opened: usize,
    asked: usize,
    answers: BTreeMap<String, Value>,
    /// How often each call was carried out.
    pub(super) ran: BTreeMap<String, usize>,
}

impl Backend {
    pub(super) fn new(name: String, speaks: Era) -> Self {
        Self {
            name,
            speaks,
            sessions: BTreeSet::new(),
            opened: 0,
            asked: 0,
            answers: BTreeMap::new(),
            ran: BTreeMap::new(),
        }
    }

    /// It knows no session any longer, and may speak otherwise.
    pub(super) fn restart(&mut self, speaks: Era) {
        self.speaks = speaks;
        self.sessions.clear();
    }

    pub(super) fn runs(&mut self, token: &str) {
        *self.ran.entry(token.to_owned()).or_default() += 1;
    }

    /// What comes of a request.
    pub(super) fn asked(&mut self, request: &Request, chance: &mut Chance) -> VecDeque<Portion> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let fault = match chance.below(24) {
            0 => Fault::Refused,
            1 => Fault::Reset,
            2 => Fault::ResetAfterwards,
            3 => Fault::Silence,
            4 => Fault::Busy,
            5 => Fault::Garbage,
            6 => Fault::Cut,
            7 => Fault::WrongId,
            8 => Fault::Twice,
            _ => Fault::None,
        };
        let nothing = |stage, sent| VecDeque::from([Portion::Failed(stage, sent)]);
        match fault {
            Fault::Refused => return nothing(Stage::Connect, Sent::Nothing),
            Fault::Reset => return nothing(Stage::FirstByte, Sent::Maybe),
            Fault::Busy => return plain(503, JSON, ""),
            _ => {}
        }
        let answer = self.answer(request, &body, fault, chance);
        let runs = answer.iter().filter(|portion| matches!(portion, Portion::Runs(_)));
        let ending = match fault {
            Fault::ResetAfterwards => nothing(Stage::FirstByte, Sent::Maybe),
            Fault::Silence => nothing(Stage::FirstByte, Sent::Maybe),
            Fault::Garbage => plain(200, "text/html", "<p>a page</p>"),
            Fault::Cut => {
                let said = answer.len().saturating_sub(1);
                return answer.into_iter().take(said).chain([Portion::Failed(Stage::Body, Sent::Maybe)]).collect();
            }
            _ => return answer,
        };
        runs.cloned().chain(ending).collect()
    }

    fn answer(&mut self, request: &Request, body: &Value, fault: Fault, chance: &mut Chance) -> VecDeque<Portion> {
        let session = request.header("mcp-session-id");
        let knows = session.is_some_and(|session| self.sessions.contains(session));
        if request.method == Method::Delete {
            return match session.is_some_and(|session| self.sessions.remove(session)) {
                true => plain(200, JSON, ""),
                false => plain(404, JSON, ""),
            };
        }
        let result = |result: Value| json!({"jsonrpc": "2.0", "id": body["id"], "result": result});
        match (body["method"].as_str(), self.speaks) {
            (Some("server/discover"), Era::Modern) => whole(&result(json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                "ttlMs": 0, "cacheScope": "private",
            }))),
            (Some("initialize"), Era::Legacy) => {
                self.opened += 1;
                let id = format!("{}-{}", self.name, self.opened);
                self.sessions.insert(id.clone());
                let mut answer = whole(&result(json!({
                    "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                    "serverInfo": {"name": self.name, "version": "1"},
                })));
                if let Some(Portion::Head(_, _, session)) = answer.front_mut() {
                    *session = Some(id);
                }
                answer
            }
            (Some("initialize"), Era::Modern) => plain(404, JSON, ""),
            (Some(_), Era::Modern) if session.is_some() => plain(400, JSON, ""),
            (_, Era::Legacy) if !knows => plain(if session.is_some() { 404 } else { 400 }, JSON, ""),
            (Some("tools/call"), _) => self.called(session, body, fault, chance),
            (None, _) => {
                if let Some(id) = body["id"].as_str() {
                    self.answers.insert(id.to_owned(), body.clone());
                }
                plain(202, JSON, "")
            }
            _ => plain(202, JSON, ""),
        }
    }

    /// A tool that says who called it where, and may ask first.
    fn called(&mut self, session: Option<&str>, body: &Value, fault: Fault, chance: &mut Chance) -> VecDeque<Portion> {
        let (params, id) = (&body["params"], &body["id"]);
        let token = params["arguments"]["token"].as_str().unwrap_or_default().to_owned();
        let asks = params["arguments"]["asks"] == true;
        let message = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
        let mut said = json!({"backend": self.name, "session": session, "token": token});
        if asks && self.speaks == Era::Modern {
            // 2026-07-28, basic/patterns/mrtr: it ends, and is called once more with the answer.
            let (state, answer) = (&params["requestState"], &params["inputResponses"]["word"]);
            if *state != json!(format!("of {token}")) || answer.is_null() {
                return whole(&message(json!({
                    "resultType": "input_required", "requestState": format!("of {token}"),
                    "inputRequests": {"word": {"method": "elicitation/create", "params": question(&token)}},
                })));
            }
            said["answer"] = answer["content"]["word"].clone();
        }
        let mut portions = VecDeque::new();
        let streams = asks && self.speaks == Era::Legacy || chance.one_in(2);
        let mut messages = Vec::new();
        if streams {
            if !params["_meta"]["progressToken"].is_null() {
                for step in 1..=chance.below(3) {
                    messages.push(json!({"jsonrpc": "2.0", "method": "notifications/progress",
                        "params": {"progressToken": params["_meta"]["progressToken"], "progress": step, "of": token}}));
                }
            }
            portions.push_back(Portion::Head(200, EVENTS, None));
            portions.extend(messages.iter().map(event));
            if asks && self.speaks == Era::Legacy {
                self.asked += 1;
                let question_id = format!("{}-q{}", self.name, self.asked);
                portions.push_back(event(&json!({
                    "jsonrpc": "2.0", "id": question_id, "method": "elicitation/create", "params": question(&token),
                })));
                if chance.one_in(3) {
                    // It has found out by itself.
                    portions.push_back(event(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                        "params": {"requestId": question_id}})));
                } else {
                    portions.push_back(Portion::Until(question_id));
                }
            }
        } else {
            portions.push_back(Portion::Head(200, JSON, None));
        }
        portions.push_back(Portion::Runs(token));
        let answer = message(json!({"content": [], "structuredContent": said, "resultType": "complete"}));
        let other =
            json!({"jsonrpc": "2.0", "id": 987_654_321, "result": {"structuredContent": {"token": "nobody's"}}});
        let mut texts = vec![&answer];
        match fault {
            Fault::WrongId => texts.insert(0, &other),
            Fault::Twice => texts.push(&answer),
            _ => {}
        }
        for text in texts {
            let bytes = if streams { event_bytes(text) } else { text.to_string().into_bytes() };
            let (one, two) = bytes.split_at(chance.below(bytes.len()));
            portions.extend([one, two].map(|part| Portion::Body(part.to_vec())));
        }
        portions.push_back(Portion::End);
        portions
    }

    /// What was answered to a question, if it was.
    pub(super) fn answer_to(&self, question: &str) -> Option<&Value> {
        self.answers.get(question)
    }
}

fn question(token: &str) -> Value {
    json!({"message": token, "requestedSchema": {"type": "object", "properties": {"word": {"type": "string"}}}})
}

fn plain(status: u16, media_type: &'static str, text: &str) -> VecDeque<Portion> {
    [Portion::Head(status, media_type, None), Portion::Body(text.as_bytes().to_vec()), Portion::End].into()
}

fn whole(message: &Value) -> VecDeque<Portion> {
    plain(200, JSON, &message.to_string())
}

fn event(message: &Value) -> Portion {
    Portion::Body(event_bytes(message))
}

fn event_bytes(message: &Value) -> Vec<u8> {
    format!("event: message\ndata: {message}\n\n").into_bytes()
}
