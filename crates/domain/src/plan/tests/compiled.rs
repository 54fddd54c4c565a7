use super::*;

#[test]
fn go() {
    let module = ("go.mod", "module example.com/team/shop/v2 // it\n\ngo 1.22\n");
    let main = "// Shop.\npackage main\n";
    check(&[module, ("main.go", main)], "go | - | go build -o bin/shop . | bin/shop | -");
    check(&[module, ("shop.go", main)], "go | - | go build -o bin/shop . | bin/shop | -");
    check(
        &[module, ("lib.go", "package shop"), ("cmd/x/main.go", main)],
        "go | - | go build -o bin/x ./cmd/x | bin/x | -",
    );
    check(&[("main.go", main)], "go | - | go build -o bin/app main.go | bin/app | -");
    let several = [module, ("cmd/api/main.go", main), ("cmd/tool/run.go", main), ("cmd/lib/lib.go", "package lib")];
    check(&several, "go | - | mkdir -p bin && go build -o bin/ ./cmd/... | bin/api | -");
    let unclear = [module, ("cmd/a/main.go", main), ("cmd/b/main.go", main)];
    assert!(fails(&unclear).contains("bin/a"));
    let procfile = ("Procfile", "web: bin/b");
    check(
        &[unclear.as_slice(), &[procfile]].concat(),
        "go | - | mkdir -p bin && go build -o bin/ ./cmd/... | bin/b | -",
    );
    assert!(fails(&[module, ("gen.go", "//go:build ignore\n\npackage main\n")]).contains("cmd/"));
}

fn cargo(options: &str, names: &[&str], directory: &str) -> String {
    let bins = names.iter().map(|name| format!(" --bin {name}")).collect::<String>();
    let copies = names.iter().map(|name| format!(" \"$CARGO_TARGET_DIR\"/release/{name}")).collect::<String>();
    format!("cargo build --release{options}{bins} && mkdir -p {directory} && cp{copies} {directory}/")
}

#[test]
fn a_rust_package() {
    let manifest = ("Cargo.toml", "[package]\nname = 'shop'");
    let build = cargo(" --locked --package shop", &["shop"], "bin");
    check(&[manifest, ("Cargo.lock", ""), ("src/main.rs", "")], &format!("rust | - | {build} | bin/shop | -"));
    let build = cargo(" --package shop", &["shop"], "bin");
    check(&[manifest, ("src/main.rs", "")], &format!("rust | - | {build} | bin/shop | -"));
    let build = cargo(" --package shop", &["a", "server"], "bin");
    let several = [manifest, ("src/lib.rs", ""), ("src/bin/a.rs", ""), ("src/bin/server/main.rs", "")];
    check(&several, &format!("rust | - | {build} | bin/server | -"));
    let named = "[package]\nname = 'shop'\n[[bin]]\nname = 'web-shop'\npath = 'src/main.rs'\n\
                 [[bin]]\nname = 'extra'\nrequired-features = ['x']\n";
    let build = cargo(" --package shop", &["web-shop"], "bin");
    check(&[("Cargo.toml", named), ("src/main.rs", "")], &format!("rust | - | {build} | bin/web-shop | -"));
    let chosen = ("Cargo.toml", "[package]\nname = 'shop'\ndefault-run = 'b'");
    let files = [chosen, ("src/bin/a.rs", ""), ("src/bin/b.rs", "")];
    assert_eq!(planned(&files).run_command.as_deref(), Some("bin/b"));
    assert!(fails(&[manifest, ("src/lib.rs", "")]).contains("src/main.rs"));
    let unclear = [manifest, ("src/bin/a.rs", ""), ("src/bin/b.rs", "")];
    assert!(fails(&unclear).contains("bin/a"));
    // As on Heroku.
    let build = cargo(" --package shop", &["shop"], "target/release");
    let procfile = ("Procfile", "web: ./target/release/shop");
    check(&[manifest, ("src/main.rs", ""), procfile], &format!("rust | - | {build} | ./target/release/shop | -"));
}

#[test]
fn a_rust_workspace() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = ['crates/*', './tools/x']\nexclude = ['crates/old']"),
        ("crates/lib/Cargo.toml", "[package]\nname = 'lib'"),
        ("crates/lib/src/lib.rs", ""),
        ("crates/old/Cargo.toml", "[package]\nname = 'old'"),
        ("crates/old/src/main.rs", ""),
        ("crates/shop/Cargo.toml", "[package]\nname = 'shop'"),
        ("crates/shop/src/main.rs", ""),
        ("elsewhere/Cargo.toml", "[package]\nname = 'elsewhere'"),
        ("elsewhere/src/main.rs", ""),
    ];
    let build = cargo(" --package shop", &["shop"], "bin");
    check(&files, &format!("rust | - | {build} | bin/shop | -"));
    let two =
        [files.as_slice(), &[("tools/x/Cargo.toml", "[package]\nname = 'x'"), ("tools/x/src/main.rs", "")]].concat();
    assert!(fails(&two).contains("the workspace has the binaries shop, x"));
    let main = [
        ("Cargo.toml", "[package]\nname = 'top'\n[workspace]\nmembers = ['crates/*']"),
        ("src/main.rs", ""),
        files[5],
        files[6],
    ];
    let build = cargo(" --package top", &["top"], "bin");
    check(&main, &format!("rust | - | {build} | bin/top | -"));
}

const MAVEN_JAR: &str = "\"$(ls target/*.jar | grep -v -e -sources.jar -e -javadoc.jar -e -tests.jar -e -plain.jar -e /original- | head -n 1)\"";

#[test]
fn java() {
    let maven = "--batch-mode --no-transfer-progress -DskipTests package";
    let gradle = "--no-daemon --console=plain assemble";
    let java = "exec java -Djava.io.tmpdir=$TMPDIR";
    check(&[("pom.xml", "")], &format!("java | - | mvn {maven} | {java} -jar {MAVEN_JAR} | -"));
    check(
        &[("pom.xml", "<artifactId>spring-boot-starter-web</artifactId>"), ("mvnw", "")],
        &format!(
            "java | - | sh ./mvnw {maven} | {java} -Dserver.address=$HOST -Dserver.port=$PORT -jar {MAVEN_JAR} | -"
        ),
    );
    let libs = MAVEN_JAR.replace("target/", "build/libs/");
    check(&[("build.gradle.kts", "")], &format!("java | - | gradle {gradle} | {java} -jar {libs} | -"));
    check(
        &[("build.gradle", "id 'io.quarkus'"), ("gradlew", "")],
        &format!(
            "java | - | sh ./gradlew {gradle} | {java} -Dquarkus.http.host=$HOST -Dquarkus.http.port=$PORT -jar \
             build/quarkus-app/quarkus-run.jar | -"
        ),
    );
    assert_eq!(planned(&[("pom.xml", ""), ("mvnw", "")]).tools, ["javac"]);
    assert_eq!(planned(&[("pom.xml", "")]).tools, ["javac", "mvn"]);
}
