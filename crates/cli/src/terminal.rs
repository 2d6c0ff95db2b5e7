//! Words to the person at the terminal: the only place that prints.

use std::io::{self, Write as _};

/// Prints a line of result to standard output. A reader that has gone away (`| head`) is no error.
pub fn say(line: impl AsRef<str>) {
    drop(writeln!(io::stdout().lock(), "{}", line.as_ref()));
}

/// Prints a result as it is. A reader that has gone away is no error.
pub fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    drop(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Prints a line of progress or explanation to standard error.
pub fn note(line: impl AsRef<str>) {
    drop(writeln!(io::stderr().lock(), "{}", line.as_ref()));
}
