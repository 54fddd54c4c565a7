/// How to get a program onto a node where it is missing: the end of a sentence.
pub fn remedy(tool: &str) -> &'static str {
    match tool {
        "node" | "npm" => "install Node.js with npm on it, for example with `apt-get install nodejs npm`",
        "pnpm" => "run `npm install -g pnpm` on it",
        "yarn" => "run `npm install -g yarn@1` on it",
        "bun" => "run `npm install -g bun` on it",
        "deno" => "run `npm install -g deno` on it",
        "python3" => "run `apt-get install python3 python3-venv` on it",
        "uv" => {
            "install uv into /usr/local/bin on it, for example with `UV_INSTALL_DIR=/usr/local/bin` and uv's installer"
        }
        "poetry" => "run `apt-get install python3-poetry` on it, or link a newer Poetry into /usr/local/bin",
        "pipenv" => "run `apt-get install pipenv` on it",
        "cargo" => {
            "run `apt-get install cargo` on it, or rustup's installer with RUSTUP_HOME=/usr/local/rustup and CARGO_HOME=/usr/local/cargo"
        }
        "cc" => "run `apt-get install build-essential` on it",
        "go" => "unpack Go's archive to /usr/local/go or run `apt-get install golang-go` on it",
        "ruby" | "bundle" => "run `apt-get install ruby-full ruby-bundler build-essential` on it",
        "php" => "run `apt-get install php-cli` on it, and install the extensions that the app needs",
        "composer" => "run `apt-get install composer` on it",
        "javac" => "run `apt-get install default-jdk-headless` on it",
        "mvn" => "add Maven's wrapper (mvnw) to the repository, or run `apt-get install maven` on it",
        "gradle" => "add Gradle's wrapper (gradlew) to the repository, or install Gradle into /usr/local/bin on it",
        _ => "install it on the node",
    }
}
