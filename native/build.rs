//! Puts the previewer's page into the program if a built one is named: `VMCP_PREVIEW_PAGE=…/vmcp-preview.html`.
//!
//! It builds no page: that needs Node, and building the program must not.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=VMCP_PREVIEW_PAGE");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?).join("preview.html");
    let page = match env::var_os("VMCP_PREVIEW_PAGE").filter(|path| !path.is_empty()) {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", Path::new(&path).display());
            fs::read(&path).map_err(|why| format!("{}: {why}", Path::new(&path).display()))?
        }
        None => Vec::new(),
    };
    fs::write(&out, page).map_err(|why| format!("{}: {why}", out.display()))
}
