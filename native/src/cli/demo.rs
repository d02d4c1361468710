//! `vmcp demo`: the whole story on one machine, in a second: two private CAs, two MCP servers behind them, the operator's
//! ConfigMap, the gateway, and a call through it to each.
//!
//! What it runs is in [`crate::demo`]; the gateway is the one that `vmcp serve` starts.

mod proof;
mod stage;

use super::{Global, Unjudged, Verdict, note, print};
use crate::render::human::Paint;
use crate::server::{self, Offer, Options, Server, Signals, StartError};
use proof::Proof;
use stage::Stage;

/// Show the whole story: two private-CA servers behind one gateway, with proof
///
/// Mints two private certificate authorities, starts two MCP servers over HTTPS on loopback (one of them streams its
/// answers, one wants an API key), writes the ConfigMap and the CA bundles as the operator does to a temporary folder, serves
/// it, calls a tool of each server through the gateway, and keeps running until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp demo              then paste what it prints into an MCP client
  vmcp demo --once       stop after the proof

Exit codes:
  0  every call was answered as it should be
  1  the proof failed
  2  the demonstration could not start")]
pub(super) struct DemoArgs {
    /// Stop after the proof
    #[arg(long)]
    once: bool,
    /// Port of the gateway; without it 4483, or a free one if that is taken
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// Why the demonstration could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The folder, a file in it, or a server.
    #[error("{what}")]
    Io {
        /// What could not be done.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificates.
    #[error(transparent)]
    Mint(#[from] crate::demo::authority::MintError),
    /// The gateway.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// What the demonstration wrote is refused. That is a fault of this program.
    #[error("the demonstration's own configuration is refused: {0}")]
    Configuration(String),
}

pub(super) fn run(args: &DemoArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let paint = Paint::new(global.color.on(&std::io::stdout()));
    note(global, "minting two certificate authorities, starting two servers and a gateway …");
    let stage = Stage::set().map_err(Unjudged::Demo)?;
    let gateway = open(&stage, args.port).map_err(Unjudged::Demo)?;
    let url = format!("http://{}/mcp", gateway.address());
    print(&stage.describe(&url, paint))?;
    let proof = Proof::make(&stage, &url).map_err(Unjudged::Demo)?;
    print(&proof.describe(paint))?;
    if !proof.holds() {
        gateway.stop();
        return Ok(Verdict::Wrong);
    }
    if args.once {
        gateway.stop();
        return Ok(Verdict::Fine);
    }
    print(&stage.invite(&url, paint))?;
    gateway.run();
    Ok(Verdict::Fine)
}

/// Serves what the stage's ConfigMap says.
fn open(stage: &Stage, port: Option<u16>) -> Result<Server, DemoError> {
    let (config, catalog) = stage.catalog()?;
    let unsound = || DemoError::Configuration("`incomingAuth` is not sound".to_owned());
    let incoming = catalog.incoming.ok_or_else(unsound)?;
    let offer = Offer::new(&config.effective(), incoming, catalog.backends);
    let on = |port| server::start(offer.clone(), &Options { port, signals: Signals::Stop, ..Options::default() });
    match port {
        Some(port) => Ok(on(port)?),
        None => match on(Options::default().port) {
            Err(StartError::Listen { .. }) => Ok(on(0)?),
            started => Ok(started?),
        },
    }
}
