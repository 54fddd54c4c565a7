//! Upstreams of one host that fail, and what becomes of the requests they were given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge::control::Control;
use edge::{Config, Target, Upstream};
use tokio::net::TcpListener;

use crate::driver::{Driver, among, plan};
use crate::load::{Load, post};
use crate::support::{App, Running, get, ok, until};

const SOON: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_secs(3600);

fn config(ejection: Duration) -> Config {
    Config { ejection, ejection_max: ejection, ..Config::default() }
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn route(edge: &Running, to: &[SocketAddr]) -> Arc<[Arc<Upstream>]> {
    let upstreams = to.iter().map(|address| edge.upstream(*address)).collect::<Arc<[_]>>();
    edge.edge.set_route("a.example", Target::Upstreams(upstreams.clone()));
    upstreams
}

/// Counts what arrives, answers with `bytes` and ends the connection.
async fn ends_with(bytes: &'static str) -> (App, Arc<AtomicUsize>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    let app = App::start(move |mut wire| {
        let count = count.clone();
        async move {
            if wire.message().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                wire.send(bytes).await;
            }
        }
    })
    .await;
    (app, arrived)
}

async fn counts() -> (App, Arc<AtomicUsize>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    let app = App::start(move |mut wire| {
        let count = count.clone();
        async move {
            while wire.message().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                wire.send(ok("well")).await;
            }
        }
    })
    .await;
    (app, arrived)
}

fn request(method: &str, body: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_that_is_killed_and_started_again_fails_no_get() {
    let edge = Running::with(config(SOON)).await;
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), None));
    let stays = App::says("stays").await;
    let mut dies = App::says("dies").await;
    let address = dies.addr;
    driver.tell(&plan(1, &[("a.example", among(&[("stays", stays.addr), ("dies", address)]))])).await;
    driver.until(|report| report.generation == 1).await;
    let load = Load::of(&edge, &[get("a.example"), request("DELETE", "")], 32);
    for _ in 0..10 {
        load.more(300).await;
        drop(dies);
        let report = driver.until(|report| !report.unhealthy.is_empty()).await;
        assert!(report.unhealthy.contains_key("dies") && report.upstreams.contains("dies"), "{report:?}");
        load.more(300).await;
        let (back, arrived) = counts_at(address).await;
        driver.until(|report| report.unhealthy.is_empty()).await;
        until(|| arrived.load(Ordering::SeqCst) > 100).await;
        dies = back;
    }
    load.end().await;
}

async fn counts_at(address: SocketAddr) -> (App, Arc<AtomicUsize>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    let app = App::on(TcpListener::bind(address).await.unwrap(), move |mut wire| {
        let count = count.clone();
        async move {
            while wire.message().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                if wire.try_send(ok("well")).await.is_err() {
                    return;
                }
            }
        }
    });
    (app, arrived)
}

#[tokio::test]
async fn what_does_not_answer_is_left_out_and_told() {
    let edge = Running::with(config(NEVER)).await;
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), None));
    let well = App::says("well").await;
    let (mute, arrived) = ends_with("").await;
    driver.tell(&plan(1, &[("a.example", among(&[("well", well.addr), ("mute", mute.addr)]))])).await;
    driver.until(|report| report.generation == 1).await;
    for _ in 0..100 {
        assert_eq!(edge.request(get("a.example")).await.body, "well");
    }
    assert_eq!(arrived.load(Ordering::SeqCst), 3);
    let report = driver.until(|report| !report.unhealthy.is_empty()).await;
    let reason = &report.unhealthy["mute"];
    assert!(reason.starts_with("the exchange failed: ") && report.unhealthy.len() == 1, "{report:?}");
    // Left to itself nothing changes; without it, it is forgotten.
    driver.tell(&plan(2, &[("a.example", among(&[("well", well.addr)]))])).await;
    driver.until(|report| report.generation == 2 && report.unhealthy.is_empty()).await;
}

#[tokio::test]
async fn who_accepts_but_does_not_answer_gets_single_trials() {
    let edge = Running::with(config(SOON)).await;
    let well = App::says("well").await;
    let (mute, arrived) = ends_with("").await;
    route(&edge, &[well.addr, mute.addr]);
    while arrived.load(Ordering::SeqCst) < 6 {
        assert_eq!(edge.request(get("a.example")).await.body, "well");
    }
}

#[tokio::test]
async fn when_all_are_left_out_all_are_tried() {
    let edge = Running::with(config(NEVER)).await;
    let addresses = [nobody().await, nobody().await];
    let upstreams = route(&edge, &addresses);
    while upstreams.iter().any(|upstream| upstream.fault().is_none()) {
        assert_eq!(edge.request(get("a.example")).await.status, 502);
    }
    let (_app, _) = counts_at(addresses[1]).await;
    for _ in 0..20 {
        assert_eq!(edge.request(post("a.example")).await.status, 200);
    }
    assert!(upstreams[1].fault().is_none(), "an answer brings it back");
}

#[tokio::test]
async fn an_error_page_is_an_answer() {
    let edge = Running::with(config(NEVER)).await;
    let app = App::start(|mut wire| async move {
        while wire.message().await.is_some() {
            wire.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let upstreams = route(&edge, &[app.addr, app.addr]);
    for _ in 0..20 {
        assert_eq!(edge.request(get("a.example")).await.status, 503);
    }
    assert!(upstreams.iter().all(|upstream| upstream.fault().is_none()));
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_twice() {
    let edge = Running::with(Config { eject_after: u32::MAX, ..Config::default() }).await;
    let ((well, answered), (mute, arrived)) = (counts().await, ends_with("").await);
    route(&edge, &[well.addr, mute.addr]);
    for n in 1..=60 {
        let request = [post("a.example"), request("POST", ""), request("PUT", "x"), request("PATCH", "")];
        let status = edge.request(&request[n % 4]).await.status;
        let seen = (answered.load(Ordering::SeqCst), arrived.load(Ordering::SeqCst));
        assert_eq!(seen.0 + seen.1, n, "each arrives once");
        assert!(status == 200 || status == 502);
    }
    assert!(arrived.load(Ordering::SeqCst) > 5);
}

#[tokio::test]
async fn what_certainly_did_not_arrive_is_sent_elsewhere() {
    let edge = Running::with(Config { eject_after: u32::MAX, ..Config::default() }).await;
    let (well, answered) = counts().await;
    route(&edge, &[well.addr, nobody().await]);
    for _ in 0..60 {
        assert_eq!(edge.request(post("a.example")).await.status, 200);
    }
    assert_eq!(answered.load(Ordering::SeqCst), 60);
}

#[tokio::test]
async fn what_is_idempotent_is_sent_elsewhere() {
    let edge = Running::with(Config { eject_after: u32::MAX, ..Config::default() }).await;
    let ((well, answered), (mute, arrived)) = (counts().await, ends_with("").await);
    route(&edge, &[well.addr, mute.addr]);
    for method in ["GET", "OPTIONS", "TRACE", "PUT", "DELETE"].into_iter().cycle().take(100) {
        assert_eq!(edge.request(request(method, "")).await.status, 200, "{method}");
    }
    assert_eq!(answered.load(Ordering::SeqCst), 100);
    assert!(arrived.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn after_the_first_byte_nothing_is_sent_again() {
    for half in ["H", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let edge = Running::with(Config { eject_after: u32::MAX, ..Config::default() }).await;
        let ((well, answered), (cut, arrived)) = (counts().await, ends_with(half).await);
        route(&edge, &[well.addr, cut.addr]);
        for n in 1..=1000 {
            let mut wire = edge.connect().await;
            wire.send(get("a.example")).await;
            let reply = wire.try_reply().await;
            let seen = (answered.load(Ordering::SeqCst), arrived.load(Ordering::SeqCst));
            assert_eq!(seen.0 + seen.1, n, "{half}");
            if seen.1 > 0 {
                let passed = half.contains("\r\n\r\n");
                assert_eq!(reply.map(|reply| reply.status), if passed { None } else { Some(502) }, "{half}");
                break;
            }
        }
        assert_eq!(arrived.load(Ordering::SeqCst), 1, "{half}");
    }
}

#[tokio::test]
async fn three_are_tried_at_most() {
    let edge = Running::with(Config { eject_after: u32::MAX, ..Config::default() }).await;
    let (mute, arrived) = ends_with("").await;
    route(&edge, &[mute.addr; 5]);
    assert_eq!(edge.request(get("a.example")).await.status, 502);
    assert_eq!(arrived.load(Ordering::SeqCst), 3);
}
