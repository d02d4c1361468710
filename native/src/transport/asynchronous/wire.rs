//! Bytes on a connection of tasks: plain, TLS, and TLS in TLS for a proxy that is itself spoken to over HTTPS.
//!
//! It knows no HTTP and no deadlines. Its errors are `std::io`'s; a TLS error is inside as a `rustls::Error`.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::wire::{CLOSED_IN_HANDSHAKE, CLOSED_WITHOUT_ALERT, nothing_to_read};

/// A connection, opened.
pub(super) enum Wire {
    Plain(Counted),
    /// With the backend, or with a proxy on the way to an `http` backend.
    Tls(Box<TlsStream<Counted>>),
    /// With the backend inside of TLS with a proxy.
    Nested(Box<TlsStream<TlsStream<Counted>>>),
}

/// A socket that counts what has left.
pub(super) struct Counted {
    tcp: TcpStream,
    written: u64,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self::Plain(Counted { tcp, written: 0 })
    }

    /// Begins TLS; what follows runs inside.
    pub(super) async fn enter_tls(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let connector = TlsConnector::from(config);
        let entered = match self {
            Self::Plain(tcp) => connector.connect(name, tcp).await.map(|tls| Self::Tls(Box::new(tls))),
            Self::Tls(outer) => connector.connect(name, *outer).await.map(|tls| Self::Nested(Box::new(tls))),
            Self::Nested(_) => Err(ErrorKind::Unsupported.into()),
        };
        entered.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(ErrorKind::UnexpectedEof, CLOSED_IN_HANDSHAKE),
            _ => error,
        })
    }

    /// The innermost session.
    pub(super) fn session(&self) -> Option<&ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.get_ref().1),
            Self::Nested(tls) => Some(tls.get_ref().1),
        }
    }

    fn counted(&self) -> &Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Tls(tls) => tls.get_ref().0,
            Self::Nested(tls) => tls.get_ref().0.get_ref().0,
        }
    }

    /// The socket.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.counted().tcp
    }

    /// Bytes that have left the process.
    pub(super) fn written(&self) -> u64 {
        self.counted().written
    }

    /// Whether nothing waits to be read as far as is known here. A connection between two requests must be so.
    pub(super) fn is_quiet_inside(&mut self) -> bool {
        let quiet = |session: &mut ClientConnection| {
            let state = session.process_new_packets();
            state.is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
        };
        match self {
            Self::Plain(_) => true,
            Self::Tls(tls) => quiet(tls.get_mut().1),
            Self::Nested(tls) => {
                let (outer, session) = tls.get_mut();
                quiet(session) && quiet(outer.get_mut().1)
            }
        }
    }

    /// Whether it is open and nothing waits to be read: one system call.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.is_quiet_inside() && nothing_to_read(&SockRef::from(self.tcp()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match self.get_mut() {
            Self::Plain(counted) => return Pin::new(counted).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
            Self::Nested(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
        };
        // RFC 9112 section 9.8: without the closure alert nobody knows whether this was all.
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(ErrorKind::UnexpectedEof, CLOSED_WITHOUT_ALERT),
            _ => error,
        })
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(counted) => Pin::new(counted).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
            Self::Nested(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(counted) => Pin::new(counted).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Nested(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(counted) => Pin::new(counted).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Nested(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(n)) = &written {
            this.written += *n as u64;
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
