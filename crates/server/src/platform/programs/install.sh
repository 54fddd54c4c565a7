#!/bin/sh
# Installs NanoScale @VERSION@, and with --join makes this machine a node of the cluster that this script was made for.
# It takes the program from that cluster's server and installs it only when it is the one whose SHA-256 is below.
set -eu

VERSION='@VERSION@'
URL=@URL@
# The cluster's Ed25519 key.
CLUSTER='@CLUSTER@'

# SHA-256 of the program, by platform.
digest() {
    case $1 in
    @DIGESTS@
    *) echo '' ;;
    esac
}

fetch() {
    curl @CURL_OPTIONS@ "$@"
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

usage() {
    cat <<'USAGE'
sh install-script [--join TOKEN] [--prefix DIR] [--foreground]

  --join TOKEN   join the cluster with this token (or set NANOSCALE_JOIN_TOKEN)
  --prefix DIR   put everything below DIR, and install no service
  --foreground   run in the foreground instead of installing a service

As root the program goes to /usr/local/bin and its data to /var/lib/nanoscale; otherwise below ~/.local.
USAGE
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || fail "this needs $tool; install it and run this again"
    done
}

# A token's bytes: version (1), id (26), secret (32), the cluster's key (32), address, checksum (4).
token_bytes() {
    encoded=$(printf '%s' "${token#nsj_}" | tr -- '-_' '+/')
    while [ $((${#encoded} % 4)) -ne 0 ]; do encoded="$encoded="; done
    printf '%s' "$encoded" | base64 -d 2>/dev/null
}

check_token() {
    case $token in
    nsj_*) ;;
    *) fail "a join token begins with nsj_; make one with 'nanoscale node token' or in the dashboard's \"Add server\"" ;;
    esac
    need base64 od tail head tr
    shown=$(token_bytes | tail -c +60 | head -c 32 | od -An -v -tx1 | tr -d ' \n')
    [ "${#shown}" -eq 64 ] || fail 'the join token is not complete; copy it again as a whole'
    [ "$shown" = "$CLUSTER" ] ||
        fail "the join token is of another cluster than the one at $URL; take token and command from the same server"
}

find_platform() {
    [ "$(uname -s)" = Linux ] || fail "NanoScale runs on Linux; this is $(uname -s)"
    case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "there is no NanoScale for $(uname -m); it runs on x86_64 and aarch64" ;;
    esac
    sha256=$(digest "linux-$arch")
    [ -n "$sha256" ] ||
        fail "the server at $URL has no program for linux/$arch (NOT_SUPPLIED); put it there as agents/nanoscale-linux-$arch in the server's data directory and run this again"
}

find_places() {
    if [ -n "$prefix" ]; then
        bin=$prefix/bin etc=$prefix/etc/nanoscale data=$prefix/var/lib/nanoscale http=127.0.0.1:8080
    elif [ "$(id -u)" = 0 ]; then
        bin=/usr/local/bin etc=/etc/nanoscale data=/var/lib/nanoscale http=0.0.0.0:80
    else
        [ -n "${HOME:-}" ] || fail 'HOME is not set; say with --prefix where to install'
        bin=$HOME/.local/bin etc=${XDG_CONFIG_HOME:-$HOME/.config}/nanoscale http=0.0.0.0:8080
        data=${XDG_DATA_HOME:-$HOME/.local/share}/nanoscale
    fi
}

sum() {
    sha256sum "$1" | cut -d ' ' -f 1
}

install_program() {
    if [ -f "$bin/nanoscale" ] && [ "$(sum "$bin/nanoscale")" = "$sha256" ]; then
        say "NanoScale $VERSION is at $bin/nanoscale already"
    else
        mkdir -p "$bin"
        part=$(mktemp "$bin/.nanoscale.XXXXXX")
        trap 'rm -f "$part"' EXIT
        say "fetching NanoScale $VERSION for linux/$arch"
        fetch -o "$part" "$URL/api/agent/download?os=linux&arch=$arch" || fail "the program could not be fetched from $URL"
        found=$(sum "$part")
        [ "$found" = "$sha256" ] ||
            fail "what $URL sent is not the program this script is for (SHA-256 $found, not $sha256); nothing was installed"
        chmod 755 "$part"
        mv -f "$part" "$bin/nanoscale"
        trap - EXIT
        say "installed $bin/nanoscale"
    fi
    if [ -L "$bin/agent" ] || [ ! -e "$bin/agent" ]; then
        ln -sf nanoscale "$bin/agent"
    else
        say "warning: $bin/agent is something else and stays as it is"
    fi
}

# As a text of JSON.
json() {
    printf '%s' "$1" | sed 's/[\\"]/\\&/g'
}

write_config() {
    mkdir -p "$etc"
    config=$etc/node.json
    # The guide's file, where somebody has written one.
    if [ -z "$prefix" ] && [ -f /opt/nanoscale/config.json ]; then config=/opt/nanoscale/config.json; fi
    [ -f "$config" ] || cat >"$config" <<CONFIG
{ "data_dir": "$(json "$data")", "edge": { "http_bind": "$http" } }
CONFIG
    token_file=$etc/join-token
    (
        umask 077
        rm -f "$token_file"
        printf '%s\n' "$token" >"$token_file"
    )
}

write_unit() {
    cat >"$unit" <<UNIT
# A node of the cluster at $URL: root, and reached by nobody but its server, which it dials. Apps go on while it is started again.
[Unit]
Description=NanoScale node
After=network-online.target
Wants=network-online.target
# However long its server is away, it is tried again.
StartLimitIntervalSec=0

[Service]
ExecStart=$bin/nanoscale --config $config join --token-file $token_file
# Shims and the first processes of apps are in its group and outlive it.
Delegate=yes
KillMode=process
OOMPolicy=continue
Restart=always
RestartSec=5
TimeoutStopSec=15
LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy=multi-user.target
UNIT
}

has_joined() {
    id=$(token_bytes | tail -c +2 | head -c 26)
    grep -qs "$id" "$data/node/cluster.json"
}

start_service() {
    unit=/etc/systemd/system/nanoscale-node.service
    if [ -f "$unit" ] && ! grep -q 'join --token-file' "$unit"; then
        fail "this machine is the server of a cluster already ($unit); nothing was started"
    fi
    write_unit
    systemctl daemon-reload
    systemctl enable --quiet nanoscale-node
    systemctl restart nanoscale-node
    tries=0
    until has_joined; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ]; then
            journalctl -u nanoscale-node -n 10 --no-pager >&2 || true
            fail 'the service was started and has not joined within a minute; the lines above say why'
        fi
        sleep 1
    done
    say 'this machine has joined; journalctl -u nanoscale-node shows what it does'
}

main() {
    token=${NANOSCALE_JOIN_TOKEN:-} prefix='' foreground=''
    unset NANOSCALE_JOIN_TOKEN
    while [ $# -gt 0 ]; do
        case $1 in
        --join)
            [ $# -ge 2 ] || fail '--join needs a token'
            token=$2
            shift
            ;;
        --prefix)
            [ $# -ge 2 ] || fail '--prefix needs a directory'
            case $2 in /*) prefix=${2%/} ;; *) prefix=$PWD/${2%/} ;; esac
            shift
            ;;
        --foreground) foreground=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "$1 is not understood; --help says what is" ;;
        esac
        shift
    done
    need curl uname id mktemp sha256sum cut sed grep
    [ -z "$token" ] || check_token
    find_platform
    find_places
    install_program
    if [ -z "$token" ]; then
        say "to join a cluster: $bin/nanoscale join TOKEN"
        exit 0
    fi
    write_config
    if [ -n "$foreground" ]; then
        exec "$bin/nanoscale" --config "$config" join --token-file "$token_file"
    elif [ -z "$prefix" ] && [ "$(id -u)" = 0 ] && [ -d /run/systemd/system ]; then
        start_service
    else
        say 'there is no systemd to run it as a service here; to join, and after each start of this machine, run'
        printf '%s\n' "$bin/nanoscale --config $config join --token-file $token_file"
    fi
}

# As a whole or not at all: a script that broke off on its way does nothing.
main "$@"
