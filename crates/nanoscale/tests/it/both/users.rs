//! Several people on one server.

use crate::server;

fn create(username: &str, password: &str, role: Option<&str>) -> api::UserCreate {
    api::UserCreate { username: username.into(), password: password.into(), role: role.map(str::to_owned) }
}

#[tokio::test]
async fn an_account_is_made_once_by_those_who_may() {
    let server = server().start().await;
    let superadmin = server.setup().await;
    let admin = superadmin.sign_in_another("Ada", "admin").await;
    let user = admin.sign_in_another("bob", "user").await;
    assert_eq!(admin.me().await.unwrap().user.role, "admin");
    assert_eq!(user.me().await.unwrap().user.username, "bob");
    let listed = admin.user_list().await.unwrap().users;
    let listed = listed.iter().map(|user| (user.username.as_str(), user.role.as_str())).collect::<Vec<_>>();
    assert_eq!(listed, [("ada", "admin"), ("admin", "superadmin"), ("bob", "user")]);

    let refused = async |by: &testkit::Client, create: api::UserCreate| {
        let failure = by.user_create(&create).await.unwrap_err();
        (failure.status, failure.code().to_owned())
    };
    let said = |status, code: &str| (status, code.to_owned());
    let secret = "long enough";
    assert_eq!(refused(&user, create("eve", secret, None)).await, said(403, "ADMIN_ONLY"));
    assert_eq!(user.user_list().await.unwrap_err().status, 403);
    assert_eq!(refused(&admin, create("eve", secret, Some("admin"))).await, said(403, "SUPERADMIN_ONLY"));
    assert_eq!(refused(&superadmin, create("eve", secret, Some("superadmin"))).await, said(400, "INVALID_ROLE"));
    assert_eq!(refused(&admin, create("BOB", secret, None)).await, said(409, "NAME_TAKEN"));
    assert_eq!(refused(&admin, create("eve", "short", None)).await, said(400, "PASSWORD_TOO_SHORT"));
    assert_eq!(refused(&admin, create("a\0b", secret, None)).await, said(400, "INVALID_USERNAME"));
    assert_eq!(admin.user_list().await.unwrap().users.len(), 3);
    assert_eq!(admin.user_create(&create("eve", secret, None)).await.unwrap().role, "user");
}

#[tokio::test]
async fn of_ten_accounts_of_one_name_at_once_one_is_made() {
    let server = server().start().await;
    let admin = server.setup().await;
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let admin = admin.clone();
        attempts.spawn(async move { admin.user_create(&create("ada", "long enough", None)).await });
    }
    let mut made = 0;
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap() {
            Ok(_) => made += 1,
            Err(failure) => assert!(matches!(failure.status, 409 | 429), "{failure}"),
        }
    }
    assert_eq!(made, 1);
}
