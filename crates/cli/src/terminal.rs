//! Words to the person at the terminal: the only place that prints.

use std::io::{self, Write as _};

/// Prints a line of result to standard output. A reader that has gone away (`| head`) is no error.
pub fn say(line: impl AsRef<str>) {
    drop(writeln!(io::stdout().lock(), "{}", line.as_ref()));
}

/// Prints a line of progress or explanation to standard error.
pub fn note(line: impl AsRef<str>) {
    drop(writeln!(io::stderr().lock(), "{}", line.as_ref()));
}
