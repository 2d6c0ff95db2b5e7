//! `mainstay completion`: a script by which a shell completes commands and options.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::terminal::print;

/// Prints a script by which a shell completes commands and options; it talks to nobody.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  mainstay completion bash > ~/.local/share/bash-completion/completions/mainstay
  mainstay completion zsh > \"${fpath[1]}/_mainstay\"
  mainstay completion fish > ~/.config/fish/completions/mainstay.fish";

/// What the program is called.
const NAME: &str = "mainstay";

impl Completion {
    /// Prints the script for the whole program, as `command` has it.
    pub fn run(&self, command: &Command) -> ExitCode {
        let mut script = Vec::new();
        generate(self.shell, &mut visible(command), NAME, &mut script);
        print(&script);
        ExitCode::SUCCESS
    }
}

/// The same without what is hidden.
fn visible(command: &Command) -> Command {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments().cloned())
        .subcommands(below.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_not_proposed() {
        let command = Command::new("mainstay")
            .subcommand(Command::new("runs").subcommand(Command::new("list")))
            .subcommand(Command::new("__step").hide(true));
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            generate(shell, &mut visible(&command), "mainstay", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(
                script.contains("runs") && script.contains("list") && !script.contains("__step"),
                "{shell}"
            );
        }
    }
}
