//! The core for JavaScript, in a browser or in Node: text in, JSON out.
//!
//! There is no logic here. Each feature is a build of its own: `preview` for the page, `exchange` for hosts that call servers. Of
//! the standard library only `alloc` is carried: the words of a panic would be a tenth of the module, and nobody could read them.

#![no_std]

extern crate alloc;
// Elsewhere than in WebAssembly the crate is only checked, and takes its panics from there.
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[cfg(feature = "exchange")]
pub mod exchange;
#[cfg(feature = "preview")]
pub mod preview;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the module where it is: the host sees a `RuntimeError` and throws the instance away.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
