# NanoScale as it is installed on a machine of its own. All of it on the disk before the tests begin.
install -m 755 /vm/nanoscale /usr/local/bin/nanoscale
mkdir -p /etc/nanoscale
cat > /etc/nanoscale/config.json <<'END'
{ "data_dir": "/var/lib/nanoscale" }
END
cat > /etc/systemd/system/nanoscale.service <<'END'
[Unit]
After=network.target

[Service]
ExecStart=/usr/local/bin/nanoscale serve --config /etc/nanoscale/config.json
Environment=NANOSCALE_SETUP_CODE=in-the-virtual-machine
Delegate=yes
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl --quiet enable --now nanoscale.service
sync
