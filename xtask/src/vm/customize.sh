# The system's disk, the drive with our programs, and a service that runs what that drive says.
set -e
cat > "$1/etc/fstab" <<'END'
/dev/vda / ext4 defaults 0 0
/dev/vdb /vm ext4 ro 0 0
END
mkdir "$1/vm"
echo vm > "$1/etc/hostname"
printf '127.0.0.1 localhost vm\n::1 localhost\n' > "$1/etc/hosts"

cat > "$1/etc/systemd/system/vm.service" <<'END'
[Unit]
Requires=dev-virtio\x2dports-host.device
After=basic.target dev-virtio\x2dports-host.device
RequiresMountsFor=/vm

[Service]
Type=exec
ExecStart=/bin/bash /vm/run.sh
# What a person has at a terminal.
Delegate=yes
KillMode=process
TasksMax=infinity
LimitNOFILE=1048576

[Install]
WantedBy=multi-user.target
END
systemctl --quiet --root="$1" enable vm.service
# Nobody logs in, and nothing is done at night.
systemctl --quiet --root="$1" mask getty.target systemd-logind.service e2scrub_reap.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
