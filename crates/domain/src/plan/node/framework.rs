use serde_json::Value;

use super::super::{Found, Step, Tree};
use super::Package;

/// Start scripts of front ends that are meant for the person at the keyboard.
const DEVELOPMENT_SERVERS: [&str; 14] = [
    "react-scripts start",
    "vite",
    "vite dev",
    "vite serve",
    "vite preview",
    "ng serve",
    "astro dev",
    "astro preview",
    "gatsby develop",
    "vue-cli-service serve",
    "docusaurus start",
    "webpack serve",
    "webpack-dev-server",
    "next dev",
];

/// Whether the script starts a development server: one of the commands above, with options or without.
pub(super) fn is_development_server(script: &str) -> bool {
    let words = script.split_whitespace().take_while(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ");
    DEVELOPMENT_SERVERS.contains(&words.as_str())
}

/// What is to be run after a build where package.json does not say, by the framework.
pub(super) fn built(found: &mut Found, tree: &Tree, package: &Package) {
    let config = |name: &str| {
        let extensions = ["js", "mjs", "cjs", "ts", "mts"];
        extensions.iter().find_map(|extension| tree.text(&format!("{name}.config.{extension}")))
    };
    let generates = package.script("build").is_some_and(|build| build.contains("generate"));
    let exports = config("next").is_some_and(|text| setting(text, "output").as_deref() == Some("export"));
    let server = if package.uses("next") && !exports {
        Some(("next start", "a Next.js app without a start script"))
    } else if package.uses("nuxt") && !generates {
        Some(("node .output/server/index.mjs", "Nuxt's build"))
    } else if package.uses("@astrojs/node") {
        Some(("node dist/server/entry.mjs", "the build of Astro's Node adapter"))
    } else if package.uses("@sveltejs/adapter-node") {
        Some(("node build", "the build of SvelteKit's Node adapter"))
    } else {
        None
    };
    if let Some((command, reason)) = server {
        found.run = Some(Step::new(command, reason, &["node"]));
    }
}

/// A front end that is built and then only served.
pub(super) fn single_page(found: &mut Found, tree: &Tree, package: &Package) {
    let directory = output_directory(tree, package);
    found.kind = "spa";
    found.env.retain(|(name, _)| *name != "NODE_ENV");
    let reason = format!("serve `{directory}`: a build script and nothing that serves make a static site");
    found.serve = Some((directory, reason));
}

fn output_directory(tree: &Tree, package: &Package) -> String {
    let extensions = ["js", "mjs", "cjs", "ts", "mts"];
    for (name, key) in [("vite", "outDir"), ("astro", "outDir")] {
        let text = extensions.iter().find_map(|extension| tree.text(&format!("{name}.config.{extension}")));
        if let Some(directory) = text.and_then(|text| setting(text, key)).and_then(|path| inside(&path)) {
            return directory;
        }
    }
    if let Some(directory) = tree.text("angular.json").and_then(angular) {
        return directory;
    }
    for (framework, directory) in [
        ("react-scripts", "build"),
        ("@docusaurus/core", "build"),
        ("@sveltejs/adapter-static", "build"),
        ("gatsby", "public"),
        ("next", "out"),
        ("nuxt", ".output/public"),
        ("@11ty/eleventy", "_site"),
    ] {
        if package.uses(framework) {
            return directory.into();
        }
    }
    "dist".into()
}

/// The text that a configuration written in JavaScript gives to `key`, if it is plain.
fn setting(text: &str, key: &str) -> Option<String> {
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.filter_map(|line| line.split_once(key)).find_map(|(before, value)| {
        let begins_here = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let value = value.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?.trim_start();
        let mark = value.chars().next().filter(|mark| "\"'`".contains(*mark) && begins_here)?;
        let (value, _) = value[1..].split_once(mark)?;
        (!value.is_empty() && !value.contains('$')).then(|| value.to_owned())
    })
}

/// `path` without what is superfluous, if it stays in the tree.
fn inside(path: &str) -> Option<String> {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let stays = !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..");
    stays.then(|| path.to_owned())
}

/// Angular says where it builds to; since version 17 what browsers get lies a level deeper.
fn angular(text: &str) -> Option<String> {
    let workspace: Value = jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok()?;
    let projects = workspace["projects"].as_object()?;
    let name = workspace["defaultProject"].as_str().or_else(|| projects.keys().next().map(String::as_str))?;
    let build = &projects.get(name)?["architect"]["build"];
    let options = &build["options"]["outputPath"];
    let base = options.as_str().or_else(|| options["base"].as_str()).map(str::to_owned);
    let base = inside(&base.unwrap_or_else(|| format!("dist/{name}")))?;
    let builder = build["builder"].as_str().unwrap_or_default();
    Some(match options["browser"].as_str() {
        Some("") => base,
        Some(browser) => format!("{base}/{browser}"),
        None if builder.ends_with(":browser") => base,
        None => format!("{base}/browser"),
    })
}
