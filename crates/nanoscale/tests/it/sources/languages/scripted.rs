use super::{fixture, has_reason};

/// Ruby has no HTTP server of its own any more.
const RUBY: &str = r#"require "socket"
require "bundler"

body = "hello from ruby #{Bundler.bundle_path.to_s.include?("vendor/bundle")}"
server = TCPServer.new("127.0.0.1", ENV.fetch("PORT").to_i)
loop do
  client = server.accept
  line = client.gets
  line = client.gets until line.nil? || line == "\r\n"
  client.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: #{body.bytesize}\r\n\r\n#{body}")
  client.close
end
"#;

const GEMFILE_LOCK: &str = "GEM\n  specs:\n\nPLATFORMS\n  ruby\n  x86_64-linux\n  aarch64-linux\n\nDEPENDENCIES\n";

#[tokio::test]
async fn ruby_with_bundler() {
    let fixture = fixture().await;
    let files = [("Gemfile", "# no gems\n"), ("Gemfile.lock", GEMFILE_LOCK), ("app.rb", RUBY)];
    let (plan, answer) = fixture.answer("ruby", &files).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("ruby", "hello from ruby true"));
    assert_eq!(plan.run_command.as_deref(), Some("bundle exec ruby app.rb"));
    assert!(has_reason(&plan, "Gemfile.lock pins the versions"));
}

#[tokio::test]
async fn php_and_what_it_keeps_back() {
    let fixture = fixture().await;
    let index = "<?php echo 'hello from php ', $_SERVER['REQUEST_URI'];";
    let files =
        [("index.php", index), (".env", "SECRET=1"), ("style.css", "a{}"), (".well-known/security.txt", "contact")];
    let (plan, answer) = fixture.answer("php", &files).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("php", "hello from php /"));
    assert_eq!(fixture.get("php", "/some/path").await, "hello from php /some/path");
    assert_eq!(fixture.get("php", "/style.css").await, "a{}");
    assert_eq!(fixture.get("php", "/.well-known/security.txt").await, "contact");
    let app = fixture.server.app("php.localhost");
    for hidden in ["/.env", "/%2eenv", "/%2Eenv?x", "/x/../.env", "//.env"] {
        let reply = app.get(hidden).await.unwrap();
        assert!(!reply.text().contains("SECRET"), "{hidden}: {}", reply.status);
    }

    let public = [("public/index.php", index), ("secret.txt", "SECRET")];
    let (plan, answer) = fixture.answer("public", &public).await;
    assert_eq!(
        (plan.run_command.as_deref(), answer.as_str()),
        (Some("php -S $HOST:$PORT -t public"), "hello from php /")
    );
    assert!(!fixture.get("public", "/../secret.txt").await.contains("SECRET"));
}
