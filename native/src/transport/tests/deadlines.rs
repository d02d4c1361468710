//! Deadlines of every stage.

use super::*;

const SHORT: Duration = Duration::from_millis(40);

on_both!(a_server_that_never_answers_is_left);
fn a_server_that_never_answers_is_left() {
    let server = Server::silent();
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    assert_eq!(
        failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT gave no answer for 40ms".to_owned())
    );
    let timeouts = Timeouts { total: Some(SHORT), ..Timeouts::default() };
    assert_eq!(
        failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address),
        (Stage::FirstByte, Sent::Maybe, "the call took more than 40ms; HOST:PORT had not answered".to_owned())
    );
}

on_both!(a_head_that_drips_is_late_as_a_whole);
fn a_head_that_drips_is_late_as_a_whole() {
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\n");
        // Until the client goes: the write fails.
        while let Then::Next = say(stream, "x: y\r\n") {
            std::thread::yield_now();
        }
        Then::Close
    });
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    let (stage, _, text) = failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address);
    // Whichever bound is met first, the head is not read for ever.
    assert_eq!(stage, Stage::FirstByte);
    assert!(
        [
            "HOST:PORT gave no answer for 40ms",
            "the answer of HOST:PORT has a head of more than 65536 bytes, all that are read",
            "the answer of HOST:PORT has more than 128 header lines, all that are read"
        ]
        .contains(&text.as_str()),
        "{text}"
    );
}

on_both!(a_body_that_stops_is_left);
fn a_body_that_stops_is_left() {
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok");
        wait_for_end(stream)
    });
    for (timeouts, message) in [
        (Timeouts { idle: Some(SHORT), ..Timeouts::default() }, "HOST:PORT sent no more of its answer for 40ms"),
        (
            Timeouts { idle: None, total: Some(SHORT), ..Timeouts::default() },
            "the call took more than 40ms; the answer of HOST:PORT had not ended",
        ),
    ] {
        let mut response = server.transport().send(&post("{}"), &timeouts, &Cancel::new()).unwrap();
        assert_eq!(response.read().unwrap(), Some(&b"ok"[..]));
        let late = response.read().map(|_| ());
        assert_eq!(failure(late, server.address), (Stage::Body, Sent::Maybe, message.to_owned()));
    }
}

on_both!(an_address_that_does_not_answer_is_left);
fn an_address_that_does_not_answer_is_left() {
    let full = Full::new();
    let timeouts = Timeouts { connect: SHORT, ..Timeouts::default() };
    let transport = transport(&format!("http://{}/", full.address), &plain());
    let (result, observed) = transport.observe(&post("{}"), &timeouts, &Cancel::new());
    assert_eq!(
        failure(result, full.address),
        (Stage::Connect, Sent::Nothing, "connecting to HOST:PORT: no answer within 40ms".to_owned())
    );
    assert!(observed.resolve.is_some() && observed.connect.is_none());
}

on_both!(a_backend_that_does_not_take_a_message_is_left);
fn a_backend_that_does_not_take_a_message_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let transport = transport(&format!("http://{address}/"), &plain());
    let timeouts = Timeouts { idle: Some(SHORT), ..Timeouts::default() };
    let body = "x".repeat(32 << 20);
    assert_eq!(
        failure(transport.send(&post(&body), &timeouts, &Cancel::new()), address),
        (Stage::Send, Sent::Maybe, "HOST:PORT took no more of the request for 40ms".to_owned())
    );
}

on_both!(a_handshake_that_never_comes_is_left);
fn a_handshake_that_never_comes_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let transport = transport(&format!("https://{address}/"), &plain());
    let timeouts = Timeouts { tls: SHORT, ..Timeouts::default() };
    assert_eq!(
        failure(transport.send(&post("{}"), &timeouts, &Cancel::new()), address),
        (Stage::Tls, Sent::Nothing, "the TLS handshake with HOST:PORT took more than 40ms".to_owned())
    );
}

/// Answers once it is told to, until when it says nothing.
fn answering_when_told() -> (Server, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Server::new(move |stream, _| {
        told.lock().unwrap().recv().unwrap();
        say(stream, OK)
    });
    (server, tell)
}

on_both!(silence_that_is_excused_ends_no_call);
fn silence_that_is_excused_ends_no_call() {
    let (server, tell) = answering_when_told();
    let transport = server.transport();
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    let cancel = Cancel::new();
    cancel.excuse_silence(Duration::from_secs(3600));
    std::thread::scope(|scope| {
        let kind = KIND.get();
        let (transport, timeouts, cancel) = (&transport, &timeouts, &cancel);
        let waits = scope.spawn(move || {
            KIND.set(kind);
            whole(transport.send(&post("{}"), timeouts, cancel)?)
        });
        while server.got().is_empty() {
            std::thread::yield_now();
        }
        // Well past the deadline that would end it.
        std::thread::sleep(3 * SHORT);
        assert!(!waits.is_finished());
        tell.send(()).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), "ok");
    });
}

on_both!(silence_that_counts_again_does_so_from_nothing);
fn silence_that_counts_again_does_so_from_nothing() {
    let server = Server::silent();
    let transport = server.transport();
    let timeouts = Timeouts { first_byte: 5 * SHORT, ..Timeouts::default() };
    let (cancel, address) = (Cancel::new(), server.address);
    cancel.excuse_silence(Duration::from_secs(3600));
    std::thread::scope(|scope| {
        let kind = KIND.get();
        let (transport, timeouts, cancel) = (&transport, &timeouts, &cancel);
        let waits = scope.spawn(move || {
            KIND.set(kind);
            let begun = Instant::now();
            (failure(transport.send(&post("{}"), timeouts, cancel), address), begun.elapsed())
        });
        while server.got().is_empty() {
            std::thread::yield_now();
        }
        std::thread::sleep(3 * SHORT);
        cancel.count_silence();
        let (failed, took) = waits.join().unwrap();
        assert_eq!(failed, (Stage::FirstByte, Sent::Maybe, "HOST:PORT gave no answer for 200ms".to_owned()));
        assert!(took >= 8 * SHORT, "{took:?}");
    });
}
