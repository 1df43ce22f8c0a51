# SPDX-License-Identifier: BSD-2-Clause
"""Two machines, joined by a cable, that share a disk (/dev/vdb)."""

import re
import socket

ADDRESSES = ("10.1.0.1", "10.1.1.1")
DISK = ["format=raw,vdev=xvda,access=rw,backendtype=phy,target=/dev/vdb"]     # the shared disk, for a guest


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def join(m, address):
    """Puts the machine's end of the cable on the guests' bridge, at an address of its own."""
    names = m.out("for d in /sys/class/net/*/device/driver; do echo $(readlink -f $d) $d; done")
    name = re.search(r"/virtio_net /sys/class/net/(\w+)/", names).group(1)
    m.run(f"ip addr flush dev xenbr0; ip addr add {address}/16 dev xenbr0; "
          f"ip link set {name} master xenbr0 && ip link set {name} up")
    # A guest that never rests shall not keep dom0 waiting; dom0, which serves and sends it, goes first.
    m.run("xl sched-credit2 -d 0 -w 2048")
    m.address = address


def pair(machine, disk, **wishes):
    """Boots the two and gives them. machine: the fixture; disk: the path of the one they share; wishes: of both."""
    port, common = free_port(), {"cpus": 1, "disks": [("shared", disk)], **wishes}
    # One after the other: QEMU's end of the cable wants a listener, and Debian's Xen stops for good when nobody reads its serial line.
    a = machine(wire=("listen", port), **common).boot()
    b = machine(wire=("connect", port), **common).boot()
    for m, address in zip((a, b), ADDRESSES):
        join(m, address)
    b.wait(f"ping -c 1 -W 2 {ADDRESSES[0]} > /dev/null", 60, "the other host")
    return a, b
