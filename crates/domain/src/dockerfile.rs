//! What a Dockerfile would have the engine itself do, beyond the network that its commands are given: fetch images, and files
//! for `ADD`. That is looked at before the engine sees it.
//!
//! Not a parser: it reads lines as the engine's classic builder joins them, and in doubt refuses.

use std::collections::{BTreeMap, BTreeSet};

use ids::ImageReference;

/// What is needed of a Dockerfile.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Images that it begins with or copies from, each once.
    pub images: Vec<ImageReference>,
    /// Names of the arguments that it declares.
    pub arguments: BTreeSet<String>,
}

/// Why it is not built, with a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "line `{0}` has the container engine fetch a file by itself, outside of the project's network policy; use `RUN` with curl or \
         wget instead, or copy the file from the repository"
    )]
    RemoteAdd(String),
    #[error("line `{0}` names no image that could be fetched: {1}")]
    Image(String, String),
    #[error("line `{0}` names an image of this node's own or by its id; name one of a registry")]
    LocalImage(String),
    #[error(
        "the Dockerfile says `{0}`, which only BuildKit does; leave it out: the node builds with the engine's classic builder"
    )]
    NeedsBuildKit(String),
    #[error("the Dockerfile has no FROM line")]
    Empty,
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::RemoteAdd(_) => "REMOTE_ADD_REFUSED",
            Self::Image(..) | Self::LocalImage(_) => "INVALID_IMAGE",
            Self::NeedsBuildKit(_) => "BUILDKIT_NEEDED",
            Self::Empty => "INVALID_DOCKERFILE",
        }
    }
}

/// Looks at a whole Dockerfile.
pub fn read(text: &str) -> Result<Dockerfile, Refused> {
    // Whichever of the two its first lines make the escape character: what either could mean is looked at.
    for escape in ['\\', '`'] {
        for line in joined(text, escape) {
            refuse_remote_add(&line)?;
        }
    }
    for line in text.lines() {
        refuse_remote_add(line)?;
    }
    let mut found = Dockerfile::default();
    let mut stages = BTreeSet::new();
    let mut globals = BTreeMap::new();
    let mut begun = false;
    for line in joined(text, escape_of(text)) {
        let (word, rest) = split(&line);
        match word.to_ascii_uppercase().as_str() {
            "FROM" => {
                begun = true;
                let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
                let image = expand(words.next().unwrap_or_default(), &globals);
                found.need(&line, &image, &stages)?;
                if let (Some("AS"), Some(name)) = (words.next().map(str::to_ascii_uppercase).as_deref(), words.next()) {
                    stages.insert(name.to_ascii_lowercase());
                }
            }
            "ARG" => {
                for argument in rest.split_whitespace() {
                    let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
                    found.arguments.insert(name.to_owned());
                    if !begun {
                        globals.insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
                    }
                }
            }
            "COPY" | "ADD" => {
                if let Some(from) = rest.split_whitespace().find_map(|word| word.strip_prefix("--from=")) {
                    let is_stage = stages.contains(&from.to_ascii_lowercase()) || from.parse::<usize>().is_ok();
                    if !is_stage {
                        found.need(&line, &expand(from, &globals), &stages)?;
                    }
                }
            }
            "RUN" if rest.trim_start().starts_with("--mount") => {
                return Err(Refused::NeedsBuildKit("RUN --mount".into()));
            }
            _ => {}
        }
    }
    if begun { Ok(found) } else { Err(Refused::Empty) }
}

impl Dockerfile {
    fn need(&mut self, line: &str, image: &str, stages: &BTreeSet<String>) -> Result<(), Refused> {
        if image == "scratch" || stages.contains(&image.to_ascii_lowercase()) {
            return Ok(());
        }
        let reference =
            image.parse::<ImageReference>().map_err(|error| Refused::Image(shown(line), error.to_string()))?;
        // The engine takes the beginning of an image's id for its name, and ours are named after other projects.
        let like_an_id = !image.contains(['/', ':', '@', '.']) && image.bytes().all(|byte| byte.is_ascii_hexdigit());
        if like_an_id || image.starts_with("nanoscale-") {
            return Err(Refused::LocalImage(shown(line)));
        }
        if !self.images.contains(&reference) {
            self.images.push(reference);
        }
        Ok(())
    }
}

/// Whether what an image does when it is built upon could have the engine fetch something.
pub fn check_trigger(trigger: &str) -> Result<(), Refused> {
    refuse_remote_add(trigger)
}

fn refuse_remote_add(line: &str) -> Result<(), Refused> {
    let (mut word, mut rest) = split(line);
    if word.eq_ignore_ascii_case("ONBUILD") {
        (word, rest) = split(rest);
    }
    // What a variable stands for is known to the engine.
    let leads_away = rest.contains("://") || rest.contains('$') || rest.contains("git@");
    if word.eq_ignore_ascii_case("ADD") && leads_away {
        return Err(Refused::RemoteAdd(shown(line)));
    }
    Ok(())
}

/// The first word, and what follows it.
fn split(line: &str) -> (&str, &str) {
    let line = line.trim_start_matches(['\u{feff}', ' ', '\t', '\r']);
    line.split_once(char::is_whitespace).unwrap_or((line, ""))
}

fn shown(line: &str) -> String {
    line.trim().chars().take(120).collect()
}

fn escape_of(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let escapes = directives.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("escape").then(|| value.trim() == "`")
    });
    if escapes.into_iter().next().unwrap_or(false) { '`' } else { '\\' }
}

/// Its lines without comments, those that go on put together.
fn joined(text: &str, escape: char) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let is_comment = line.trim_start().starts_with('#');
        if is_comment || (open.is_some() && line.trim().is_empty()) {
            continue;
        }
        let mut whole = open.take().unwrap_or_default();
        match line.trim_end().strip_suffix(escape) {
            Some(beginning) => {
                whole.push_str(beginning);
                open = Some(whole);
            }
            None => {
                whole.push_str(line);
                lines.push(whole);
            }
        }
    }
    lines.extend(open);
    lines
}

/// `$NAME`, `${NAME}` and `${NAME:-default}`, as FROM has them.
fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let value = |name: &str| values.get(name).cloned().unwrap_or_default();
    let mut expanded = String::new();
    let mut rest = text.trim_matches(['"', '\'']);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some((inside, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            let found = value(name);
            expanded.push_str(if found.is_empty() { default } else { &found });
            rest = after;
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            expanded.push_str(&value(&after[..end]));
            rest = &after[end..];
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Vec<String> {
        read(text).unwrap().images.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_image_is_found() {
        let text = "# syntax=docker/dockerfile:1\nARG VERSION=20\nARG BASE\nFROM --platform=linux/amd64 node:${VERSION} AS Build\n\
                    ARG KEY\nRUN npm ci && \\\n # a comment\n npm run build\nFROM ${BASE:-nginx}\nCOPY --from=build /a /b\n\
                    COPY --from=ghcr.io/owner/tool:1 /t /t\nCOPY --from=0 /x /x\nFROM build\nFROM scratch\n";
        assert_eq!(images(text), ["node:20", "nginx", "ghcr.io/owner/tool:1"]);
        let names = read(text).unwrap().arguments.into_iter().collect::<Vec<_>>();
        assert_eq!(names, ["BASE", "KEY", "VERSION"]);
    }

    #[test]
    fn the_engine_fetches_nothing_by_itself() {
        for line in [
            "ADD http://169.254.169.254/latest /x",
            "add --chown=1 https://example.com/a /x",
            "AD\\\nD http://a/b /x",
            "ADD \\\n http://a/b /x",
            "ARG U=http://a/b\nADD $U /x",
            "ONBUILD ADD http://a/b /x",
            "RUN <<EOF\nADD http://a/b /x\nEOF",
            "# escape=`\nADD `\n http://a/b /x",
            "ADD git@github.com:o/r.git /x",
        ] {
            let text = format!("FROM alpine\n{line}\n");
            assert_eq!(read(&text).unwrap_err().code(), "REMOTE_ADD_REFUSED", "{line}");
        }
        assert!(read("FROM alpine\nADD . /app\nRUN curl https://example.com\nENV A=http://b\n").is_ok());
    }

    #[test]
    fn images_of_others_and_what_cannot_be_are_refused() {
        for (text, code) in [
            ("FROM nanoscale-0123/group:release", "INVALID_IMAGE"),
            ("FROM ab12", "INVALID_IMAGE"),
            ("FROM $NOTHING", "INVALID_IMAGE"),
            ("FROM alpine\nRUN --mount=type=cache,target=/c true", "BUILDKIT_NEEDED"),
            ("RUN true", "INVALID_DOCKERFILE"),
            ("", "INVALID_DOCKERFILE"),
        ] {
            assert_eq!(read(text).unwrap_err().code(), code, "{text}");
        }
    }
}
