//! What others keep where a data directory is about to be made.

use std::path::Path;

use mainstay_store::database::DATABASE_FILE;

use crate::terminal::note;

/// Says a word about a directory that holds files of others, before Mainstay's are put beside them.
pub(super) fn tell(data: &Path) {
    if let Some(text) = found(data) {
        note(text);
    }
}

/// What a data directory has: a lock from its first moment on, and without one the other two if it was restored.
const OWN: [&str; 3] = ["lock", DATABASE_FILE, "keys"];

fn found(data: &Path) -> Option<String> {
    if OWN.iter().any(|name| data.join(name).exists()) {
        return None;
    }
    let mut names: Vec<String> = std::fs::read_dir(data)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name != "lost+found")
        .collect();
    names.sort_unstable();
    let first = names.first()?;
    let place = data.display();
    if names.iter().any(|name| name == "mlflow.db") {
        return Some(format!(
            "note: {place} holds mlflow.db, which is a stock MLflow server's and is left alone; \
             `mainstay import mlflow --db sqlite:///{} --data NEW-DIR` brings over what it keeps",
            data.join("mlflow.db").display()
        ));
    }
    let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
    Some(format!("note: {place} holds files that are not Mainstay's ({first}{more}); they are left alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_named_and_own_ones_are_not() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(found(&place.path().join("none")), None);
        assert_eq!(found(place.path()), None);
        std::fs::write(place.path().join("a.txt"), "").unwrap();
        std::fs::write(place.path().join("b.txt"), "").unwrap();
        assert!(found(place.path()).unwrap().contains("(a.txt and 1 more)"));
        std::fs::write(place.path().join("mlflow.db"), "").unwrap();
        assert!(found(place.path()).unwrap().contains("mainstay import mlflow --db sqlite:///"));
        std::fs::write(place.path().join("lock"), "").unwrap();
        assert_eq!(found(place.path()), None);
    }
}
