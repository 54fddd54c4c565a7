//! Java and what else Maven and Gradle build: one jar that runs.

use super::{Found, PlanError, Step, Tree};

/// Jars beside the one that runs.
const NOT_THE_APP: &str = "-e -sources.jar -e -javadoc.jar -e -tests.jar -e -plain.jar -e /original-";

pub(super) fn detect(tree: &Tree) -> Result<Option<Found>, PlanError> {
    let marker =
        tree.first_of(&["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"]);
    let Some(marker) = marker else { return Ok(None) };
    let mut found = Found::new("java", format!("java: {marker} is there"));
    found.no_install = Some("nothing to install: the build fetches what it needs".into());
    let maven = marker == "pom.xml";
    // By sh: an uploaded wrapper need not be executable.
    let (program, arguments, reason, tools): (_, _, _, &[_]) = match (maven, tree.has("mvnw"), tree.has("gradlew")) {
        (true, true, _) => ("sh ./mvnw", MAVEN, "Maven's wrapper because mvnw is there", &["javac"]),
        (true, false, _) => ("mvn", MAVEN, "Maven because pom.xml is there, without a wrapper", &["javac", "mvn"]),
        (false, _, true) => ("sh ./gradlew", GRADLE, "Gradle's wrapper because gradlew is there", &["javac"]),
        (false, _, false) => {
            ("gradle", GRADLE, "Gradle because its build file is there, without a wrapper", &["javac", "gradle"])
        }
    };
    found.build = Some(Step::new(format!("{program} {arguments}"), reason, tools));
    let text = tree.text(marker).unwrap_or_default();
    let (port, framework) = if text.contains("spring-boot") || text.contains("org.springframework.boot") {
        (" -Dserver.address=$HOST -Dserver.port=$PORT", "Spring Boot listens where -Dserver.port says")
    } else if text.contains("quarkus") {
        (" -Dquarkus.http.host=$HOST -Dquarkus.http.port=$PORT", "Quarkus listens where -Dquarkus.http.port says")
    } else {
        ("", "the jar that the build makes")
    };
    let jar = match (maven, text.contains("quarkus")) {
        (true, true) => "target/quarkus-app/quarkus-run.jar".to_owned(),
        (false, true) => "build/quarkus-app/quarkus-run.jar".to_owned(),
        (maven, false) => {
            let directory = if maven { "target" } else { "build/libs" };
            format!("\"$(ls {directory}/*.jar | grep -v {NOT_THE_APP} | head -n 1)\"")
        }
    };
    let command = format!("exec java -Djava.io.tmpdir=$TMPDIR{port} -jar {jar}");
    found.run = Some(Step::new(command, framework, &[]));
    Ok(Some(found))
}

const MAVEN: &str = "--batch-mode --no-transfer-progress -DskipTests package";
const GRADLE: &str = "--no-daemon --console=plain assemble";
