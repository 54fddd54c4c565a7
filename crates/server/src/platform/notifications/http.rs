use axum::extract::State;
use axum::http::StatusCode;
use domain::notification::Delivery;
use ids::{NotificationChannelId, NotificationDeliveryId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Notifications;
use super::channels::Read;
use crate::caller::Admin;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::rfc3339;
use crate::state::AppState;

const PAGE: i64 = 50;
const PAGE_MAX: i64 = 200;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(notification_channel_list, notification_channel_create))
        .routes(routes!(notification_channel_get, notification_channel_update, notification_channel_delete))
        .routes(routes!(notification_channel_test))
        .routes(routes!(notification_delivery_list))
        .routes(routes!(notification_delivery_retry))
}

/// Every notification channel with its newest delivery. Secrets are never returned.
#[utoipa::path(get, path = "/api/notification-channels", tag = "notifications", responses(
    (status = 200, body = api::NotificationChannelList), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody)))]
async fn notification_channel_list(
    _: Admin,
    State(notifications): State<Notifications>,
) -> Result<axum::Json<api::NotificationChannelList>> {
    let notification_channels = notifications.list().await?.into_iter().map(shown).collect();
    Ok(axum::Json(api::NotificationChannelList { notification_channels }))
}

/// Makes a notification channel. Every problem is named in `details.problems`.
#[utoipa::path(post, path = "/api/notification-channels", tag = "notifications",
    request_body = api::NotificationChannelCreate, responses(
    (status = 201, body = api::NotificationChannel), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn notification_channel_create(
    _: Admin,
    State(notifications): State<Notifications>,
    Json(create): Json<api::NotificationChannelCreate>,
) -> Result<(StatusCode, axum::Json<api::NotificationChannel>)> {
    Ok((StatusCode::CREATED, axum::Json(shown(notifications.create(create).await?))))
}

/// One notification channel.
#[utoipa::path(get, path = "/api/notification-channels/{id}", tag = "notifications",
    params(("id" = NotificationChannelId, Path)), responses(
    (status = 200, body = api::NotificationChannel), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn notification_channel_get(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationChannelId>,
) -> Result<axum::Json<api::NotificationChannel>> {
    Ok(axum::Json(shown(notifications.get(&id).await?)))
}

/// Changes what the request names. Switching a channel off gives up what it had still to tell.
#[utoipa::path(patch, path = "/api/notification-channels/{id}", tag = "notifications",
    params(("id" = NotificationChannelId, Path)), request_body = api::NotificationChannelUpdate, responses(
    (status = 200, body = api::NotificationChannel), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn notification_channel_update(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationChannelId>,
    Json(update): Json<api::NotificationChannelUpdate>,
) -> Result<axum::Json<api::NotificationChannel>> {
    Ok(axum::Json(shown(notifications.update(&id, update).await?)))
}

/// Removes a notification channel with its deliveries.
#[utoipa::path(delete, path = "/api/notification-channels/{id}", tag = "notifications",
    params(("id" = NotificationChannelId, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn notification_channel_delete(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationChannelId>,
) -> Result<StatusCode> {
    notifications.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test at once, and answers with what became of it.
#[utoipa::path(post, path = "/api/notification-channels/{id}/test", tag = "notifications",
    params(("id" = NotificationChannelId, Path)), responses(
    (status = 200, body = api::NotificationTest), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn notification_channel_test(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationChannelId>,
) -> Result<axum::Json<api::NotificationTest>> {
    Ok(axum::Json(notifications.test(&id).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// At most so many, 50 when absent.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What a channel told or tries to tell, newest first.
#[utoipa::path(get, path = "/api/notification-channels/{id}/deliveries", tag = "notifications",
    params(("id" = NotificationChannelId, Path), Page), responses(
    (status = 200, body = api::NotificationDeliveryList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn notification_delivery_list(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationChannelId>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::NotificationDeliveryList>> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let before = page.cursor.as_deref().map(str::parse::<NotificationDeliveryId>).transpose();
    let before = before
        .map_err(|_| Error::invalid("cursor", "INVALID_CURSOR", "pass the `next_cursor` of an earlier answer"))?;
    let mut listed = notifications.deliveries(&id, before.as_ref(), limit + 1).await?;
    let more = i64::try_from(listed.len()).unwrap_or(i64::MAX) > limit;
    if more {
        listed.pop();
    }
    let next_cursor = listed.last().filter(|_| more).map(|last| last.id.to_string());
    let deliveries = listed.into_iter().map(shown_delivery).collect();
    Ok(axum::Json(api::NotificationDeliveryList { deliveries, next_cursor }))
}

/// Sends at once what did not get through, or waits for its next attempt. The other side sees the same id.
#[utoipa::path(post, path = "/api/notification-deliveries/{id}/retry", tag = "notifications",
    params(("id" = NotificationDeliveryId, Path)), responses(
    (status = 202, body = api::NotificationDelivery), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn notification_delivery_retry(
    _: Admin,
    State(notifications): State<Notifications>,
    PathId(id): PathId<NotificationDeliveryId>,
) -> Result<(StatusCode, axum::Json<api::NotificationDelivery>)> {
    Ok((StatusCode::ACCEPTED, axum::Json(shown_delivery(notifications.retry(&id).await?))))
}

fn shown(read: Read) -> api::NotificationChannel {
    let Read { channel, settings, latest } = read;
    api::NotificationChannel {
        id: channel.id,
        name: channel.name,
        kind: channel.kind,
        settings,
        events: channel.events,
        project_ids: channel.project_ids,
        enabled: channel.enabled,
        disabled_reason: channel.disabled_reason,
        latest_delivery: latest.map(shown_delivery),
        created_at: rfc3339(channel.created_at),
        updated_at: rfc3339(channel.updated_at),
    }
}

fn shown_delivery(delivery: Delivery) -> api::NotificationDelivery {
    api::NotificationDelivery {
        id: delivery.id,
        channel_id: delivery.channel_id,
        event: delivery.event,
        subject: delivery.subject,
        project_id: delivery.project_id,
        deployment_id: delivery.deployment_id,
        state: delivery.state,
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_attempt_at.map(rfc3339),
        last_error: delivery.last_error,
        last_status: delivery.last_status,
        created_at: rfc3339(delivery.created_at),
        finished_at: delivery.finished_at.map(rfc3339),
    }
}
