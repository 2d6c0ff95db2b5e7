//! How the program ends that was given arguments it does not know.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use mainstay_cli::terminal::note;
use mainstay_cli::{Exit, misuse};

/// What other servers call their address.
const ADDRESS: [&str; 4] = ["--port", "--host", "-p", "--bind"];

/// Tells what was wrong, on standard error, or what was asked for, such as help.
pub(super) fn end(error: Error) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let error = advised(error, arguments.iter().any(|argument| argument == "up"));
    let is_help = !error.use_stderr();
    if !is_help && arguments.iter().any(|argument| argument == "--json") {
        note(misuse(&error.render().to_string()));
        return Exit::Usage.into();
    }
    // Nobody is there to be told that it could not be told.
    drop(error.print());
    if is_help { Exit::Done.into() } else { Exit::Usage.into() }
}

/// Whoever knows other servers looks for `--port`.
fn advised(mut error: Error, is_up: bool) -> Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if error.kind() == ErrorKind::UnknownArgument => {
            argument.clone()
        }
        _ => return error,
    };
    if is_up && ADDRESS.contains(&unknown.as_str()) {
        let tip = "the address is one option: --listen HOST:PORT, such as --listen 127.0.0.1:5001";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.to_owned().into()]));
        error.remove(ContextKind::SuggestedArg);
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    #[test]
    fn whoever_looks_for_the_port_is_shown_the_address() {
        for arguments in [["mainstay", "up", "--port", "5001"], ["mainstay", "up", "--host", "0.0.0.0"]] {
            let error = Cli::command().try_get_matches_from(arguments).unwrap_err();
            assert!(
                advised(error, true).render().to_string().contains("--listen HOST:PORT"),
                "{arguments:?}"
            );
        }
        let other = Cli::command().try_get_matches_from(["mainstay", "up", "--wrong"]).unwrap_err();
        assert!(!advised(other, true).render().to_string().contains("--listen HOST:PORT"));
    }
}
