//! One real handshake on loopback: a rustls server with any certificates, and the client of `vmcp_native`.
//!
//! It judges nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use vmcp_core::trust::{Pool, TrustError, TrustedBy};
use vmcp_native::verifier;

pub(crate) struct Server {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

#[derive(Debug)]
pub(crate) enum Failed {
    /// The certificates were judged.
    Trust(Box<TrustError>),
    /// Anything else, in words.
    Other(String),
}

/// Connects once, sends a line there and back.
pub(crate) fn connect(server: &Server, host: &str, pool: Pool) -> Result<TrustedBy, Failed> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(server.key.clone_key()).unwrap();
    // Without the check that key and certificate belong together: odd certificates do not pass it.
    let certified = SingleCertAndKey::from(CertifiedKey::new(server.chain.clone(), key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(server.versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certified));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let mut line = [0; 5];
        if stream.read_exact(&mut line).is_ok() {
            stream.write_all(&line).unwrap();
        }
    });
    let outcome = client(TcpStream::connect(address).unwrap(), host, pool);
    serving.join().unwrap();
    outcome
}

/// Connects twice with one configuration and says how the second handshake went.
pub(crate) fn second_handshake(server: &Server, host: &str, config: Arc<ClientConfig>) -> HandshakeKind {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let serving = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(server.versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(server.chain.clone(), server.key.clone_key())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Arc::new(serving);
    let thread = thread::spawn(move || {
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(serving.clone()).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            let mut line = [0; 5];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(&line).unwrap();
        }
    });
    let mut kind = None;
    for _ in 0..2 {
        let mut socket = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let mut connection = ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        kind = connection.handshake_kind();
    }
    thread.join().unwrap();
    kind.unwrap()
}

pub(crate) fn client(mut socket: TcpStream, host: &str, pool: Pool) -> Result<TrustedBy, Failed> {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let pool = Arc::new(pool);
    let mut connection = ClientConnection::new(verifier::client_config(pool.clone()), name.clone()).unwrap();
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    let mut line = [0; 5];
    if let Err(error) = stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut line)) {
        return Err(match verifier::find_trust_error(&error) {
            Some(found) => Failed::Trust(Box::new(found.clone())),
            None => Failed::Other(error.to_string()),
        });
    }
    assert_eq!(&line, b"hello");
    let certificates = connection.peer_certificates().unwrap();
    Ok(verifier::trusted_by(&pool, certificates, &name, now()).unwrap().unwrap())
}

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}
