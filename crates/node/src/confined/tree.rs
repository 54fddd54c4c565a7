use std::io::{self, Read};
use std::path::Path;

use domain::plan::{READ, Tree};

/// Larger files than this are no Procfile and no package.json.
const TEXT_MAX: u64 = 1 << 20;

/// What the planner wants to know of a directory.
pub(super) fn read(directory: &Path) -> io::Result<Tree> {
    let mut tree = Tree::default();
    for entry in std::fs::read_dir(directory)? {
        tree.names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    for name in READ {
        let Ok(file) = std::fs::File::open(directory.join(name)) else { continue };
        let mut bytes = Vec::new();
        file.take(TEXT_MAX).read_to_end(&mut bytes)?;
        tree.texts.insert(name.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(tree)
}
