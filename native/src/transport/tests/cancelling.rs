//! Calls that are stopped.

use super::*;

/// Cancels once `server` has the request, while the call waits without any bound.
fn cancelled(server: &Server, timeouts: Timeouts) -> Result<String, Failure> {
    let transport = server.transport();
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| whole(transport.send(&post("{}"), &timeouts, &cancel)?));
        while server.got().is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel();
        call.join().unwrap()
    })
}

const NEVER: Timeouts = Timeouts {
    connect: Duration::from_secs(3600),
    tls: Duration::from_secs(3600),
    first_byte: Duration::from_secs(3600),
    idle: None,
    total: None,
};

on_both!(a_call_that_waits_is_cancelled_at_once);
fn a_call_that_waits_is_cancelled_at_once() {
    let expected = (Stage::Cancelled, Sent::Maybe, "the call was cancelled".to_owned());
    let server = Server::silent();
    assert_eq!(failure(cancelled(&server, NEVER), server.address), expected);
    // Its end would be where the server closes: a cancelled one must not look complete.
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\n\r\nsome");
        wait_for_end(stream)
    });
    assert_eq!(failure(cancelled(&server, NEVER), server.address), expected);
}

on_both!(a_call_that_connects_is_cancelled_at_once);
fn a_call_that_connects_is_cancelled_at_once() {
    let full = Full::new();
    let transport = transport(&format!("http://{}/", full.address), &plain());
    let cancel = Cancel::new();
    let result = std::thread::scope(|scope| {
        let call = scope.spawn(|| send_with(&transport, &cancel));
        while !cancel.is_watched() {
            std::thread::yield_now();
        }
        cancel.cancel();
        call.join().unwrap()
    });
    assert_eq!(failure(result, full.address), (Stage::Cancelled, Sent::Nothing, "the call was cancelled".to_owned()));
}

fn send_with(transport: &Either, cancel: &Cancel) -> Result<AnyResponse, Failure> {
    transport.send(&post("{}"), &NEVER, cancel)
}

on_both!(what_is_cancelled_before_is_not_begun);
fn what_is_cancelled_before_is_not_begun() {
    let server = Server::saying(OK);
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(
        failure(send_with(&server.transport(), &cancel), server.address),
        (Stage::Cancelled, Sent::Nothing, "the call was cancelled".to_owned())
    );
    assert_eq!(server.connections(), 0);
}

on_both!(cancelling_a_call_that_is_over_harms_no_other);
fn cancelling_a_call_that_is_over_harms_no_other() {
    let server = Server::saying(OK);
    let transport = server.transport();
    let cancel = Cancel::new();
    assert_eq!(whole(send_with(&transport, &cancel).unwrap()).unwrap(), "ok");
    assert!(!cancel.is_watched());
    let mut second = send(&transport, &post("{}")).unwrap();
    assert!(second.observed().reused);
    cancel.cancel();
    assert_eq!(second.read().unwrap(), Some(&b"ok"[..]));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_pause_ends_when_the_call_is_cancelled() {
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| cancel.pause(Duration::from_secs(3600)));
        cancel.cancel();
        pause.join().unwrap();
    });
    // Nor does one begin after that.
    cancel.pause(Duration::from_secs(3600));
}
