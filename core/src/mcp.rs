//! MCP as values: envelopes, events, HTTP messages and the exchanges made of them. No sockets, no clock.

pub mod http;
