//! `mainstay init`: the whole loop for a file of the user's own.

use std::process::ExitCode;

use mainstay_scaffold::Wishes;
use serde_json::json;

use crate::Failed;
use crate::terminal::{note, say};

/// Carries the wishes out.
pub(super) fn run(wishes: &Wishes, json: bool) -> Result<ExitCode, Failed> {
    let written = wishes.write(&|line| note(line))?;
    if json {
        let (name, folder, next) = (&written.name, &written.folder, &written.next);
        let all = json!({
            "name": name, "folder": folder, "files": written.files, "synthetic_time": wishes.time.is_none(), "next": next,
        });
        say(all.to_string());
    } else {
        written.notes.iter().for_each(|line| note(format!("· {line}")));
        say(format!(
            "{} is ready; its README.md says what to look at. Next:\n\n    {}",
            written.folder.display(),
            written.next
        ));
    }
    Ok(ExitCode::SUCCESS)
}
