use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use ids::TokenId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Identity, SignedIn};
use crate::caller::{Admin, Anonymous, Caller, User};
use crate::error::Result;
use crate::http::{Json, PathId};
use crate::rfc3339;
use crate::state::AppState;

type SetCookie = [(HeaderName, String); 1];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(auth_setup))
        .routes(routes!(auth_login))
        .routes(routes!(auth_logout))
        .routes(routes!(auth_status))
        .routes(routes!(auth_status_post))
        .routes(routes!(auth_me))
        .routes(routes!(token_list, token_create))
        .routes(routes!(token_delete))
        .routes(routes!(user_list, user_create))
}

fn me(user: domain::user::User) -> axum::Json<api::Me> {
    axum::Json(api::Me { user: shown(user) })
}

fn shown(user: domain::user::User) -> api::User {
    api::User { id: user.id, username: user.username, role: user.role }
}

fn signed_in(signed_in: SignedIn) -> (SetCookie, axum::Json<api::Me>) {
    ([(header::SET_COOKIE, signed_in.cookie)], me(signed_in.user))
}

/// First-run setup: makes the administrator and signs in.
#[utoipa::path(post, path = "/api/auth/setup", tag = "auth", request_body = api::Setup, responses(
    (status = 201, body = api::Me), (status = 400, body = api::ErrorBody), (status = 403, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody), (status = 429, body = api::ErrorBody)))]
async fn auth_setup(
    _: Anonymous,
    State(identity): State<Identity>,
    Json(setup): Json<api::Setup>,
) -> Result<(StatusCode, SetCookie, axum::Json<api::Me>)> {
    let (cookie, me) = signed_in(identity.setup(&setup).await?);
    Ok((StatusCode::CREATED, cookie, me))
}

/// Signs in: a new session, whatever the browser had before.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = api::Credentials, responses(
    (status = 200, body = api::Me), (status = 401, body = api::ErrorBody), (status = 429, body = api::ErrorBody)))]
async fn auth_login(
    caller: Anonymous,
    State(identity): State<Identity>,
    Json(credentials): Json<api::Credentials>,
) -> Result<(SetCookie, axum::Json<api::Me>)> {
    let fresh = identity.login(&credentials, &caller.address).await?;
    identity.logout(caller.session.as_deref()).await?;
    Ok(signed_in(fresh))
}

/// Ends the session on the server.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
async fn auth_logout(caller: Anonymous, State(identity): State<Identity>) -> Result<(StatusCode, SetCookie)> {
    let cookie = identity.logout(caller.session.as_deref()).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Whether setup is done and this browser is signed in.
#[utoipa::path(get, path = "/api/auth/status", tag = "auth", responses((status = 200, body = api::AuthStatus)))]
async fn auth_status(caller: Anonymous, State(identity): State<Identity>) -> Result<axum::Json<api::AuthStatus>> {
    let authenticated = match &caller.session {
        Some(session) => identity.session_owner(session).await?.is_some(),
        None => false,
    };
    Ok(axum::Json(api::AuthStatus {
        users_count: identity.users_count().await?,
        authenticated,
        mesh_only: identity.is_of_mesh_only(),
    }))
}

/// The same, as the installation guide calls it.
#[utoipa::path(post, path = "/api/auth/status", tag = "auth", responses((status = 200, body = api::AuthStatus)))]
async fn auth_status_post(caller: Anonymous, state: State<Identity>) -> Result<axum::Json<api::AuthStatus>> {
    auth_status(caller, state).await
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses(
    (status = 200, body = api::Me), (status = 401, body = api::ErrorBody)))]
async fn auth_me(User(user): User) -> axum::Json<api::Me> {
    me(user)
}

/// The caller's API tokens, newest first, without the tokens themselves. To a token: those that it could have made.
#[utoipa::path(get, path = "/api/tokens", tag = "tokens", responses(
    (status = 200, body = api::TokenList), (status = 401, body = api::ErrorBody)))]
async fn token_list(caller: Caller, State(identity): State<Identity>) -> Result<axum::Json<api::TokenList>> {
    let tokens = identity.token_list(&caller.user, &caller.credential).await?;
    let tokens = tokens
        .into_iter()
        .map(|token| {
            Ok(api::Token {
                id: token.id,
                name: token.name,
                scopes: token.scopes,
                parent_id: token.parent_id,
                created_at: rfc3339(token.created_at),
                last_used_at: token.last_used_at.map(rfc3339),
                expires_at: token.expires_at.map(rfc3339),
                model_limits: super::model_limits(token.model_limits.as_deref())?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(axum::Json(api::TokenList { tokens }))
}

/// Makes an API token. This answer is the only place it is ever shown. A token makes none that may do more, or lives
/// longer, than itself; and what it makes is revoked with it.
#[utoipa::path(post, path = "/api/tokens", tag = "tokens", request_body = api::TokenCreate, responses(
    (status = 201, body = api::TokenCreated), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody)))]
async fn token_create(
    caller: Caller,
    State(identity): State<Identity>,
    Json(create): Json<api::TokenCreate>,
) -> Result<(StatusCode, axum::Json<api::TokenCreated>)> {
    Ok((StatusCode::CREATED, axum::Json(identity.token_create(&caller.user, &caller.credential, &create).await?)))
}

/// Revokes an API token at once, and with it the tokens that it made.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn token_delete(
    caller: Caller,
    State(identity): State<Identity>,
    PathId(id): PathId<TokenId>,
) -> Result<StatusCode> {
    identity.token_delete(&caller.user, &caller.credential, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has an account.
#[utoipa::path(get, path = "/api/users", tag = "users", responses((status = 200, body = api::UserList),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody)))]
async fn user_list(_: Admin, State(identity): State<Identity>) -> Result<axum::Json<api::UserList>> {
    let users = identity.user_list().await?.into_iter().map(shown).collect();
    Ok(axum::Json(api::UserList { users }))
}

/// Makes an account for another person, who signs in with that name and password. Only the superadmin makes
/// administrators.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = api::UserCreate, responses(
    (status = 201, body = api::User), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn user_create(
    Admin(by): Admin,
    State(identity): State<Identity>,
    Json(create): Json<api::UserCreate>,
) -> Result<(StatusCode, axum::Json<api::User>)> {
    Ok((StatusCode::CREATED, axum::Json(shown(identity.user_create(&by, &create).await?))))
}
