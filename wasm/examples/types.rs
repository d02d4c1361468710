//! Prints `preview.d.ts`: the TypeScript of the answers, from the declarations that make their JSON.
//!
//! It is a step of the build, and no part of the module.

#![expect(clippy::print_stdout, reason = "this is a program whose result is what it prints")]

fn main() {
    print!("// Made from core/src/preview/view.rs by wasm/examples/types.rs.\n\n{}", vmcp_core::preview::typescript());
}
