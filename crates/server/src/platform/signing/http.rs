use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Signing;
use crate::caller::{Admin, Caller};
use crate::error::Result;
use crate::http::Json;
use crate::platform::rates::{Rated, Rates};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(jwks))
        .routes(routes!(signing_key_list))
        .routes(routes!(signing_key_rotate))
        .routes(routes!(terminal_token_create))
}

/// The public halves of the keys that our tokens are signed with (RFC 7517), also of the one before, for as long as
/// its tokens are good.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "tokens",
    responses((status = 200, body = api::JsonWebKeySet)))]
async fn jwks(State(signing): State<Signing>) -> Result<impl IntoResponse> {
    let keys = signing.accepted().await?.into_iter().map(|key| api::JsonWebKey {
        kty: "RSA".to_owned(),
        key_use: "sig".to_owned(),
        alg: "RS256".to_owned(),
        kid: key.id,
        n: key.modulus,
        e: key.exponent,
    });
    let set = api::JsonWebKeySet { keys: keys.collect() };
    Ok(([(header::CACHE_CONTROL, "public, max-age=3600")], axum::Json(set)))
}

/// Keys that tokens are signed with, the one that signs now first.
#[utoipa::path(get, path = "/api/signing-keys", tag = "tokens", responses((status = 200, body = api::SigningKeyList),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody)))]
async fn signing_key_list(_: Admin, State(signing): State<Signing>) -> Result<axum::Json<api::SigningKeyList>> {
    let keys = signing.accepted().await?.into_iter().map(|key| signing.shown(key)).collect();
    Ok(axum::Json(api::SigningKeyList { signing_keys: keys }))
}

/// Makes a new key, which signs from now on. The one before stays published and good until its last token has run
/// out, unless it is revoked.
#[utoipa::path(post, path = "/api/signing-keys/rotate", tag = "tokens", request_body = api::SigningKeyRotate,
    responses((status = 200, body = api::SigningKeyList), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn signing_key_rotate(
    Admin(by): Admin,
    State(signing): State<Signing>,
    Json(rotate): Json<api::SigningKeyRotate>,
) -> Result<axum::Json<api::SigningKeyList>> {
    let keys = signing.rotate(&by, rotate.revoke_previous).await?;
    let signing_keys = keys.into_iter().map(|key| signing.shown(key)).collect();
    Ok(axum::Json(api::SigningKeyList { signing_keys }))
}

/// A token for the terminals of one's own workspace. It dies with the sign-in that asked for it.
#[utoipa::path(post, path = "/api/terminal/token", tag = "tokens", request_body = api::TerminalTokenCreate,
    responses((status = 200, body = api::TerminalToken), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody),
    (status = 429, body = api::ErrorBody)))]
async fn terminal_token_create(
    caller: Caller,
    State(signing): State<Signing>,
    State(rates): State<Rates>,
    Json(create): Json<api::TerminalTokenCreate>,
) -> Result<axum::Json<api::TerminalToken>> {
    let issue = signing.terminal_issue(&caller, &create.workspace_id);
    rates.count(&caller.user, Rated::TerminalToken, issue).await.map(axum::Json)
}
