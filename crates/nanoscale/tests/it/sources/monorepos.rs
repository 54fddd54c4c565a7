//! Several projects of one repository: each is deployed when something changed that concerns it.

use super::*;

/// A repository with two sites and something that both share.
fn monorepo(git: &GitServer) -> testkit::Repo {
    let repo = git.repo("mono");
    repo.write("packages/shop/index.html", "shop 1").write("packages/web/index.html", "web 1");
    repo.write("shared/logo.svg", "<svg/>").write("packages/shop/moving.txt", "a file that moves\n");
    repo.commit("Two packages");
    repo
}

fn package(name: &str, repo: &testkit::Repo) -> api::ProjectCreate {
    api::ProjectCreate { root_directory: Some(format!("packages/{name}")), ..from(name, repo.url()) }
}

impl Fixture {
    /// Why there is nothing to deploy.
    async fn unchanged(&self, project: &str) -> String {
        self.client.redeploy_if_changed(project).await.unwrap().expect_err("nothing to deploy")
    }

    /// The first line of the log of the deployment that is made.
    async fn changed(&self, project: &str) -> String {
        let deployment = self.client.redeploy_if_changed(project).await.unwrap().expect("a deployment");
        self.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        self.client.log(&deployment.id).await.unwrap()[0].text.clone()
    }

    async fn watch(&self, project: &str, paths: &[&str]) -> Result<api::Project, testkit::ApiFailure> {
        let watch_paths = Some(paths.iter().map(|path| (*path).to_owned()).collect());
        let update = api::ProjectUpdate { watch_paths, ..api::ProjectUpdate::default() };
        self.client.project_update(project, &update).await
    }
}

#[tokio::test]
async fn a_change_deploys_only_the_project_that_it_concerns() {
    let fixture = fixture().await;
    let repo = monorepo(&fixture.git);
    let first = repo.head()[..7].to_owned();
    fixture.live(package("shop", &repo)).await;
    fixture.live(package("web", &repo)).await;
    assert_eq!(fixture.unchanged("shop").await, format!("{first} is live already"));

    let second = repo.commit_file("packages/shop/index.html", "shop 2", "Another shop")[..7].to_owned();
    let between = format!("changed between {first} and {second}");
    assert_eq!(fixture.unchanged("web").await, format!("nothing under packages/web {between}"));
    assert_eq!(fixture.changed("shop").await, format!("watch: `packages/shop/index.html` {between}"));
    assert_eq!(fixture.server.app("shop.localhost").get("/").await.unwrap().text(), "shop 2");
    assert_eq!(fixture.client.deployment_list("web").await.unwrap().len(), 1);
    assert_eq!(fixture.unchanged("shop").await, format!("{second} is live already"));

    // What moves away has changed too.
    repo.run(&["mv", "packages/shop/moving.txt", "shared/moved.txt"]);
    repo.commit("Share a file");
    assert!(fixture.unchanged("web").await.starts_with("nothing under packages/web"));
    assert!(fixture.changed("shop").await.starts_with("watch: `packages/shop/moving.txt` changed between"));

    // Who does not ask gets a deployment.
    let usual = fixture.client.redeploy("web").await.unwrap();
    fixture.client.wait_for(&usual.id, DeploymentState::Live, BUILD).await;
}

#[tokio::test]
async fn watch_paths_take_the_place_of_the_root_directory() {
    let fixture = fixture().await;
    let repo = monorepo(&fixture.git);
    let create = api::ProjectCreate { watch_paths: vec!["packages/shop/".into()], ..package("shop", &repo) };
    fixture.live(create).await;
    assert_eq!(fixture.client.project_get("shop").await.unwrap().watch_paths, ["packages/shop/"]);

    repo.commit_file("shared/logo.svg", "<svg />", "Another logo");
    assert!(fixture.unchanged("shop").await.starts_with("nothing that matches packages/shop/ changed between"));
    let watched = fixture.watch("shop", &["packages/shop/**", " /shared/** ", "", "!*.md"]).await.unwrap();
    assert_eq!(watched.watch_paths, ["packages/shop/**", "/shared/**", "!*.md"]);
    assert!(fixture.changed("shop").await.starts_with("watch: `shared/logo.svg` changed between"));

    repo.commit_file("packages/shop/ä readme.md", "# Shop", "Say what it is");
    assert!(fixture.unchanged("shop").await.contains("packages/shop/**, /shared/**, !*.md changed"));
    assert!(fixture.watch("shop", &[]).await.unwrap().watch_paths.is_empty());
    assert!(fixture.changed("shop").await.starts_with("watch: `packages/shop/ä readme.md` changed"));

    for bad in ["packages/[shop", "../other", "# comment", "!", "a\nb"] {
        let refused = fixture.watch("shop", &["good/**", bad]).await.unwrap_err();
        assert_eq!((refused.status, refused.code()), (400, "INVALID_WATCH_PATH"), "{bad:?}");
    }
    let many = (0..65).map(|it| format!("p{it}")).collect::<Vec<_>>();
    let many = many.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(fixture.watch("shop", &many).await.unwrap_err().code(), "INVALID_WATCH_PATH");
}

#[tokio::test]
async fn what_cannot_be_compared_counts_as_changed() {
    let fixture = fixture().await;
    let repo = monorepo(&fixture.git);
    fixture.live(package("shop", &repo)).await;
    repo.commit_file("README.md", "Hello", "Say hello");
    assert!(fixture.unchanged("shop").await.starts_with("nothing under packages/shop"));
    repo.refuse_older_commits();
    let why = fixture.changed("shop").await;
    assert!(why.starts_with("watch: taken as changed: the repository does not have this commit"), "{why}");

    // Nothing to fetch for this one.
    assert!(fixture.unchanged("shop").await.ends_with("is live already"));
    repo.delete_remote();
    let failing = fixture.client.redeploy_if_changed("shop").await.unwrap().expect("a deployment");
    let failed = fixture.client.wait_for(&failing.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("REPO_NOT_FOUND"));

    let uploaded = project(&fixture.client, "uploaded").await;
    let site = archive_of(&example("static-site"));
    deploy(&fixture.client, &uploaded, site).await;
    let again = fixture.client.redeploy_if_changed(&uploaded).await.unwrap().expect("a deployment");
    fixture.client.wait_for(&again.id, DeploymentState::Live, BUILD).await;
}

#[tokio::test]
async fn watch_paths_in_a_browser() {
    let fixture = fixture().await;
    let repo = monorepo(&fixture.git);
    let (client, url) = (&fixture.client, fixture.server.api_url());
    let deployment = fixture.live(package("shop", &repo)).await;
    let first = repo.head()[..7].to_owned();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.sign_in(&url, "admin", &fixture.password).await;
    page.goto(&format!("{url}/projects/{}/settings", deployment.project_id)).await;
    page.fill_field("Watch paths", "packages/shop/\nshared/").await;
    page.screenshot("watch-1-paths").await;
    page.click_text("button", "Save changes").await;
    wait_until("they are kept", BUILD, async || {
        client.project_get("shop").await.unwrap().watch_paths == ["packages/shop/", "shared/"]
    })
    .await;
    page.click("[data-testid=redeploy-if-changed]").await;
    page.wait_for_text(&format!("Not deployed: {first} is live already."), BUILD).await;
    page.screenshot("watch-2-unchanged").await;
    repo.commit_file("shared/logo.svg", "<svg></svg>", "Another logo");
    page.click("[data-testid=redeploy-if-changed]").await;
    page.wait_for_text("Deployment #2 is on its way.", BUILD).await;
    page.resize(390, 844).await;
    page.screenshot("watch-3-phone").await;
    let overflow = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(overflow).await, 0, "the page fits a phone");
    assert_eq!(page.errors(), [""; 0]);
}
