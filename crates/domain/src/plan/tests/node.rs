use super::*;

const NPM_CI: &str = "npm ci --include=dev --no-audit --no-fund";
const NPM_INSTALL: &str = "npm install --include=dev --no-audit --no-fund";

fn reason(files: &[(&str, &str)], part: &str) {
    let reasons = planned(files).reasons;
    assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:#?}");
}

#[test]
fn what_is_run() {
    check(&[("package.json", r#"{"scripts":{"start":"node server.js"}}"#)], "node | - | - | node server.js | -");
    check(
        &[("package.json", r#"{"scripts":{"start":"next start","build":"next build"}}"#), ("package-lock.json", "")],
        &format!("node | {NPM_CI} | npm run build | next start | -"),
    );
    check(
        &[("package.json", r#"{"dependencies":{"a":"1"},"main":"x.js"}"#), ("x.js", "")],
        &format!("node | {NPM_INSTALL} | - | node x.js | -"),
    );
    check(&[("package.json", r#"{"main":"./lib/x.js"}"#), ("lib/x.js", "")], "node | - | - | node lib/x.js | -");
    check(&[("package.json", "{}"), ("index.js", "")], "node | - | - | node index.js | -");
    check(&[("package.json", r#"{"scripts":{"start":"a","prestart":"b"}}"#)], "node | - | - | npm start | -");
}

#[test]
fn package_managers_by_lock_file() {
    let start = ("package.json", r#"{"scripts":{"start":"node .","build":"x"},"dependencies":{"a":"1"}}"#);
    for (lock, text, install, build) in [
        ("package-lock.json", "", NPM_CI, "npm run build"),
        ("npm-shrinkwrap.json", "", NPM_CI, "npm run build"),
        ("pnpm-lock.yaml", "", "pnpm install --frozen-lockfile --prod=false", "pnpm run build"),
        (
            "yarn.lock",
            "# yarn lockfile v1",
            "yarn install --frozen-lockfile --production=false --non-interactive",
            "yarn run build",
        ),
        (
            "yarn.lock",
            "__metadata:\n  version: 8",
            "npx --yes @yarnpkg/cli-dist@4 install --immutable",
            "npx --yes @yarnpkg/cli-dist@4 run build",
        ),
        ("bun.lock", "", "bun install --frozen-lockfile", "bun run build"),
        ("bun.lockb", "", "bun install --frozen-lockfile", "bun run build"),
    ] {
        check(&[start, (lock, text)], &format!("node | {install} | {build} | node . | -"));
        reason(&[start, (lock, text)], &format!("{lock} is there"));
    }
}

#[test]
fn package_managers_by_name() {
    for (named, install) in [
        ("npm@10.0.0", NPM_INSTALL),
        (
            "pnpm@9.1.0+sha512.abc",
            "npx --yes pnpm@9.1.0 install --no-frozen-lockfile --prod=false --store-dir \"$XDG_CACHE_HOME/pnpm/store\"",
        ),
        ("pnpm@12.0.1", "npx --yes pnpm@12.0.1 install --no-frozen-lockfile --prod=false"),
        ("pnpm", "pnpm install --no-frozen-lockfile --prod=false"),
        ("yarn@1.22.22", "npx --yes yarn@1.22.22 install --production=false --non-interactive"),
        ("yarn@4.5.1+sha224.abc", "npx --yes @yarnpkg/cli-dist@4.5.1 install --no-immutable"),
        ("bun@1.2.3", "bun install"),
        ("other@1", NPM_INSTALL),
    ] {
        let package = format!(r#"{{"packageManager":"{named}","scripts":{{"start":"x"}},"dependencies":{{"a":"1"}}}}"#);
        check(&[("package.json", &package)], &format!("node | {install} | - | x | -"));
    }
    // The name decides between several lock files, and only there.
    let pnpm = ("package.json", r#"{"packageManager":"pnpm@12.0.0","scripts":{"start":"x"}}"#);
    let frozen = "node | npx --yes pnpm@12.0.0 install --frozen-lockfile --prod=false | - | x | -";
    check(&[pnpm, ("package-lock.json", ""), ("pnpm-lock.yaml", "")], frozen);
    check(&[pnpm, ("package-lock.json", "")], &format!("node | {NPM_CI} | - | x | -"));
}

#[test]
fn a_build_needs_the_manager_that_runs_it() {
    let script = |build: &str| format!(r#"{{"scripts":{{"start":"node .","build":"{build}"}}}}"#);
    assert_eq!(planned(&[("package.json", &script("tsc"))]).tools, ["node", "npm"]);
    assert_eq!(planned(&[("package.json", &script("pnpm -r build"))]).tools, ["node", "npm", "pnpm"]);
    let pinned = script("pnpm -r build").replacen('{', r#"{"packageManager":"pnpm@12.0.0","#, 1);
    assert_eq!(planned(&[("package.json", &pinned)]).tools, ["node", "npm"]);
}

#[test]
fn yarn_from_the_repository() {
    let files = [
        ("package.json", r#"{"packageManager":"yarn@4.5.1","scripts":{"start":"node ."}}"#),
        ("yarn.lock", "__metadata:"),
        (".yarnrc.yml", "enableTelemetry: false\nyarnPath: \".yarn/releases/yarn-4.5.1.cjs\"\n"),
    ];
    check(&files, "node | node .yarn/releases/yarn-4.5.1.cjs install --immutable | - | node . | -");
    let plan = planned(&files);
    assert!(plan.env.contains(&("YARN_NODE_LINKER", "node-modules")));
    assert_eq!(plan.tools, ["node", "npm"]);
}

#[test]
fn bun_needs_node_only_for_programs_of_packages() {
    let bun = [("package.json", r#"{"scripts":{"start":"bun run index.ts"}}"#), ("bun.lock", "")];
    assert_eq!(planned(&bun).tools, ["bun"]);
    let next = [("package.json", r#"{"scripts":{"start":"next start"}}"#), ("bun.lock", "")];
    assert_eq!(planned(&next).tools, ["bun", "node"]);
    let entry = [("package.json", r#"{"packageManager":"bun@1.2.0","module":"index.ts"}"#), ("index.ts", "")];
    check(&entry, "node | - | - | bun index.ts | -");
}

#[test]
fn a_built_front_end_is_served() {
    let package =
        |dependency: &str| format!(r#"{{"scripts":{{"build":"x"}},"devDependencies":{{"{dependency}":"1"}}}}"#);
    for (dependency, directory) in [
        ("vite", "dist"),
        ("astro", "dist"),
        ("react-scripts", "build"),
        ("gatsby", "public"),
        ("@docusaurus/core", "build"),
        ("@sveltejs/adapter-static", "build"),
        ("@11ty/eleventy", "_site"),
        ("something-else", "dist"),
    ] {
        let expected = format!("spa | {NPM_INSTALL} | npm run build | - | {directory}");
        check(&[("package.json", &package(dependency))], &expected);
    }
    assert!(planned(&[("package.json", &package("vite"))]).serves_files());
}

#[test]
fn front_ends_that_say_where_they_build_to() {
    let built = ("package.json", r#"{"scripts":{"build":"x"}}"#);
    for (file, text, directory) in [
        ("vite.config.ts", "export default { build: { outDir: './web/' } }", "web"),
        ("vite.config.js", "// outDir: 'no'\nbuild: {\n  \"outDir\": \"out\",\n}", "out"),
        ("vite.config.js", "build: { outDir: '../elsewhere' }", "dist"),
        ("vite.config.js", "build: { outDir: process.env.OUT }", "dist"),
        ("astro.config.mjs", "export default defineConfig({ outDir: './site' })", "site"),
        (
            "angular.json",
            r#"{"projects":{"shop":{"architect":{"build":{"builder":"@angular/build:application"}}}}}"#,
            "dist/shop/browser",
        ),
        (
            "angular.json",
            r#"{"projects":{"a":{"architect":{"build":{"builder":"@angular-devkit/build-angular:browser","options":{"outputPath":"dist/a"}}}}}}"#,
            "dist/a",
        ),
        (
            "angular.json",
            r#"{"projects":{"a":{"architect":{"build":{"options":{"outputPath":{"base":"out","browser":""}}}}}}}"#,
            "out",
        ),
    ] {
        check(&[built, (file, text)], &format!("spa | - | npm run build | - | {directory}"));
    }
}

#[test]
fn a_development_server_is_not_what_visitors_get() {
    let package = |start: &str| {
        format!(r#"{{"scripts":{{"build":"x","start":"{start}"}},"dependencies":{{"react-scripts":"5"}}}}"#)
    };
    for start in ["react-scripts start", "vite", "vite --host", "ng serve --open", "astro dev"] {
        check(&[("package.json", &package(start))], &format!("spa | {NPM_INSTALL} | npm run build | - | build"));
    }
    check(
        &[("package.json", &package("vite-node server.ts"))],
        &format!("node | {NPM_INSTALL} | npm run build | vite-node server.ts | -"),
    );
    check(&[("package.json", r#"{"scripts":{"start":"vite"}}"#)], "node | - | - | vite | -");
}

#[test]
fn frameworks_with_a_server_and_no_start_script() {
    let package = |build: &str, dependency: &str| {
        format!(r#"{{"scripts":{{"build":"{build}"}},"dependencies":{{"{dependency}":"1"}}}}"#)
    };
    for (build, dependency, run) in [
        ("next build", "next", "next start"),
        ("nuxt build", "nuxt", "node .output/server/index.mjs"),
        ("astro build", "@astrojs/node", "node dist/server/entry.mjs"),
        ("vite build", "@sveltejs/adapter-node", "node build"),
    ] {
        let expected = format!("node | {NPM_INSTALL} | npm run build | {run} | -");
        check(&[("package.json", &package(build, dependency))], &expected);
    }
    let nuxt = package("nuxt generate", "nuxt");
    check(&[("package.json", &nuxt)], &format!("spa | {NPM_INSTALL} | npm run build | - | .output/public"));
    let next = package("next build", "next");
    let export = ("next.config.mjs", "const c = {\n  output: 'export',\n};");
    check(&[("package.json", &next), export], &format!("spa | {NPM_INSTALL} | npm run build | - | out"));
}

#[test]
fn deno() {
    check(
        &[("deno.json", r#"{"tasks":{"start":"deno run -A ./main.ts","build":{"command":"x"}}}"#), ("main.ts", "")],
        "deno | deno install --entrypoint main.ts | deno task build | DENO_SERVE_ADDRESS=tcp:$HOST:$PORT deno task start | -",
    );
    check(
        &[("deno.jsonc", "{ // a comment\n \"imports\": {},\n }"), ("deno.lock", ""), ("server.ts", "Deno.serve(f)")],
        "deno | deno install --frozen --entrypoint server.ts | - | DENO_SERVE_ADDRESS=tcp:$HOST:$PORT deno run --allow-all server.ts | -",
    );
    check(
        &[("deno.lock", ""), ("main.ts", "export default { fetch() {} }")],
        "deno | deno install --frozen --entrypoint main.ts | - | DENO_SERVE_ADDRESS=tcp:$HOST:$PORT deno serve --allow-all main.ts | -",
    );
    // A trial in a Node project.
    let node = [("deno.lock", ""), ("package-lock.json", ""), ("package.json", r#"{"scripts":{"start":"x"}}"#)];
    assert_eq!(planned(&node).kind, "node");
    assert!(fails(&[("deno.json", "{}")]).contains("start task"));
    assert!(planned(&[("deno.json", "{}"), ("main.ts", "")]).env.contains(&("DENO_DIR", ".deno")));
}
