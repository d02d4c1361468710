//! Names, addresses, and what is said when none can be reached.

use super::*;

/// A port of loopback on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn transport_to(addresses: Vec<SocketAddr>, port: u16) -> Either {
    let resolver = Resolver::with(move |_, _| Ok(addresses.clone()));
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse(&format!("http://backend.example:{port}/mcp")).unwrap();
    let dialer = Dialer::with(resolver, Proxies::none(), [Arc::clone(&tls), tls]);
    Either::with(&endpoint, &Credentials::Unauthenticated, &[], dialer, &plain()).unwrap()
}

on_both!(the_next_address_is_tried);
fn the_next_address_is_tried() {
    let server = Server::saying(OK);
    let port = server.address.port();
    let dead: IpAddr = "127.0.0.77".parse().unwrap();
    let transport = transport_to(vec![SocketAddr::new(dead, port), server.address], port);
    let response = send(&transport, &post("{}")).unwrap();
    assert_eq!(response.observed().address, Some(server.address));
    assert!(server.got()[0].head.contains(&format!("\r\nhost: backend.example:{port}\r\n")));
}

on_both!(the_address_that_answered_goes_first_from_then_on);
fn the_address_that_answered_goes_first_from_then_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = listener.local_addr().unwrap();
    let dead = SocketAddr::new("127.0.0.77".parse().unwrap(), live.port());
    let transport = transport_to(vec![dead, live], live.port());
    let once = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream).unwrap();
        say(&mut stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    });
    assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
    once.join().unwrap();
    // Nobody listens any more: the refusals stand in the order in which the addresses were tried.
    let failure = send(&transport, &post("{}")).unwrap_err();
    assert_eq!(
        failure.message.replace(&live.port().to_string(), "PORT"),
        "connecting to backend.example:PORT: 127.0.0.1: connection refused; 127.0.0.77: connection refused"
    );
}

on_both!(every_address_that_was_tried_is_named);
fn every_address_that_was_tried_is_named() {
    let port = closed_port();
    let [first, second] = ["127.0.0.1", "127.0.0.77"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    let text = |addresses| {
        let failure = send(&transport_to(addresses, port), &post("{}")).unwrap_err();
        assert_eq!((failure.stage, failure.sent), (Stage::Connect, Sent::Nothing));
        failure.message.replace(&port.to_string(), "PORT")
    };
    assert_eq!(text(vec![first]), "connecting to backend.example:PORT at 127.0.0.1: connection refused");
    assert_eq!(
        text(vec![first, second]),
        "connecting to backend.example:PORT: 127.0.0.1: connection refused; 127.0.0.77: connection refused"
    );
}

on_both!(an_unknown_name_is_said);
fn an_unknown_name_is_said() {
    let resolver = Resolver::with(|_, _| Err(std::io::Error::other("Name or service not known")));
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse("https://gone.example/mcp").unwrap();
    let dialer = Dialer::with(resolver, Proxies::none(), [Arc::clone(&tls), tls]);
    let transport = Either::with(&endpoint, &Credentials::Unauthenticated, &[], dialer, &plain()).unwrap();
    let failure = send(&transport, &post("{}")).unwrap_err();
    assert_eq!(
        (failure.stage, failure.sent, failure.message.as_str()),
        (Stage::Resolve, Sent::Nothing, "looking up `gone.example`: name or service not known")
    );
}
