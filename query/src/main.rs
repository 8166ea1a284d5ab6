//! The `spanfile` command.

#![forbid(unsafe_code)]

mod cli;
mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(cli) => ExitCode::from(commands::run(cli)),
        Err(code) => ExitCode::from(code),
    }
}
