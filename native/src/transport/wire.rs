//! Bytes on a connection: a socket whose reads and writes end at a deadline, TLS on it, and TLS in TLS for a proxy that
//! is itself spoken to over HTTPS.
//!
//! It knows no HTTP. Its errors are `std::io`'s; a TLS error is inside as a `rustls::Error`.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use socket2::Socket;

/// What is said of a connection that ends before TLS stands, and of one that ends without TLS's own end.
pub(super) const CLOSED_IN_HANDSHAKE: &str = "the connection was closed during the handshake";
pub(super) const CLOSED_WITHOUT_ALERT: &str =
    "the connection was closed without TLS's closure alert, so the answer may be cut off";

/// A connection, opened.
pub(super) struct Wire {
    base: Base,
    tls: Option<Box<ClientConnection>>,
}

/// What the backend's own bytes, plain or encrypted, run over.
struct Base {
    socket: TimedSocket,
    /// A session with a proxy.
    outer: Option<Box<ClientConnection>>,
}

struct TimedSocket {
    socket: Arc<Socket>,
    until: Option<Instant>,
    // What the socket is set to: setting it again would be a system call for nothing.
    reads: Option<Duration>,
    writes: Option<Duration>,
}

impl Wire {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        let socket = TimedSocket { socket, until: None, reads: None, writes: None };
        Self { base: Base { socket, outer: None }, tls: None }
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.base.socket.socket
    }

    /// The session with the backend.
    pub(super) fn tls(&self) -> Option<&ClientConnection> {
        self.tls.as_deref()
    }

    /// Begins TLS with a proxy; what follows runs inside.
    pub(super) fn enter_proxy_tls(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        until: Option<Instant>,
    ) -> io::Result<()> {
        self.base.socket.until = until;
        let mut session = Box::new(ClientConnection::new(config, name).map_err(tls_error)?);
        handshake(&mut session, &mut self.base.socket)?;
        self.base.outer = Some(session);
        Ok(())
    }

    /// Begins TLS with the backend.
    pub(super) fn enter_tls(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        until: Option<Instant>,
    ) -> io::Result<()> {
        self.base.socket.until = until;
        let mut session = Box::new(ClientConnection::new(config, name).map_err(tls_error)?);
        handshake(&mut session, &mut self.base)?;
        self.tls = Some(session);
        Ok(())
    }

    /// At least one byte, or 0 where the other side ended the connection in order: with TLS, by its closure alert.
    pub(super) fn read(&mut self, buffer: &mut [u8], until: Option<Instant>) -> io::Result<usize> {
        self.base.socket.until = until;
        match &mut self.tls {
            None => self.base.read(buffer),
            Some(session) => session_read(session, &mut self.base, buffer),
        }
    }

    /// Writes all; `sent` is called once bytes that carry some of it have left.
    pub(super) fn write_all(
        &mut self,
        mut bytes: &[u8],
        until: impl Fn() -> Option<Instant>,
        mut sent: impl FnMut(),
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            self.base.socket.until = until();
            match &mut self.tls {
                None => {
                    let n = self.base.write(bytes)?;
                    if n == 0 {
                        return Err(ErrorKind::WriteZero.into());
                    }
                    sent();
                    bytes = &bytes[n..];
                }
                Some(session) => {
                    let n = session.writer().write(bytes)?;
                    bytes = &bytes[n..];
                    while session.wants_write() {
                        self.base.socket.until = until();
                        if session.write_tls(&mut self.base)? == 0 {
                            return Err(ErrorKind::WriteZero.into());
                        }
                        sent();
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it is open and nothing waits to be read: one system call. A connection between two requests must be so.
    pub(super) fn is_quiet(&mut self) -> bool {
        for session in self.base.outer.iter_mut().chain(self.tls.iter_mut()) {
            match session.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                _ => return false,
            }
        }
        nothing_to_read(self.socket())
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let wait = wait(self.until)?;
            if wait != self.reads {
                self.socket.set_read_timeout(wait)?;
                self.reads = wait;
            }
            match (&*self.socket).read(buffer) {
                // The wait was rounded, or cut short.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                result => return result,
            }
        }
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let wait = wait(self.until)?;
            if wait != self.writes {
                self.socket.set_write_timeout(wait)?;
                self.writes = wait;
            }
            match (&*self.socket).write(bytes) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Base {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.outer {
            None => self.socket.read(buffer),
            Some(session) => session_read(session, &mut self.socket, buffer),
        }
    }
}

impl Write for Base {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.outer else { return self.socket.write(bytes) };
        let n = session.writer().write(bytes)?;
        while session.wants_write() {
            session.write_tls(&mut self.socket)?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn handshake(session: &mut ClientConnection, below: &mut (impl Read + Write)) -> io::Result<()> {
    loop {
        while session.wants_write() {
            session.write_tls(below)?;
        }
        if !session.is_handshaking() {
            return Ok(());
        }
        if session.read_tls(below)? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, CLOSED_IN_HANDSHAKE));
        }
        if let Err(error) = session.process_new_packets() {
            // The alert tells the server why. If it cannot be sent, the error itself still tells us.
            let _ = session.write_tls(below);
            return Err(tls_error(error));
        }
    }
}

fn session_read(
    session: &mut ClientConnection,
    below: &mut (impl Read + Write),
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match session.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // RFC 9112 section 9.8: without the closure alert nobody knows whether this was all.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, CLOSED_WITHOUT_ALERT));
            }
            result => return result,
        }
        while session.wants_write() {
            session.write_tls(below)?;
        }
        // An end is kept inside and comes back from the reader above.
        session.read_tls(below)?;
        if let Err(error) = session.process_new_packets() {
            let _ = session.write_tls(below);
            return Err(tls_error(error));
        }
    }
}

fn tls_error(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// How long the next system call may wait. A wait of more than a second is rounded up to tenths of one: then most
/// requests find the socket set as they need it, and a deadline is late by a tenth of a second at most.
fn wait(until: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(until) = until else { return Ok(None) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    let step = if left > Duration::from_secs(1) { 100 } else { 1 };
    let steps = left.as_nanos().div_ceil(step * 1_000_000);
    Ok(Some(Duration::from_millis(u64::try_from(steps * step).unwrap_or(u64::MAX))))
}

#[cfg(unix)]
pub(super) fn nothing_to_read(socket: &Socket) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let looked = socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
    matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[cfg(not(unix))]
pub(super) fn nothing_to_read(socket: &Socket) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let looked = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut byte));
    socket.set_nonblocking(false).is_ok() && matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
