"""The host, its neighbours and its network."""
import ctypes
import fcntl
import os
import socket
import struct

from verdict import each, each_at_once, targets

PATIENCE = 1


def connect(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as client:
        client.settimeout(PATIENCE)
        client.connect(address)
        return f"connected to {address}"


def ask(address):
    """A datagram is gone without a word: only an answer counts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"hello", address)
        return client.recvfrom(64)


def tcp(hosts, ports):
    return [(f"{host}:{port}", lambda host=host, port=port: connect((host, port))) for host in hosts for port in ports]


def ports_of_the_host():
    return each_at_once(tcp(["127.0.0.1", "198.18.0.1", "0.0.0.0", *targets("host_addresses")], targets("host_ports")))


def ports_of_the_host_over_ipv6():
    """Its end of our link has an address of its own there, which follows from its hardware address."""
    addresses = [("::1", 0), ("::ffff:198.18.0.1", 0)]
    try:
        index = socket.if_nametoindex("eth0")
        with open("/proc/net/arp") as file:
            for line in list(file)[1:]:
                mac = bytes.fromhex(line.split()[3].replace(":", ""))
                low = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
                addresses.append((socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + b"\0" * 6 + low), index))
        addresses.append(("ff02::1", index))
    except OSError:
        pass
    return each_at_once([(f"[{host}]:{port}", lambda host=host, port=port, scope=scope:
                  connect((host, port, 0, scope), socket.AF_INET6))
                 for host, scope in addresses for port in targets("host_ports")])


def datagrams_to_the_host():
    hosts = ["198.18.0.1", "255.255.255.255", "198.19.255.255", "224.0.0.1", *targets("host_addresses")]
    return each_at_once([(f"{host}:{port}", lambda host=host, port=port: ask((host, port)))
                 for host in hosts for port in targets("host_datagram_ports")])


def neighbours():
    return each_at_once(tcp(targets("neighbour_addresses"), [3000, 80, 22]))


def metadata_of_the_cloud():
    return each_at_once(tcp(["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"], [80]))


def private_networks():
    return each_at_once(tcp(["10.0.0.1", "10.255.255.254", "172.16.0.1", "172.17.0.1", "192.168.0.1", "192.168.1.1", "100.64.0.1",
                     "198.18.3.4", "198.19.0.1", "240.0.0.1"], [22, 80]))


def sockets_of_the_product():
    paths = targets("sockets")
    ways = ["{}", "/proc/1/root{}", "/tmp/../../..{}"]
    # Longer than an address has room for is as good as not there (unix(7)).
    return each([(path, lambda path=path: connect(path, socket.AF_UNIX) if len(path) < 108 else os.stat(path))
                 for known in paths for path in (way.format(known) for way in ways)])


def abstract_sockets_of_the_host():
    return each([(name, lambda name=name: connect("\0" + name, socket.AF_UNIX)) for name in targets("abstract")])


def unusual_sockets():
    families = {"packet": 17, "vsock": 40, "alg": 38, "key": 15, "can": 29, "rds": 21, "tipc": 30, "bluetooth": 31, "xdp": 44,
                "llc": 26, "nfc": 39, "qipcrtr": 42, "smc": 43, "x25": 9, "appletalk": 5, "ax25": 3}

    def make(*arguments):
        socket.socket(*arguments).close()
        return "made one"
    attempts = [(name, lambda family=family, kind=kind: make(family, kind))
                for name, family in families.items() for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)]
    attempts += [(f"raw {protocol}", lambda protocol=protocol: make(socket.AF_INET, socket.SOCK_RAW, protocol))
                 for protocol in (1, 6, 255)]
    attempts.append(("raw 6", lambda: make(socket.AF_INET6, socket.SOCK_RAW, 58)))
    attempts += [(f"netlink {protocol}", lambda protocol=protocol: make(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
                 for protocol in (2, 4, 6, 9, 12, 15, 16)]
    return each(attempts)


def change_its_network():
    """Takes its own loopback down, by the only kind of netlink socket there is."""
    def request():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
            route.settimeout(PATIENCE)
            link = struct.pack("=BxHiII", 0, 0, 1, 0, 1)
            route.send(struct.pack("=IHHII", 16 + len(link), 16, 5, 1, 0) + link)
            code = struct.unpack("=i", route.recv(4096)[16:20])[0]
            if code:
                raise OSError(-code, "netlink")
            return "changed"

    def interface():
        with socket.socket() as any_socket:
            # SIOCSIFFLAGS, through the older interface.
            data = struct.pack("16sh14x", b"lo", 0)
            fcntl.ioctl(any_socket, 0x8914, data)
            return "changed"

    def spoof():
        with socket.socket() as any_socket:
            any_socket.setsockopt(socket.SOL_IP, 19, 1)
            return "may use any address"
    return each([("netlink", request), ("ioctl", interface), ("transparent", spoof)])


def shared_memory_of_the_host():
    """System V memory that the host made for everybody."""
    libc = ctypes.CDLL(None, use_errno=True)

    def get(key):
        ctypes.set_errno(0)
        if libc.shmget(key, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "shmget")
        return "found"
    return each([(str(key), lambda key=key: get(key)) for key in targets("shared_memory")])


ATTACKS = [ports_of_the_host, ports_of_the_host_over_ipv6, datagrams_to_the_host, neighbours, metadata_of_the_cloud,
           private_networks, sockets_of_the_product, abstract_sockets_of_the_host, unusual_sockets, change_its_network,
           shared_memory_of_the_host]
