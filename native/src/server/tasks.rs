//! Tasks of sessions (2025-11-25) on their way between clients and backends: under which id each side knows them, and the
//! list of all of a client's.
//!
//! It keeps no task of a backend; those of a client are known by the backend that they were made for.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use vmcp_core::gateway::ListTasks;
use vmcp_core::gateway::task_ids::{Names, TASK_PAGES, TaskIds, created};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Answer, Goal, ServerMessage, Standing};
use vmcp_core::mcp::{Era, json};

use super::App;
use super::client::Client;
use super::outlet::Outlet;
use super::questions::Towards;
use super::reply::{Reply, written};
use super::sessions::{InUse, Session};

/// How long one backend may take for its tasks.
const PATIENCE: Duration = Duration::from_secs(5);

impl App {
    /// Passes on what the backend at `place` says, as [`Client::told`], with the ids of tasks that the client knows.
    pub(super) fn told(
        &self,
        session: &Session<Client>,
        place: usize,
        standing: Option<&Arc<Standing>>,
        message: &ServerMessage,
        outlet: Option<&Arc<Outlet>>,
    ) -> Option<String> {
        let known = self.known_to_client(place, session.state.who().as_deref(), message);
        session.state.told(place, standing, &known, outlet)
    }

    fn known_to_client<'m>(
        &self,
        place: usize,
        who: Option<&Principal>,
        message: &'m ServerMessage,
    ) -> Cow<'m, ServerMessage> {
        let named = self.backends.at(place).filter(|_| message.text.contains("task")).and_then(|served| {
            let sealer = self.seals.sealer(who);
            TaskIds::new(&sealer, &served.name).message_to_client(message)
        });
        named.map_or(Cow::Borrowed(message), |text| Cow::Owned(ServerMessage { text, ..message.clone() }))
    }

    /// A client's answer, with the ids of tasks that the backend knows.
    pub(super) fn answer_for_backend(&self, client: &Client, mut towards: Towards, names: Names) -> Towards {
        if let Some(served) = self.backends.at(towards.place).filter(|_| towards.message.contains("task")) {
            if let Some(id) = created(&towards.message).filter(|_| names == Names::Created) {
                client.made_task(id, towards.place);
            }
            let who = client.who();
            let sealer = self.seals.sealer(who.as_deref());
            let named = TaskIds::new(&sealer, &served.name).response_to_backend(&towards.message, names);
            towards.message = named.unwrap_or(towards.message);
        }
        towards
    }

    /// A client's notification, with the ids of tasks that the backend knows.
    pub(super) fn notice_for_backend(&self, client: &Client, mut towards: Towards, method: &str) -> Towards {
        if let Some(served) = self.backends.at(towards.place).filter(|_| towards.message.contains("task")) {
            let who = client.who();
            let sealer = self.seals.sealer(who.as_deref());
            let named = TaskIds::new(&sealer, &served.name).message_to_backend(&towards.message, method);
            towards.message = named.unwrap_or(towards.message);
        }
        towards
    }

    /// A client says how one of its tasks is: the backend hears it that the task was made for.
    pub(super) fn task_is(&self, client: &Client, message: String, params: &str) {
        let place = json::member(params, "taskId").and_then(|id| client.task_made_for(id));
        let at = client.open_links().into_iter().find(|(at, _)| Some(*at) == place);
        if let Some((place, standing)) = at {
            let towards = Towards { place, standing, message };
            let towards = self.notice_for_backend(client, towards, "notifications/tasks/status");
            self.backends.tell(towards, client.who());
        }
    }

    /// All tasks that a client has, each asked for in the client's own session.
    pub(super) async fn list_tasks(self: &Arc<Self>, list: &ListTasks<'_>, session: &InUse<Client>) -> Reply {
        let offers = |standing: &Standing| {
            let tasks = standing.facts().and_then(|facts| json::member(&facts.capabilities, "tasks"));
            standing.era() == Era::Legacy && tasks.is_some_and(|tasks| json::member(tasks, "list").is_some())
        };
        let with_tasks = self.backends.all.iter().enumerate().filter(|(place, served)| {
            let own = session.state.link(*place).standing().or_else(|| served.own.standing());
            own.is_some_and(|standing| offers(&standing))
        });
        let asked: Vec<_> = with_tasks
            .map(|(place, served)| {
                let (app, session, name) = (Arc::clone(self), session.clone(), served.name.clone());
                tokio::spawn(async move {
                    let all = app.tasks_at(place, &name, &session);
                    timeout(PATIENCE, all).await.unwrap_or_else(|_| {
                        tracing::warn!(backend = name, "backend is missing from the list of tasks");
                        Vec::new()
                    })
                })
            })
            .collect();
        if asked.is_empty() {
            return written(list.nobody_has_any());
        }
        let mut tasks = Vec::new();
        for asked in asked {
            // One that was broken off is missing.
            tasks.extend(asked.await.unwrap_or_default());
        }
        written(list.answer(&tasks))
    }

    async fn tasks_at(self: &Arc<Self>, place: usize, name: &str, session: &InUse<Client>) -> Vec<String> {
        let (mut tasks, mut cursor) = (Vec::new(), None);
        for _ in 0..TASK_PAGES {
            let call = ListTasks::call(cursor.as_deref());
            let Some(Ok(Answer::Reply(reply))) = self.ask_in_session(place, session, Goal::Call(call)).await else {
                break;
            };
            let who = session.state.who();
            let sealer = self.seals.sealer(who.as_deref());
            let (page, next) = ListTasks::page(&reply, &TaskIds::new(&sealer, name));
            tasks.extend(page);
            cursor = next;
            if cursor.is_none() {
                return tasks;
            }
        }
        if cursor.is_some() {
            tracing::warn!(backend = name, pages = TASK_PAGES, "backend has more tasks than are listed");
        }
        tasks
    }
}
