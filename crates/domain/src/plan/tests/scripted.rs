use super::*;

#[test]
fn ruby() {
    let gemfile = ("Gemfile", "source 'https://rubygems.org'\n");
    check(&[gemfile, ("app.rb", "")], "ruby | bundle install | - | bundle exec ruby app.rb | -");
    check(&[("app.rb", "")], "ruby | - | - | ruby app.rb | -");
    check(
        &[gemfile, ("config.ru", "")],
        "ruby | bundle install | - | bundle exec rackup --host $HOST --port $PORT | -",
    );
    check(
        &[("Gemfile", "gem \"puma\", \"~> 6\"\ngem 'rails-like'"), ("config.ru", "")],
        "ruby | bundle install | - | bundle exec puma -b tcp://$HOST:$PORT | -",
    );
    let plan = planned(&[gemfile, ("Gemfile.lock", ""), ("app.rb", "")]);
    assert!(plan.env.contains(&("BUNDLE_PATH", "vendor/bundle")) && plan.env.contains(&("BUNDLE_DEPLOYMENT", "1")));
    assert!(!planned(&[gemfile, ("app.rb", "")]).env.contains(&("BUNDLE_DEPLOYMENT", "1")));
    assert!(fails(&[gemfile]).contains("app.rb"));
}

#[test]
fn rails() {
    let run = "BOOTSNAP_CACHE_DIR=$TMPDIR bundle exec rails server -b $HOST -p $PORT -P $TMPDIR/server.pid";
    let rails = [
        ("Gemfile", "gem('rails', '~> 8')"),
        ("Gemfile.lock", "GEM\n  specs:\n    propshaft (1.0)\n    puma (6)\n"),
        ("bin/rails", ""),
        ("config.ru", ""),
    ];
    let assets = "SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile";
    check(&rails, &format!("ruby | bundle install | {assets} | {run} | -"));
    assert!(planned(&rails).env.contains(&("RAILS_ENV", "production")));
    let bundling = ("package.json", r#"{"scripts":{"build":"esbuild"},"dependencies":{"a":"1"}}"#);
    check(
        &[rails.as_slice(), &[bundling, ("yarn.lock", "")]].concat(),
        &format!(
            "ruby | bundle install && yarn install --frozen-lockfile --production=false --non-interactive | \
             yarn run build && {assets} | {run} | -"
        ),
    );
}

const COMPOSER: &str = "composer install --no-dev --no-interaction --no-progress --prefer-dist --optimize-autoloader";

#[test]
fn php() {
    let plan = planned(&[("index.php", "")]);
    let run = plan.run_command.unwrap();
    assert!(
        run.starts_with("echo '<?php ") && run.ends_with("exec php -S $HOST:$PORT -t . $TMPDIR/guard.php"),
        "{run}"
    );
    assert_eq!(plan.tools, ["php"]);
    let packages = ("composer.json", r#"{"require":{"php":"^8","monolog/monolog":"^3"}}"#);
    check(&[packages, ("public/index.php", "")], &format!("php | {COMPOSER} | - | php -S $HOST:$PORT -t public | -"));
    check(&[("web/index.php", ""), ("composer.json", "{}")], "php | - | - | php -S $HOST:$PORT -t web | -");
    check(
        &[("composer.json", r#"{"autoload":{"psr-4":{}}}"#), ("public/index.php", "")],
        &format!("php | {COMPOSER} | - | php -S $HOST:$PORT -t public | -"),
    );
    assert!(fails(&[packages]).contains("index.php"));
}

#[test]
fn laravel_with_a_front_end() {
    let files = [
        ("composer.json", r#"{"require":{"laravel/framework":"^11"}}"#),
        ("composer.lock", ""),
        ("artisan", ""),
        ("public/index.php", ""),
        ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#),
        ("package-lock.json", ""),
    ];
    check(
        &files,
        &format!(
            "php | {COMPOSER} && npm ci --include=dev --no-audit --no-fund | npm run build | \
             VIEW_COMPILED_PATH=$TMPDIR/views LOG_CHANNEL=${{LOG_CHANNEL:-stderr}} php -S $HOST:$PORT -t public | -"
        ),
    );
    let plan = planned(&files);
    assert_eq!(plan.tools, ["php", "composer", "node", "npm"]);
    assert!(!plan.reasons.iter().any(|reason| reason.contains("not used")));
}
