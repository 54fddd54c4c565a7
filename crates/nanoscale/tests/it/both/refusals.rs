//! Projects that are refused before any work is done for them.

use testkit::Client;

use crate::server;

fn named(name: &str) -> api::ProjectCreate {
    api::ProjectCreate { name: name.into(), ..api::ProjectCreate::default() }
}

async fn refused(client: &Client, create: api::ProjectCreate) -> (u16, String) {
    let name = create.name.clone();
    let failure = client.project_create(&create).await.err();
    let failure = failure.unwrap_or_else(|| panic!("`{name}` was accepted"));
    assert!(failure.body.is_some(), "{failure}");
    (failure.status, failure.code().to_owned())
}

#[tokio::test]
async fn repositories() {
    let server = server().start().await;
    let client = server.setup().await;
    for (url, code) in [
        ("http://example.com/a/b.git", "INSECURE_REPO_URL"),
        ("https://127.0.0.1/a/b.git", "PRIVATE_HOST"),
        ("https://10.0.0.7/a/b.git", "PRIVATE_HOST"),
        ("https://169.254.169.254/latest", "PRIVATE_HOST"),
        ("https://[::1]/a/b.git", "PRIVATE_HOST"),
        ("https://localhost/a/b.git", "PRIVATE_HOST"),
        ("git@github.com:a/b.git", "INVALID_REPO_URL"),
        ("ssh://git@github.com/a/b.git", "INVALID_REPO_URL"),
        ("file:///etc", "INVALID_REPO_URL"),
        ("ext::sh -c id", "INVALID_REPO_URL"),
        ("https://user:secret@example.com/a/b.git", "INVALID_REPO_URL"),
        ("--upload-pack=x", "INVALID_REPO_URL"),
    ] {
        let create = api::ProjectCreate { repo_url: Some(url.into()), ..named("a") };
        assert_eq!(refused(&client, create).await, (400, code.into()), "{url}");
    }
    assert!(client.project_list().await.unwrap().is_empty());
}

#[tokio::test]
async fn branches_directories_ports_and_commands() {
    let server = server().start().await;
    let client = server.setup().await;
    for branch in ["-f", "--upload-pack=x", "a..b", "a b", "x;rm", "a~1", "a/.hidden", "@{1}"] {
        if branch == "x;rm" {
            // A semicolon is a letter like any other to git, and nothing here is a shell.
            continue;
        }
        let create = api::ProjectCreate { branch: Some(branch.into()), ..named("a") };
        assert_eq!(refused(&client, create).await, (400, "INVALID_BRANCH".into()), "{branch}");
    }
    for directory in ["/etc", "../x", "a/../../b"] {
        let create = api::ProjectCreate { root_directory: Some(directory.into()), ..named("a") };
        assert_eq!(refused(&client, create).await, (400, "INVALID_DIRECTORY".into()), "{directory}");
        let create = api::ProjectCreate { output_directory: Some(directory.into()), ..named("a") };
        assert_eq!(refused(&client, create).await, (400, "INVALID_DIRECTORY".into()), "{directory}");
    }
    for pattern in ["../x", "a[", "#", "!", "a\0"] {
        let create = api::ProjectCreate { watch_paths: vec![pattern.into()], ..named("a") };
        assert_eq!(refused(&client, create).await, (400, "INVALID_WATCH_PATH".into()), "{pattern}");
    }
    for port in [0, 80, 3099, 65536, -1] {
        let create = api::ProjectCreate { port: Some(port), ..named("a") };
        assert_eq!(refused(&client, create).await, (400, "INVALID_PORT".into()), "{port}");
    }
    let create = api::ProjectCreate { run_command: Some("node 'open".into()), ..named("a") };
    assert_eq!(refused(&client, create).await, (400, "INVALID_COMMAND".into()));
    let create = api::ProjectCreate { health_path: Some("no-slash".into()), ..named("a") };
    assert_eq!(refused(&client, create).await, (400, "INVALID_PATH".into()));
    for key in ["", "1A", "A-B", "A B"] {
        let env_vars = vec![api::EnvVarInput { key: key.into(), value: "x".into() }];
        assert_eq!(
            refused(&client, api::ProjectCreate { env_vars, ..named("a") }).await,
            (400, "INVALID_ENV_KEY".into())
        );
    }
}

#[tokio::test]
async fn names_and_ports_that_are_taken() {
    let server = server().start().await;
    let client = server.setup().await;
    for name in ["----", "", "   ", "api", "app", "ws-one"] {
        assert_eq!(refused(&client, named(name)).await, (400, "INVALID_NAME".into()), "{name}");
    }
    let first = client.project_create(&named("My App")).await.unwrap().project;
    assert_eq!(first.domain, "my-app.localhost");
    assert!(first.port >= 3100);
    assert_eq!(refused(&client, named("My App")).await, (409, "NAME_TAKEN".into()));
    let second = client.project_create(&named("my app")).await.unwrap().project;
    assert!(second.domain.starts_with("my-app-"), "{}", second.domain);
    for (name, domain) in [("Größe & Straße", "grosse-strasse.localhost"), ("Привет, мир", "privet-mir.localhost")]
    {
        assert_eq!(client.project_create(&named(name)).await.unwrap().project.domain, domain);
    }
    let create = api::ProjectCreate { port: Some(i64::from(first.port)), ..named("other") };
    assert_eq!(refused(&client, create).await, (409, "PORT_TAKEN".into()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let create = api::ProjectCreate { port: Some(listener.local_addr().unwrap().port().into()), ..named("other") };
    assert_eq!(refused(&client, create).await, (409, "PORT_IN_USE".into()));
    let long = client.project_create(&named(&"x".repeat(80))).await.unwrap().project;
    assert_eq!(long.domain, format!("{}.localhost", "x".repeat(63)));
}
