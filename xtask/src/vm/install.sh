# NanoScale as three services, each with a user and a directory of its own.
install -m 755 /vm/nanoscale /usr/local/bin/nanoscale
for part in server edge; do
  useradd --system --no-create-home "nanoscale-$part"
  install -d -m 700 -o "nanoscale-$part" -g "nanoscale-$part" "/var/lib/nanoscale/$part"
done
mkdir -p /etc/nanoscale
cat > /etc/nanoscale/config.json <<'END'
{ "data_dir": "/var/lib/nanoscale", "edge": { "http_bind": "127.0.0.1:80" } }
END

unit() {
  {
    printf '[Service]\nExecStart=/usr/local/bin/nanoscale serve %s --config /etc/nanoscale/config.json\n' "$1"
    cat
    printf 'Restart=always\n\n[Install]\nWantedBy=multi-user.target\n'
  } > "/etc/systemd/system/nanoscale-$1.service"
}
unit server <<'END'
User=nanoscale-server
Environment=NANOSCALE_SETUP_CODE=in-the-virtual-machine
END
unit edge <<'END'
User=nanoscale-edge
AmbientCapabilities=CAP_NET_BIND_SERVICE
END
unit node <<'END'
# Apps outlive the service.
Delegate=yes
KillMode=process
TasksMax=infinity
END
systemctl daemon-reload
# On the disk before NanoScale has begun: what it does itself, it has to make safe itself.
systemctl --quiet enable nanoscale-{server,edge,node}.service
sync
systemctl start nanoscale-{server,edge,node}.service
