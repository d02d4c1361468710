//! Accepting connections and watching over each: a client that is slow to ask, slow to read or silent costs its own
//! connection and nothing else.
//!
//! It knows nothing of paths or MCP; what a request means is the caller's service.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a request (of a new connection: from its start) to the end of its head.
    pub(super) head: Duration,
    /// Between two requests of one connection.
    pub(super) idle: Duration,
    /// Without taking a byte of an answer that is ready.
    pub(super) reading: Duration,
}

/// What answers requests. One value serves all connections.
pub(super) trait Service: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;

    /// Answers one request. Dropping the future means that the client is gone.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Serves until `stop` becomes true, then lets what was begun finish, for at most `drain`.
pub(super) async fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
    drain: Duration,
) {
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
            // Finished tasks are taken off the set as they end, so that it holds the open ones only.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, stop, open) = (Arc::clone(&service), stop.clone(), open.clone());
                connections.spawn(async move {
                    connection(stream, service, patience, stop).await;
                    drop(open);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps, and the listener stays.
                tracing::warn!(%error, "connection not accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((listener, open));
    if tokio::time::timeout(drain, all_closed.recv()).await.is_err() {
        tracing::warn!(connections = connections.len(), "stopped before every answer was sent");
        connections.shutdown().await;
    }
}

async fn connection<S: Service>(
    stream: TcpStream,
    service: Arc<S>,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let activity = Arc::new(Activity::new());
    let watched = Arc::clone(&activity);
    let answer = service_fn(move |request| {
        let busy = Busy::new(Arc::clone(&watched));
        let service = Arc::clone(&service);
        async move {
            let (head, body) = service.answer(request).await.into_parts();
            Ok::<_, Infallible>(Response::from_parts(head, Held { body, _busy: busy }))
        }
    });
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let mut http = http1::Builder::new();
    // The own watch tells a slow head from an idle connection; hyper's does not.
    http.timer(TokioTimer::new()).header_read_timeout(None);
    let mut http = pin!(http.serve_connection(io, answer));
    let mut alarm = pin!(sleep(patience.head));
    let mut stopping = false;
    loop {
        let finished = poll_fn(|cx| match http.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(End::Closed(result)),
            Poll::Pending => activity.overdue(patience, alarm.as_mut(), cx).map(|()| End::Overdue),
        });
        tokio::select! {
            end = finished => {
                match end {
                    End::Closed(Err(error)) => tracing::debug!(%error, "connection ended"),
                    End::Closed(Ok(())) => {}
                    End::Overdue => tracing::debug!("connection closed: the client was too slow"),
                }
                return;
            }
            _ = stop.wait_for(|stopped| *stopped), if !stopping => {
                stopping = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

enum End {
    Closed(hyper::Result<()>),
    Overdue,
}

/// What a connection is doing. Only its own task changes it; atomics, because the parts must be `Send`.
struct Activity {
    start: Instant,
    phase: AtomicU8,
    /// Since when it is in this phase, in milliseconds from `start`.
    since: AtomicU64,
    /// Since when the client takes nothing, plus one; 0 when it does.
    stuck: AtomicU64,
}

const HEAD: u8 = 0;
const BUSY: u8 = 1;
const IDLE: u8 = 2;

impl Activity {
    fn new() -> Self {
        Self { start: Instant::now(), phase: AtomicU8::new(HEAD), since: AtomicU64::new(0), stuck: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.since.store(self.now(), Ordering::Relaxed);
    }

    /// When the connection has to be closed if nothing changes.
    fn deadline(&self, patience: Patience) -> Option<Instant> {
        let at = |millis: u64, wait| self.start + Duration::from_millis(millis) + wait;
        let stuck = self.stuck.load(Ordering::Relaxed);
        if stuck != 0 {
            return Some(at(stuck - 1, patience.reading));
        }
        let since = self.since.load(Ordering::Relaxed);
        match self.phase.load(Ordering::Relaxed) {
            HEAD => Some(at(since, patience.head)),
            IDLE => Some(at(since, patience.idle)),
            _ => None,
        }
    }

    /// Ready when a deadline has passed. The alarm is only moved to an earlier time; one that rings too early is set
    /// again, so that a busy connection does not touch the timer at every request.
    fn overdue(&self, patience: Patience, mut alarm: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.deadline(patience) else { return Poll::Pending };
            if alarm.deadline() > deadline || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    fn taken<T>(&self, progress: &Poll<T>) {
        let blocked = if progress.is_pending() { self.now() + 1 } else { 0 };
        let before = self.stuck.load(Ordering::Relaxed);
        if (before == 0) != (blocked == 0) {
            self.stuck.store(blocked, Ordering::Relaxed);
        }
    }
}

/// A request is being answered as long as this lives: until its body is written, or the client is gone.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: Arc<Activity>) -> Self {
        activity.enter(BUSY);
        Self(activity)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(IDLE);
    }
}

struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && self.activity.phase.load(Ordering::Relaxed) == IDLE {
            self.activity.enter(HEAD);
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.taken(&result);
        result
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.activity.taken(&result);
        result
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::SocketAddr;

    use super::super::reply::{Content, Reply, json};
    use super::*;

    /// Answers `/large` with more than any socket's buffers hold, anything else with a word.
    struct Words;

    impl Service for Words {
        type Body = Content;
        async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
            let large = request.uri().path() == "/large";
            json(hyper::StatusCode::OK, if large { vec![b' '; 64 << 20] } else { b"well".to_vec() })
        }
    }

    /// A client may be slow in one way here, and has all the time of the world in the others.
    fn serving(test: impl FnOnce(SocketAddr) + Send + 'static, change: impl FnOnce(&mut Patience)) {
        let long = Duration::from_secs(600);
        let mut patience = Patience { head: long, idle: long, reading: long };
        change(&mut patience);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = watch::channel(false);
            let served = tokio::spawn(serve(listener, Arc::new(Words), patience, stopped, Duration::ZERO));
            tokio::task::spawn_blocking(move || test(address)).await.unwrap();
            stop.send_replace(true);
            served.await.unwrap();
        });
    }

    const SHORT: Duration = Duration::from_millis(100);

    fn connect(address: SocketAddr) -> std::net::TcpStream {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// What comes until the connection is closed.
    fn rest(mut stream: std::net::TcpStream) -> String {
        let mut text = Vec::new();
        // A connection that is cut off while it sends is reset.
        if let Err(error) = stream.read_to_end(&mut text) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_head_must_come_in_time() {
        serving(
            |address| {
                assert_eq!(rest(connect(address)), "");
                let mut slow = connect(address);
                slow.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
                assert_eq!(rest(slow), "");
                let mut second = connect(address);
                second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT").unwrap();
                // What follows on a connection that was idle has its own time.
                std::thread::sleep(SHORT / 2);
                second.write_all(b"TP/1.1\r\n").unwrap();
                assert_eq!(rest(second).matches("well").count(), 1);
            },
            |patience| patience.head = SHORT,
        );
    }

    #[test]
    fn an_idle_connection_is_closed() {
        serving(
            |address| {
                let mut idle = connect(address);
                for _ in 0..3 {
                    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
                }
                assert_eq!(rest(idle).matches("well").count(), 3);
            },
            |patience| patience.idle = SHORT,
        );
    }

    #[test]
    fn a_client_that_does_not_read_is_let_go() {
        serving(
            |address| {
                let mut stuck = connect(address);
                stuck.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
                let start = std::time::Instant::now();
                while start.elapsed() < SHORT * 10 {
                    // Others are served meanwhile.
                    let mut other = connect(address);
                    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
                    assert!(rest(other).ends_with("well"));
                }
                assert!(rest(stuck).len() < 64 << 20);
            },
            |patience| patience.reading = SHORT,
        );
    }
}
