//! Runs a request through its checks and its rule to its answer.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use super::answer::Answer;
use super::behaviour::{Behaviour, Break, Issue};
use super::connection::{Dropped, Link, OpenedSocket};
use super::log::RequestEnd;
use super::received::Received;
use super::rule::Route;
use super::server::Shared;
use super::socket::{is_upgrade, upgrade};
use super::sse_body::{Body, played, whole};
use super::state::{Tracked, Turn, begin};
use super::steps::Step;
use super::stream_plan::StreamPlan;
use super::{admin, checks, login, oauth, quota, responses, wham};
use crate::clock;
use crate::pool::At;

/// The answer of an endpoint.
#[derive(Debug)]
pub(super) enum Reply {
    Whole(Answer),
    /// Status 200 and these headers.
    Stream {
        headers: Vec<(String, String)>,
        plan: StreamPlan,
        steps: Vec<Step>,
    },
    Rendered {
        headers: Vec<(String, String)>,
        bytes: Bytes,
    },
    /// A WebSocket is closed with this code.
    Close(u16),
    /// A WebSocket is opened.
    Opened,
}

pub(super) async fn answer(
    shared: Arc<Shared>,
    link: Link,
    opened: OpenedSocket,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let upgraded = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let now = clock::now();
    let Ok(received) = Received::new(&parts, &body) else {
        return Ok(finished(&Answer::json(400, json!({ "detail": "The body cannot be decoded" })), now));
    };
    if received.path.starts_with("/__sim/") {
        return Ok(finished(&admin::answer(&shared, &received, now), now));
    }
    if let Some(upgraded) = upgraded.filter(|_| Route::is_socket(&received.path)) {
        let (response, session) = upgrade(&shared, &link, received, upgraded).await?;
        opened.set(session);
        return Ok(response);
    }
    let route = Route::of(&received.method, &received.path);
    let turn = begin(&shared, route, &received, now);
    let reply = match route {
        None => Ok(Reply::Whole(Answer::json(404, json!({ "detail": "Not Found" })))),
        Some(route) => match checks::refuse(&shared, route, &received, now) {
            Some(refused) => Ok(Reply::Whole(refused)),
            None => behave(&shared, &link, route, &received, &turn).await,
        },
    };
    match reply {
        Ok(Reply::Close(_) | Reply::Opened) | Err(Dropped) => {
            turn.tracked.ended(RequestEnd::Broken);
            Err(Dropped)
        }
        Ok(reply) => {
            let mut response = written(reply, link, turn.tracked, now);
            response.headers_mut().extend(date(shared.state().ahead_ms, now));
            Ok(response)
        }
    }
}

/// hyper adds the true date when there is none.
pub(super) fn date(ahead_ms: i64, now: At) -> Option<(HeaderName, HeaderValue)> {
    let since_epoch = u64::try_from(now.0.checked_add(ahead_ms).filter(|_| ahead_ms != 0)?).ok()?;
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(since_epoch));
    Some((DATE, HeaderValue::try_from(date).ok()?))
}

pub(super) async fn behave(
    shared: &Arc<Shared>,
    link: &Link,
    route: Route,
    received: &Received,
    turn: &Turn,
) -> Result<Reply, Dropped> {
    let rule = shared.state().rule(turn.owner, route, turn.n);
    if rule.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(rule.delay_ms)).await;
    }
    match rule.behaviour {
        Behaviour::Hang => break_off(link, Break::Hang).await,
        Behaviour::Cut => break_off(link, Break::Cut).await,
        Behaviour::Reset => break_off(link, Break::Reset).await,
        Behaviour::Close(code) => Ok(Reply::Close(code)),
        Behaviour::Lost(how) => {
            endpoint(shared, route, received, turn, &Behaviour::Normal);
            break_off(link, how).await
        }
        Behaviour::Answer(mut answer) => {
            if answer.quota_headers
                && let Some(owner) = turn.owner
            {
                answer.headers.extend(wham::quota_headers(&shared.state().accounts[owner], clock::now()));
            }
            Ok(Reply::Whole(answer))
        }
        behaviour => Ok(endpoint(shared, route, received, turn, &behaviour)),
    }
}

async fn break_off(link: &Link, how: Break) -> Result<Reply, Dropped> {
    match how {
        Break::Hang => std::future::pending().await,
        Break::Cut => Err(Dropped),
        Break::Reset => {
            link.reset_when_dropped();
            Err(Dropped)
        }
    }
}

fn endpoint(shared: &Shared, route: Route, received: &Received, turn: &Turn, behaviour: &Behaviour) -> Reply {
    let now = clock::now();
    // The checks let no request without an account through to these routes.
    let owner = turn.owner.unwrap_or_default();
    Reply::Whole(match route {
        Route::Responses => return responses::respond(shared, owner, received, behaviour, now),
        Route::Socket => return Reply::Opened,
        Route::Token => match behaviour {
            Behaviour::Issue(issue) => oauth::token(shared, received, issue, now),
            _ => oauth::token(shared, received, &Issue::default(), now),
        },
        Route::Revoke => oauth::revoke(shared, turn.owner),
        Route::Authorize => login::authorize(shared, received),
        Route::DeviceCode => login::device_code(shared, received),
        Route::DevicePoll => login::device_poll(shared, received),
        Route::DevicePage => login::device_page(shared, received),
        Route::Usage => {
            let with_reserve = received.header("x-openai-codex-luna-reserve") == Some("1");
            wham::usage(&shared.state().accounts[owner], with_reserve, now)
        }
        Route::AccountsCheck => wham::accounts_check(&shared.state().accounts[owner]),
        Route::ResetCredits => quota::list(&shared.state().accounts[owner], now),
        Route::RedeemResetCredit => quota::redeem(&mut shared.state().accounts[owner], received, now),
        Route::Models => wham::models(),
    })
}

fn written(reply: Reply, link: Link, mut tracked: Tracked, now: At) -> Response<Body> {
    match reply {
        // Only of WebSockets, which `answer` has handled.
        Reply::Close(_) | Reply::Opened => finished(&Answer::json(500, json!({})), now),
        Reply::Whole(answer) => {
            let response = finished(&answer, now);
            tracked.answered_with(response.status().as_u16());
            tracked.ended(RequestEnd::Answered);
            response
        }
        Reply::Rendered { headers, bytes } => {
            tracked.answered_with(200);
            tracked.ended(RequestEnd::Answered);
            with_headers(Response::new(whole(bytes)), headers)
        }
        Reply::Stream { headers, plan, steps } => {
            tracked.answered_with(200);
            with_headers(Response::new(played(plan, steps, link, tracked)), headers)
        }
    }
}

pub(super) fn finished(answer: &Answer, now: At) -> Response<Body> {
    let (content_type, bytes) = answer.rendered(now);
    let mut response = Response::new(whole(bytes));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    with_headers(response, answer.headers.clone())
}

/// Headers that cannot be sent are left out.
fn with_headers(
    mut response: Response<Body>,
    headers: impl IntoIterator<Item = (String, String)>,
) -> Response<Body> {
    let sendable = headers.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    // Replaces the content type, because an answer may have its own.
    let sendable: HeaderMap = sendable.collect();
    for (name, value) in &sendable {
        response.headers_mut().insert(name, value.clone());
    }
    response
}
