//! Ports for what listens in workspaces.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ids::BaseDomain;

use super::settings::Values;

const URL: &str = "workspaces.ports_url";
const NUMBERS: &str = "workspaces.ports";
/// Each is listened on from the start on.
const MOST: usize = 1000;

/// Where the dashboard may be found.
pub(super) struct Dashboard<'a> {
    pub(super) public_url: Option<&'a str>,
    pub(super) base: &'a BaseDomain,
    pub(super) bound: IpAddr,
}

/// Both settings or none.
pub(super) fn read(values: &mut Values, dashboard: &Dashboard<'_>) -> Option<server::OwnPorts> {
    let (url, numbers) = (values.web_address(URL), values.text(NUMBERS));
    match (&url, &numbers) {
        (Some(_), None) => values.mistake(NUMBERS, "say which ports: 20000-20063"),
        (None, Some(_)) => values.mistake(URL, "say where browsers find them: https://ports.example.com"),
        _ => {}
    }
    let numbers = numbers.and_then(|text| {
        let numbers = range(&text);
        if numbers.is_none() {
            values.mistake(NUMBERS, format!("`{text}` is not like 20000-20063, at most {MOST} of them from 1024 on"));
        }
        numbers
    });
    let (text, url) = (url.as_deref()?, url::Url::parse(url.as_deref()?).ok()?);
    if url.port().is_some() || url.origin().ascii_serialization() != text {
        values.mistake(URL, "is a scheme and a host alone; workspaces.ports has the ports");
    }
    let public = dashboard.public_url.and_then(|url| url::Url::parse(url).ok());
    let public = public.as_ref().and_then(|url| url.host_str());
    let bound = dashboard.bound.to_string();
    let taken = [public, Some(dashboard.base.as_str()), Some(bound.as_str())];
    if let Some(taken) = taken.into_iter().flatten().find(|taken| url.host_str() == Some(taken)) {
        values.mistake(URL, format!("needs another host than the dashboard, {taken}: pages would get its cookies"));
    }
    Some(server::OwnPorts { origin: text.to_owned(), numbers: numbers? })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let numbers = first.trim().parse::<u16>().ok()?..=last.trim().parse().ok()?;
    ((1..=MOST).contains(&numbers.len()) && *numbers.start() >= 1024).then_some(numbers)
}
