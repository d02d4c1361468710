//! Connections are used again, replaced and given up.

use super::*;

on_both!(a_connection_is_used_again);
fn a_connection_is_used_again() {
    let server = Server::saying(OK);
    let transport = server.transport();
    let first = send(&transport, &post("{}")).unwrap();
    let observed = first.observed();
    assert_eq!((first.head.status, observed.reused, observed.address), (200, false, Some(server.address)));
    assert!(observed.connect.is_some() && observed.resolve.is_some() && observed.first_byte.is_some());
    assert_eq!(whole(first).unwrap(), "ok");
    let second = send(&transport, &post("{}")).unwrap();
    let observed = second.observed();
    assert_eq!((observed.reused, observed.address, observed.connect), (true, Some(server.address), None));
    assert_eq!(whole(second).unwrap(), "ok");
    assert_eq!(server.connections(), 1);
}

on_both!(a_connection_whose_answer_was_not_read_is_not_used_again);
fn a_connection_whose_answer_was_not_read_is_not_used_again() {
    let server = Server::saying(OK);
    let transport = server.transport();
    drop(send(&transport, &post("{}")).unwrap());
    assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

on_both!(bytes_after_an_answer_end_its_connection);
fn bytes_after_an_answer_end_its_connection() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    );
    let transport = server.transport();
    assert_eq!(call(&transport, &post("1")).unwrap(), "ok");
    assert_eq!(call(&transport, &post("2")).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

on_both!(head_and_body_leave_in_one_write);
fn head_and_body_leave_in_one_write() {
    let (sizes, first) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 1 << 16];
        // Loopback delivers one write as one read of what is there; the first wakes this thread.
        let n = stream.read(&mut bytes).unwrap();
        sizes.send(String::from_utf8_lossy(&bytes[..n]).into_owned()).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    call(&transport(&format!("http://{address}/"), &plain()), &post("{\"the\":\"body\"}")).unwrap();
    assert!(first.recv().unwrap().ends_with("\r\n\r\n{\"the\":\"body\"}"));
}

on_both!(a_large_body_arrives_whole);
fn a_large_body_arrives_whole() {
    let server = Server::saying(OK);
    let body = "x".repeat(1 << 20);
    assert_eq!(call(&server.transport(), &post(&body)).unwrap(), "ok");
    assert!(server.got()[0].body == body);
}

on_both!(an_idle_connection_that_was_closed_is_replaced);
fn an_idle_connection_that_was_closed_is_replaced() {
    // The server closes after each answer without having said so; the end of its thread is waited for.
    let (closed, wait) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream).unwrap();
            say(&mut stream, OK);
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let transport = transport(&format!("http://{address}/"), &plain());
    for _ in 0..3 {
        let response = send(&transport, &post("{}")).unwrap();
        assert!(!response.observed().reused);
        assert_eq!(whole(response).unwrap(), "ok");
        wait.recv().unwrap();
    }
}

/// Answers the first request of the first connection, reads the second and closes without a word.
fn closing_on_the_second() -> Server {
    Server::new(|stream, got| match (got.connection, got.body.as_str(), got.head.starts_with("POST")) {
        (0, "first", _) => say(stream, OK),
        (0, ..) => Then::Close,
        _ => say(stream, OK),
    })
}

on_both!(a_message_that_the_backend_may_have_seen_is_not_sent_again);
fn a_message_that_the_backend_may_have_seen_is_not_sent_again() {
    let server = closing_on_the_second();
    let transport = server.transport();
    assert_eq!(call(&transport, &post("first")).unwrap(), "ok");
    assert_eq!(
        failure(send(&transport, &post("second")), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT closed the connection without an answer".to_owned())
    );
    assert_eq!(server.got().len(), 2);
}

on_both!(a_list_or_a_handshake_is_asked_again_on_a_new_connection);
fn a_list_or_a_handshake_is_asked_again_on_a_new_connection() {
    let server = closing_on_the_second();
    let transport = server.transport();
    assert_eq!(call(&transport, &post("first")).unwrap(), "ok");
    let list = Request { twice: Twice::Harmless, ..post("second") };
    let response = send(&transport, &list).unwrap();
    assert!(!response.observed().reused);
    assert_eq!(whole(response).unwrap(), "ok");
    assert_eq!(server.got().len(), 3);
}

on_both!(a_request_without_effect_is_made_again_on_a_new_connection);
fn a_request_without_effect_is_made_again_on_a_new_connection() {
    let server = closing_on_the_second();
    let transport = server.transport();
    assert_eq!(call(&transport, &post("first")).unwrap(), "ok");
    let response = send(&transport, &request(Method::Get)).unwrap();
    assert!(!response.observed().reused);
    assert_eq!(whole(response).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn only_what_does_nothing_twice_is_repeated() {
    let call = |connections| {
        let endpoint = Endpoint::parse("http://a.example/").unwrap();
        Call::new(endpoint, Timeouts::default(), None, Cancel::new(), connections)
    };
    let failed = |stage, sent| Failure { stage, sent, message: String::new() };
    let (reused, new) = (Observed { reused: true, ..Observed::default() }, Observed::default());
    let unsent = failed(Stage::Send, Sent::Nothing);
    let unanswered = failed(Stage::FirstByte, Sent::Maybe);
    let any = call(Connections::IdleOrNew);
    assert!(may_repeat(&unsent, Twice::Acts, &any, &reused));
    assert!(!may_repeat(&unanswered, Twice::Acts, &any, &reused));
    assert!(may_repeat(&unanswered, Twice::Harmless, &any, &reused));
    assert!(!may_repeat(&unsent, Twice::Acts, &any, &new));
    assert!(!may_repeat(&unsent, Twice::Acts, &call(Connections::New), &reused));
    assert!(!may_repeat(&failed(Stage::Body, Sent::Maybe), Twice::Harmless, &any, &reused));
    assert!(!may_repeat(&failed(Stage::Cancelled, Sent::Nothing), Twice::Acts, &any, &reused));
    any.note_answered();
    assert!(!may_repeat(&unanswered, Twice::Harmless, &any, &reused));
    let late = call(Connections::IdleOrNew);
    let until = late.until(Some(Duration::ZERO), Instant::now());
    let unanswered = late.broken(Stage::FirstByte, until, &std::io::ErrorKind::TimedOut.into());
    assert!(!may_repeat(&unanswered, Twice::Harmless, &late, &reused));
}

on_both!(a_new_connection_that_fails_is_not_tried_twice);
fn a_new_connection_that_fails_is_not_tried_twice() {
    let server = Server::new(|_, _| Then::Close);
    assert_eq!(
        failure(send(&server.transport(), &request(Method::Get)), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT closed the connection without an answer".to_owned())
    );
    assert_eq!(server.connections(), 1);
}

on_both!(an_answer_that_comes_before_the_request_is_read_is_heard);
fn an_answer_that_comes_before_the_request_is_read_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 64];
        stream.read_exact(&mut first).unwrap();
        say(&mut stream, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for_end(&mut stream);
    });
    let transport = transport(&format!("http://{address}/"), &plain());
    let response = send(&transport, &post(&"x".repeat(8 << 20))).unwrap();
    assert_eq!(response.head.status, 413);
    assert_eq!(whole(response).unwrap(), "big");
}

#[cfg(feature = "server")]
#[test]
fn an_idle_connection_is_alive_and_gone_at_once_when_its_server_closes_it() {
    let (close, may) = mpsc::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream).unwrap();
        say(&mut stream, OK);
        may.recv().unwrap();
    });
    KIND.set(Kind::Tasks);
    let transport = transport(&format!("http://{address}/"), &plain());
    assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
    let Either::Tasks(tasks) = &transport else { unreachable!("tasks were asked for") };
    assert_eq!(tasks.idle_connections(), 1);
    let set = tasks.look_at_idle(|socket| (socket.keepalive().unwrap(), socket.tcp_nodelay().unwrap()));
    assert_eq!(set, Some((true, true)));
    close.send(()).unwrap();
    // Nobody asks for it: its end is noticed all the same. A test that hangs here has found that it is not.
    while tasks.idle_connections() > 0 {
        std::thread::yield_now();
    }
}
