use ids::DeploymentState;

use super::{BUILD, fixture, has_reason};
use crate::apps::archive;

const RUST: &str = r#"use std::io::{Read, Write};

fn main() {
    let port = std::env::var("PORT").unwrap();
    let listener = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(".").unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let body = format!("{} {}", greet::greet(), names.join(","));
    for mut stream in listener.incoming().flatten() {
        let _ = stream.read(&mut [0; 4096]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }
}
"#;

const CARGO_LOCK: &str = "version = 3\n\n[[package]]\nname = \"greet\"\nversion = \"0.1.0\"\n\n\
                          [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"greet\",\n]\n";

/// The release has the binary and nothing of what the compiler left; that is in the cache.
#[tokio::test]
async fn a_rust_workspace() {
    let fixture = fixture().await;
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = ['crates/*']\n"),
        ("Cargo.lock", CARGO_LOCK),
        ("crates/greet/Cargo.toml", "[package]\nname = 'greet'\nversion = '0.1.0'\nedition = '2021'\n"),
        ("crates/greet/src/lib.rs", "pub fn greet() -> &'static str {\n    \"hello from rust\"\n}\n"),
        (
            "crates/shop/Cargo.toml",
            "[package]\nname = 'shop'\nversion = '0.1.0'\nedition = '2021'\n\n[dependencies]\ngreet = { path = '../greet' }\n",
        ),
        ("crates/shop/src/main.rs", RUST),
    ];
    let (plan, answer) = fixture.answer("rust", &files).await;
    assert_eq!((plan.kind.as_str(), plan.run_command.as_deref()), ("rust", Some("bin/shop")));
    assert_eq!(answer, "hello from rust Cargo.lock,Cargo.toml,bin,crates");
    assert!(has_reason(&plan, "Cargo.lock pins the versions"));
}

const GO: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/shop/greet"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, greet.Greeting) })
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
"#;

#[tokio::test]
async fn a_go_module() {
    let fixture = fixture().await;
    let files = [
        ("go.mod", "module example.com/shop\n\ngo 1.19\n"),
        ("greet/greet.go", "package greet\n\nconst Greeting = \"hello from go\"\n"),
        ("cmd/shop/main.go", GO),
    ];
    let (plan, answer) = fixture.answer("go", &files).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("go", "hello from go"));
    assert_eq!(plan.build_command.as_deref(), Some("go build -o bin/shop ./cmd/shop"));

    // Several programs are built; the Procfile says which one is the web process.
    let tool = "package main\n\nfunc main() {}\n";
    let several = [files.as_slice(), &[("cmd/tool/main.go", tool), ("Procfile", "web: bin/shop\n")]].concat();
    let id = fixture.client.project_get("go").await.unwrap().id;
    let deployment = fixture.client.upload(&id, archive(&several)).await.unwrap();
    let live = fixture.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
    assert!(has_reason(&live.plan.unwrap(), "cmd/ has the programs shop, tool"));
    assert_eq!(fixture.get("go", "/").await, "hello from go");
}

const JAVA: &str = r#"import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Main {
    public static void main(String[] arguments) throws Exception {
        byte[] body = "hello from java".getBytes();
        int port = Integer.parseInt(System.getenv("PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }
}
"#;

/// Maven downloads its own parts before it does anything, so the wrapper here is a script that compiles.
#[tokio::test]
async fn java_by_the_wrapper_in_the_repository() {
    let fixture = fixture().await;
    let wrapper = "#!/bin/sh\nset -e\nmkdir -p target/classes\njavac -d target/classes src/main/java/Main.java\n\
                   jar --create --file target/app-1.0.jar --main-class Main -C target/classes .\n\
                   cp target/app-1.0.jar target/app-1.0-sources.jar\n";
    let files = [
        ("pom.xml", "<project><artifactId>app</artifactId></project>"),
        ("mvnw", wrapper),
        ("src/main/java/Main.java", JAVA),
    ];
    let (plan, answer) = fixture.answer("java", &files).await;
    assert_eq!((plan.kind.as_str(), answer.as_str()), ("java", "hello from java"));
    assert!(plan.build_command.unwrap().starts_with("sh ./mvnw "));
}
