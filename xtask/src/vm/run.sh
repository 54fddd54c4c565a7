# Runs in the machine, as root, with what it writes on the host's terminal; the host takes the power away afterwards.
exec > /dev/virtio-ports/host 2>&1 < /dev/null
export HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# An emulated processor takes this many times as long, and more.
export NANOSCALE_TEST_PATIENCE=8
task=$(sed -n 's/.*\bvm\.task=\(\S*\).*/\1/p' /proc/cmdline)
failed=0

# One program of tests; the others are run whatever comes of it.
run() {
  printf '\n     Running in the virtual machine: %s\n' "$*"
  "$@" || failed=$?
}

# A way out, as every machine has one, that leads nowhere: what is said of addresses is said by NanoScale, not for want of it.
ip link add wan type veth peer name nowhere
ip addr add 192.0.2.2/24 dev wan
ip link set nowhere up
ip link set wan up
ip route add default via 192.0.2.1

# The programs lie where they think they do.
while read -r from to; do
  mkdir -p "$(dirname "$to")"
  [ -e "$to" ] || ln -s "$from" "$to"
done < /vm/links

. "/vm/$task"
echo "vm: ended with $failed"
