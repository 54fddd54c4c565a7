//! By what the mesh's services are started on machines of their own: Fly's files, systemd's units, and the guide to them.

use std::collections::HashSet;
use std::process::Command;

use testkit::MeshService;

use super::inference::{self, Key};
use super::program;

const SETTINGS: &str = include_str!("../../src/config/settings/table.rs");
const GUIDE: &str = include_str!("../../../../docs/mesh-services.md");
const SERVER: &str = include_str!("../../../../packaging/systemd/nanoscale-server.service");
const AGENT: &str = include_str!("../../../../packaging/systemd/nanoscale-mesh-agent.service");
const FLY: [(&str, &str); 4] = [
    ("coordinator", include_str!("../../../../packaging/fly/fly.toml")),
    ("inference", include_str!("../../../../packaging/fly/fly.inference.toml")),
    ("control-plane", include_str!("../../../../packaging/fly/fly.control-plane.toml")),
    ("portal", include_str!("../../../../packaging/fly/fly.portal.toml")),
];
const UNITS: [(&str, &str); 4] = [
    ("coordinator", include_str!("../../../../packaging/systemd/nanoscale-coordinator.service")),
    ("inference", include_str!("../../../../packaging/systemd/nanoscale-inference.service")),
    ("control-plane", include_str!("../../../../packaging/systemd/nanoscale-control-plane.service")),
    ("portal", include_str!("../../../../packaging/systemd/nanoscale-portal.service")),
];
/// Where nobody answers.
const NOBODY: &str = "http://127.0.0.1:9";

/// Names and values of a section; units have the same form as far as this goes.
fn section<'a>(file: &'a str, header: &str) -> Vec<(&'a str, &'a str)> {
    let lines = file.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).collect()
}

fn value<'a>(file: &'a str, header: &str, name: &str) -> &'a str {
    let found = section(file, header).into_iter().find(|(it, _)| *it == name);
    found.unwrap_or_else(|| panic!("{name} is not in {header}")).1
}

fn help(words: &[&str]) -> String {
    let output = Command::new(program()).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_file_starts_what_the_program_knows() {
    let known = help(&["serve"]);
    let is_known = |command: &str, role: &str| {
        assert_eq!(command, format!("serve {role}"));
        assert!(known.contains(&format!("- {role}: ")), "{role} is not one of {known}");
    };
    for (role, file) in FLY {
        is_known(value(file, "[processes]", "app"), role);
    }
    // None has more rights than the server.
    let rights = SERVER.find("CapabilityBoundingSet=").map(|at| &SERVER[at..]).unwrap();
    for (role, unit) in UNITS {
        let of = |name| value(unit, "[Service]", name);
        is_known(of("ExecStart").strip_prefix("/usr/local/bin/nanoscale ").unwrap(), role);
        // Without a minus: there are secrets in it that the service needs.
        assert_eq!(of("EnvironmentFile"), format!("/etc/nanoscale/{role}.env"));
        assert_eq!(of("Environment"), format!("NANOSCALE_DATA_DIR=%S/{}", of("StateDirectory")));
        assert!(unit.ends_with(rights), "{role}");
    }
    let of = |name| value(AGENT, "[Service]", name);
    assert!(of("ExecStart").starts_with("/usr/local/bin/nanoscale mesh serve "));
    assert_eq!(of("EnvironmentFile"), "/etc/nanoscale/mesh-agent.env");
    assert_eq!(of("Environment"), format!("NANOSCALE_MESH_DIR=%S/{}", of("StateDirectory")));
    assert!(help(&["mesh", "serve"]).contains("[env: NANOSCALE_MESH_DIR="));
    assert!(AGENT.ends_with(rights));
}

#[test]
fn every_variable_is_one_of_a_setting() {
    let quoted = SETTINGS.split('"').skip(1).step_by(2);
    let names = quoted.flat_map(|it| [it.to_owned(), format!("NANOSCALE_{}", it.replace('.', "_").to_uppercase())]);
    let known = names.collect::<HashSet<_>>();
    let of_fly = FLY.into_iter().flat_map(|(_, file)| section(file, "[env]")).map(|(name, _)| name);
    let tables = GUIDE.lines().filter(|line| line.starts_with('|'));
    let is_variable = |word: &&str| word.contains('_') && word.chars().all(|it| it.is_ascii_uppercase() || it == '_');
    let of_guide = tables.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_variable);
    let named = of_fly.chain(of_guide).collect::<HashSet<_>>();
    assert!(named.len() > 20, "{named:?}");
    let unknown = named.into_iter().filter(|name| !known.contains(*name)).collect::<Vec<_>>();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fly_looks_where_each_service_is_well() {
    let key = Key::generate();
    let shared = [
        ("MESH_AUTH_TOKEN", "mesh-token-of-tests"),
        ("PORTAL_SERVICE_TOKEN", "portal-token-of-tests"),
        ("ADMIN_API_TOKEN", "admin-token-of-tests"),
        ("PORTAL_SERVICE_URL", NOBODY),
        ("COORDINATOR_URL", NOBODY),
    ];
    let variables = [&shared[..], &inference::service(&key, NOBODY)[..]].concat();
    for (role, file) in FLY {
        let bind = format!("NANOSCALE_MESH_{}_BIND", role.replace('-', "_").to_uppercase());
        let port = value(file, "[http_service]", "internal_port");
        assert_eq!(value(file, "[env]", &bind), format!("0.0.0.0:{port}"));
        let service = MeshService::start(program(), role, &variables).await;
        let path = value(file, "[[http_service.checks]]", "path");
        let answer = reqwest::get(format!("{}{path}", service.url())).await.unwrap();
        assert_eq!(answer.status(), 200, "{role}");
    }
}
