//! Calls of clients that stand alone at backends with sessions, while the backend waits for the client: kept, found again by
//! what the client brings back, given up when it does not come.
//!
//! What a result may ask is the core's.

use serde_json::{Value, json};
use vmcp_core::gateway::{Ask, Hop, ServerInfo};
use vmcp_core::mcp::client::ServerMessage;
use vmcp_core::mcp::jsonrpc;
use vmcp_core::seal::Sealer;

use super::{Fault, Running, World, ensure};

/// The part of a call that its client has to come back for.
#[derive(Default)]
pub(super) struct Suspension {
    /// Finds the call.
    pub(super) number: u64,
    /// The client has been answered with questions, and hears nothing until it comes back.
    pub(super) away: bool,
    asked: usize,
    open: Vec<(String, ServerMessage)>,
}

impl Suspension {
    /// Of a call that nobody has asked anything in.
    pub(super) fn of(number: u64) -> Self {
        Self { number, ..Self::default() }
    }
}

impl World {
    /// A backend asks something in a call.
    pub(super) fn suspend(&mut self, running: &mut Running, message: ServerMessage) -> Result<(), Fault> {
        let asked = running.caller.may_be_asked(&message);
        ensure(asked.is_ok(), || format!("{} is not asked: {asked:?}", running.token))?;
        let suspension = &mut running.suspension;
        suspension.asked += 1;
        suspension.open.push((format!("q{}", suspension.asked), message));
        if running.suspension.away { Ok(()) } else { self.ask_in_a_result(running) }
    }

    fn ask_in_a_result(&mut self, running: &mut Running) -> Result<(), Fault> {
        running.suspension.away = true;
        self.count.suspended += 1;
        let nonce = self.nonce();
        let server = ServerInfo { name: "n".into(), version: "v".into() };
        let hop = Hop { backend: "", server: &server, sealer: Sealer::new(&self.keys, "", 0, nonce) };
        let open = running.suspension.open.iter().map(|(key, message)| (key.as_str(), message));
        let said = running.caller.asks(open, &running.suspension.number.to_string(), hop);
        let said: Value = serde_json::from_str(&said).unwrap();
        let token = &running.token;
        self.say(|| format!("client {} is asked for {token}: {said}", running.client));
        ensure(said["id"] == running.id, || format!("{token} is answered under another id: {said}"))?;
        let result = &said["result"];
        ensure(result["resultType"] == "input_required", || format!("{token} is asked nothing: {said}"))?;
        let asked = result["inputRequests"].as_object().unwrap();
        ensure(!asked.is_empty(), || format!("{token} has to come back for nothing: {said}"))?;
        let mut answers = json!({});
        for (key, asked) in asked {
            let asked = &asked["params"]["message"];
            ensure(asked == token, || format!("{token} is asked what another call asks: {said}"))?;
            // What a client forgets it is asked again.
            if !self.chance.one_in(4) {
                answers[key] = json!({"action": "accept", "content": {"word": asked}});
            }
        }
        let mut params: Value = serde_json::from_str(running.call.params.as_deref().unwrap()).unwrap();
        params["name"] = format!("b{}_t", running.backend).into();
        params["_meta"] = json!({});
        params["requestState"] = result["requestState"].clone();
        params["inputResponses"] = answers;
        self.retries.push((running.client, params));
        Ok(())
    }

    /// A client comes back with answers.
    pub(super) fn come_back(&mut self, number: u64, ask: &Ask<'_>, id: Value, token: &str) -> Result<(), Fault> {
        let Some(place) = self.running.iter().position(|running| running.suspension.number == number) else {
            let gone: Value = serde_json::from_slice(&ask.gone().body).unwrap();
            ensure(gone["id"] == id && gone["error"]["code"] == -32602, || format!("{token} is not gone: {gone}"))?;
            self.count.gone += 1;
            return self.ends(token, "gone");
        };
        let mut running = self.running.swap_remove(place);
        ensure(running.token == token, || format!("{token} comes back to {}", running.token))?;
        ensure(running.suspension.away, || format!("{token} comes back and was not asked"))?;
        (running.caller, running.id, running.suspension.away) = (ask.caller(), id, false);
        if running.over.is_some() {
            self.count.late += 1;
        } else {
            for (key, answer) in ask.input_responses() {
                let key: String = serde_json::from_str(&key).unwrap();
                let open = &mut running.suspension.open;
                let Some(place) = open.iter().position(|(known, _)| *known == key) else {
                    return Err(format!("{token} answers {key}, which it was not asked"));
                };
                let (_, question) = open.swap_remove(place);
                running.exchange.answer(jsonrpc::result(question.id.as_deref().unwrap(), &answer));
            }
            self.follow(&mut running)?;
            if !running.suspension.open.is_empty() {
                self.ask_in_a_result(&mut running)?;
            }
        }
        self.running.push(running);
        self.settle()
    }
}
