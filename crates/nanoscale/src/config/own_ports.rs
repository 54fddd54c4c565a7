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

impl Dashboard<'_> {
    fn is_at(&self, host: &str) -> bool {
        let public = self.public_url.and_then(|url| url::Url::parse(url).ok());
        let public = public.as_ref().and_then(|url| url.host_str());
        [public, Some(self.base.as_str())].contains(&Some(host))
            || self.bound.to_string() == host.trim_matches(['[', ']'])
    }
}

/// Both settings or none.
pub(super) fn read(values: &mut Values, dashboard: &Dashboard<'_>) -> Option<server::OwnPorts> {
    let (url, numbers) = (values.web_address(URL), values.text(NUMBERS));
    if url.is_some() && numbers.is_none() {
        values.mistake(NUMBERS, "say which ports: 20000-20063");
    } else if values.text(URL).is_none() && numbers.is_some() {
        values.mistake(URL, "say where browsers find them: https://ports.example.net");
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
    let host = url.host_str().unwrap_or_default();
    if dashboard.is_at(host) {
        values.mistake(URL, format!("needs another host than the dashboard, not {host}: pages would get its cookies"));
    }
    let label = host.strip_suffix(dashboard.base.as_str()).and_then(|label| label.strip_suffix('.'));
    if label.is_some_and(|label| !label.contains('.') && !label.starts_with("ws-")) {
        values.mistake(
            URL,
            format!(
                "an app could be named {host}; let it begin with `ws-`, or be outside of {}",
                dashboard.base.as_str()
            ),
        );
    }
    Some(server::OwnPorts { origin: text.to_owned(), numbers: numbers? })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let numbers = first.trim().parse::<u16>().ok()?..=last.trim().parse().ok()?;
    ((1..=MOST).contains(&numbers.len()) && *numbers.start() >= 1024).then_some(numbers)
}
