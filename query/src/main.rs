//! The `spanfile` command.

#![forbid(unsafe_code)]

/// A line on stderr. Nobody may be listening there any more, and that must not stop the work.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        // Messages quote what traces, files and statements hold, which a terminal would obey.
        let text = $crate::commands::without_controls(&format!($($arg)*));
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }};
}

mod cli;
mod commands;
mod repl;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Planning recurses with the depth of an expression, and a chain of a thousand conditions is that deep.
pub(crate) const STACK_BYTES: usize = 256 << 20;

fn main() -> ExitCode {
    // A panic on a damaged page is caught in the store and becomes an error that says where; its own message would
    // only frighten. One that nobody catches is told below.
    let last = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&last);
    std::panic::set_hook(Box::new(move |panic| {
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let run = || match cli::parse(std::env::args_os()) {
        Ok(cli) => commands::run(cli),
        Err(code) => code,
    };
    let code = match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(_)) => {
            say!("spanfile: internal error: {}", last.lock().unwrap_or_else(PoisonError::into_inner));
            commands::exit::FAILED
        }
        Err(e) => {
            say!("spanfile: cannot start a thread: {e}");
            commands::exit::FAILED
        }
    };
    ExitCode::from(code)
}
