//! A proxy that gives each request to the next of several servers, as a balancer without affinity does.
//!
//! It understands where a request's head ends, and nothing else: one request per connection, bytes as they come.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A head longer than this is none.
const LONGEST_HEAD: usize = 64 << 10;

/// Answers as long as this value lives, and after it until its last clients have gone.
pub(crate) struct Rotation {
    address: SocketAddr,
    given: Arc<Vec<AtomicUsize>>,
}

impl Rotation {
    /// Over these servers, each named by its address.
    pub(crate) fn over(servers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let given: Arc<Vec<AtomicUsize>> = Arc::new(servers.iter().map(|_| AtomicUsize::new(0)).collect());
        let counts = Arc::clone(&given);
        thread::spawn(move || {
            for (turn, client) in (0_usize..).zip(listener.incoming().map_while(Result::ok)) {
                let server = turn % servers.len();
                let (address, counts) = (servers[server].clone(), Arc::clone(&counts));
                thread::spawn(move || {
                    if pass(client, &address).is_some() {
                        counts[server].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, given }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// How many requests each server has answered.
    pub(crate) fn given(&self) -> Vec<usize> {
        self.given.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// One request and its answer; `None` if either end broke off before there was one.
fn pass(mut client: TcpStream, server: &str) -> Option<()> {
    let request = with_an_end(&head(&mut client)?)?;
    let mut server = TcpStream::connect(server).ok()?;
    server.write_all(&request).ok()?;
    let (mut upwards, mut up) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        // The rest of the body; then the client keeps silent until it goes, and so does its request.
        drop(std::io::copy(&mut upwards, &mut up));
        drop(up.shutdown(Shutdown::Both));
    });
    let answered = std::io::copy(&mut server, &mut client);
    drop(client.shutdown(Shutdown::Both));
    answered.ok().filter(|bytes| *bytes > 0).map(drop)
}

/// Everything up to the empty line, and what came with it.
fn head(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        assert!(read.len() < LONGEST_HEAD, "a head without an end");
    }
    Some(read)
}

/// The same request as the last one of its connection.
fn with_an_end(request: &[u8]) -> Option<Vec<u8>> {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&request[..end]).ok()?;
    let kept = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut changed = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
    changed.extend_from_slice(b"\r\nConnection: close");
    changed.extend_from_slice(&request[end..]);
    Some(changed)
}
