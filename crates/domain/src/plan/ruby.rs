//! Ruby: gems into vendor/bundle, and Rails, Rack or a program.

use super::{Found, PlanError, Step, Tree, node, quote};

const ENTRIES: [&str; 4] = ["app.rb", "main.rb", "server.rb", "web.rb"];

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let Some(marker) = tree.first_of(&["Gemfile", "config.ru"]).or_else(|| tree.first_of(&ENTRIES)) else {
        return Ok(None);
    };
    let mut found = Found::new("ruby", format!("ruby: {marker} is there"));
    let rails = uses(tree, "rails") && tree.first_of(&["bin/rails", "config/application.rb"]).is_some();
    found.env = vec![("RACK_ENV", "production")];
    if rails {
        found.env.extend([
            ("RAILS_ENV", "production"),
            ("RAILS_LOG_TO_STDOUT", "1"),
            ("RAILS_SERVE_STATIC_FILES", "1"),
        ]);
    }
    let has_gems = tree.has("Gemfile");
    if has_gems {
        // Inside the release; read at run time too.
        found.env.extend([("BUNDLE_PATH", "vendor/bundle"), ("BUNDLE_WITHOUT", "development:test")]);
        let reason = if tree.has("Gemfile.lock") {
            found.env.push(("BUNDLE_DEPLOYMENT", "1"));
            "Gemfile.lock pins the versions"
        } else {
            "Gemfile is there, without a lock file"
        };
        found.install = Some(Step::new("bundle install", reason, &["ruby", "bundle"]));
    } else {
        found.no_install = Some("nothing to install: there is no Gemfile".into());
    }
    node::with_assets(&mut found, tree);
    if rails && (uses(tree, "sprockets-rails") || uses(tree, "propshaft") || tree.has("app/assets")) {
        // After the front end, whose files it collects. Rails asks for a secret that this has no use for.
        let command = "SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile";
        let collect = Step::new(command, "Rails has assets", &["ruby", "bundle"]);
        found.build = node::join(found.build.take(), Some(collect));
    }
    found.run = run(tree, rails, has_gems);
    found.no_run =
        "there is no Rails app, config.ru or app.rb; add a Procfile with a web process or set a run command".into();
    Ok(Some(found))
}

fn run(tree: &Tree, rails: bool, has_gems: bool) -> Option<Step> {
    let (exec, tools): (_, &[_]) = if has_gems { ("bundle exec ", &["ruby", "bundle"]) } else { ("", &["ruby"]) };
    if rails {
        // Releases are read-only: what Rails writes beside its code goes to the temporary directory.
        let command = "BOOTSNAP_CACHE_DIR=$TMPDIR bundle exec rails server -b $HOST -p $PORT -P $TMPDIR/server.pid";
        return Some(Step::new(command, "Rails because the rails gem and its directories are there", tools));
    }
    if tree.has("config.ru") {
        let (command, reason) = match uses(tree, "puma") {
            true => (format!("{exec}puma -b tcp://$HOST:$PORT"), "config.ru is there and puma is among the gems"),
            false => (format!("{exec}rackup --host $HOST --port $PORT"), "config.ru is there"),
        };
        return Some(Step::new(command, reason, tools));
    }
    let file = tree.first_of(&ENTRIES)?;
    Some(Step::new(format!("{exec}ruby {}", quote(file)), "the file is there", tools))
}

/// Whether a gem is named by the Gemfile, or by its lock file as a part of another.
fn uses(tree: &Tree, gem: &str) -> bool {
    let named = |line: &str| {
        let rest = line.trim().strip_prefix("gem").map(|rest| rest.trim_start_matches(['(', ' ']));
        rest.and_then(|rest| rest.strip_prefix(['"', '\'']))
            .and_then(|rest| rest.strip_prefix(gem))
            .is_some_and(|rest| rest.starts_with(['"', '\'']))
    };
    let locked = |line: &str| line.trim().split(' ').next() == Some(gem);
    tree.text("Gemfile").is_some_and(|text| text.lines().any(named))
        || tree.text("Gemfile.lock").is_some_and(|text| text.lines().any(locked))
}
