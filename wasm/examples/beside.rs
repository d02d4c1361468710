//! Prints what stands beside the module: `types` (TypeScript of the answers, from the declarations that make their JSON), `words`
//! (the long texts, which the module does not carry) or `schema` (the JSON Schema of the configuration).
//!
//! It is a step of the build, and no part of the module.

#![expect(clippy::print_stdout, reason = "this is a program whose result is what it prints")]

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("words") => print!("{}", vmcp_core::words::all()),
        Some("schema") => println!("{:#}", vmcp_core::config::schema::schema()),
        _ => {
            print!("// Made from the declarations in core/src/preview/view.rs.\n\n{}", vmcp_core::preview::typescript())
        }
    }
}
