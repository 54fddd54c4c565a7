use std::path::PathBuf;

use edge::control::{Control, Destination};

use crate::driver::{Driver, plan, to};
use crate::support::{App, Running, get, ok, soon};

#[tokio::test]
async fn a_plan_replaces_the_one_before_and_what_it_leaves_is_drained() {
    let edge = Running::start().await;
    let control = Control::new(edge.edge.clone(), None);
    let mut driver = Driver::of(&control);
    let (told, go) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let slow = App::start({
        let (told, go) = (told.clone(), go.clone());
        move |mut wire| {
            let (told, go) = (told.clone(), go.clone());
            async move {
                while wire.message().await.is_some() {
                    told.notify_one();
                    go.notified().await;
                    wire.send(ok("slow")).await;
                }
            }
        }
    })
    .await;
    let new = App::says("new").await;
    driver.tell(&plan(1, &[("a.example", to("old", slow.addr)), ("b.example", Destination::Starting)])).await;
    let report = driver.until(|report| report.generation == 1).await;
    assert!(report.upstreams.contains("old"));
    assert_eq!(edge.request(get("b.example")).await.status, 503);

    let mut wire = edge.connect().await;
    wire.send(get("a.example")).await;
    soon(told.notified()).await;
    driver.tell(&plan(2, &[("a.example", to("new", new.addr))])).await;
    let report = driver.until(|report| report.generation == 2).await;
    assert!(report.upstreams.contains("old") && report.upstreams.contains("new"), "{report:?}");
    assert_eq!(edge.request(get("a.example")).await.body, "new");
    assert_eq!(edge.request(get("b.example")).await.status, 404);
    go.notify_one();
    assert_eq!(wire.reply().await.body, "slow");
    driver.until(|report| !report.upstreams.contains("old")).await;
}

#[tokio::test]
async fn the_newest_driver_drives() {
    let edge = Running::start().await;
    let control = Control::new(edge.edge.clone(), None);
    let (one, two) = (App::says("one").await, App::says("two").await);
    let mut first = Driver::of(&control);
    first.tell(&plan(7, &[("a.example", to("one", one.addr))])).await;
    first.until(|report| report.generation == 7).await;
    let mut second = Driver::of(&control);
    // What the first one called by a number says nothing to the second.
    assert_eq!(second.report().await.unwrap().generation, 0);
    assert_eq!(edge.request(get("a.example")).await.body, "one");
    while first.report().await.is_some() {}
    second.tell(&plan(1, &[("a.example", to("two", two.addr))])).await;
    second.until(|report| report.generation == 1 && !report.upstreams.contains("one")).await;
    assert_eq!(edge.request(get("a.example")).await.body, "two");
}

#[tokio::test]
async fn a_port_answers_for_its_host_and_one_that_is_taken_is_told_and_tried_again() {
    let edge = Running::start().await;
    let control = Control::new(edge.edge.clone(), None);
    let app = App::says("app").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut wanted = plan(1, &[("a.example", to("app", app.addr))]);
    wanted.sites[0].port = Some(address.port());
    let mut driver = Driver::of(&control);
    driver.tell(&wanted).await;
    let report = driver.until(|report| report.generation == 1).await;
    assert!(report.port_errors["a.example"].contains(&address.port().to_string()), "{report:?}");
    drop(taken);
    driver.until(|report| report.port_errors.is_empty()).await;
    let mut wire = crate::support::Wire::connect(address).await;
    wire.send(get("any.example")).await;
    assert_eq!(wire.reply().await.body, "app");
}

#[tokio::test]
async fn ports_that_change_hosts_are_open_throughout() {
    let edge = Running::start().await;
    let control = Control::new(edge.edge.clone(), None);
    let (a, b) = (App::says("a").await, App::says("b").await);
    let free = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = free.map(|listener| listener.local_addr().unwrap());
    let mut driver = Driver::of(&control);
    for generation in 1..=2 {
        let mut wanted = plan(generation, &[("a.example", to("a", a.addr)), ("b.example", to("b", b.addr))]);
        let turn = usize::from(generation == 2);
        for (index, site) in wanted.sites.iter_mut().enumerate() {
            site.port = Some(ports[(index + turn) % 2].port());
        }
        driver.tell(&wanted).await;
        let report = driver.until(|report| report.generation == generation).await;
        assert!(report.port_errors.is_empty(), "{report:?}");
        for (index, said) in ["a", "b"].into_iter().enumerate() {
            let answered = async || {
                let mut wire = crate::support::Wire::connect(ports[(index + turn) % 2]).await;
                wire.send(get("any.example")).await;
                wire.reply().await.body
            };
            // The old host's listener may take one more connection.
            while answered().await != said {}
        }
    }
}

#[tokio::test]
async fn the_last_plan_outlives_the_process() {
    let directory = std::env::temp_dir().join(format!("nanoscale-test-edge-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let snapshot: PathBuf = directory.join("routes.json");
    let app = App::says("app").await;
    {
        let edge = Running::start().await;
        let mut driver = Driver::of(&Control::new(edge.edge.clone(), Some(snapshot.clone())));
        for generation in 1..=20 {
            driver.tell(&plan(generation, &[("a.example", to(&generation.to_string(), app.addr))])).await;
        }
        driver.until(|report| report.generation == 20).await;
        // What is confirmed is kept.
        assert!(std::fs::read_to_string(&snapshot).unwrap().contains("\"generation\":20"));
    }
    let edge = Running::start().await;
    let mut driver = Driver::of(&Control::new(edge.edge.clone(), Some(snapshot.clone())));
    assert_eq!(edge.request(get("a.example")).await.body, "app");
    assert_eq!(driver.report().await.unwrap().generation, 0);

    std::fs::write(&snapshot, "{").unwrap();
    let edge = Running::start().await;
    let _driver = Driver::of(&Control::new(edge.edge.clone(), Some(snapshot)));
    assert_eq!(edge.request(get("a.example")).await.status, 404);
    std::fs::remove_dir_all(directory).unwrap();
}
