# As docs/INSTALL.md says.
install -m 755 /vm/nanoscale /usr/local/bin/
useradd --system --no-create-home --shell /usr/sbin/nologin nanoscale
useradd --system --no-create-home --shell /usr/sbin/nologin nanoscale-edge
mkdir -p /etc/nanoscale
echo '{"data_dir": "/var/lib/nanoscale", "edge": {"http_bind": "0.0.0.0:80"}}' > /etc/nanoscale/config.json
echo 'NANOSCALE_SETUP_CODE=in-the-virtual-machine' > /etc/nanoscale/server.env
cp /vm/systemd/*.service /etc/systemd/system/
cp /vm/modules-load.d/nanoscale.conf /etc/modules-load.d/
# An emulated disk takes its time for each request, which no real one does: what is read after a start comes in large ones.
echo 'w /sys/block/vda/queue/read_ahead_kb - - - - 4096' > /etc/tmpfiles.d/read-ahead.conf
systemctl daemon-reload
systemctl --quiet enable nanoscale-server nanoscale-edge nanoscale-node
# All of it on the disk before NanoScale begins: what it does itself, it has to make safe itself.
sync
systemctl start nanoscale-server nanoscale-edge nanoscale-node
