use super::{Found, PlanError, Tree};

/// Files that are served as they are.
pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    for (file, directory) in [("index.html", ""), ("public", "public")] {
        if tree.has(file) {
            let mut found = Found::new("static", format!("static site: {file} is there"));
            let served = if directory.is_empty() { "the files" } else { "the files in `public`" };
            found.serve = Some((directory.to_owned(), format!("serve {served}: there is nothing to run")));
            return Ok(Some(found));
        }
    }
    Ok(None)
}
