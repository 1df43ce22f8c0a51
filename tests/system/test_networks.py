# SPDX-License-Identifier: BSD-2-Clause
"""Guests on other networks than a bridge: routed, behind address translation, on an Open vSwitch.

Debian's own scripts in dom0 (/etc/xen/scripts/vif-*) set each up. Traffic goes over it, and nothing of it is left when the
guests are gone. (Debian's scripts make no packet filter rules of their own; those of the translation are the administrator's.)
"""

import pytest

from machine import COMMAND
from traffic import send

MACHINE = {"memory": 3072, "dom0_memory": 768}
SIZE = 4    # MiB


def start(dom0, **vifs):
    """Guests with one interface each, started together: name=(vif, address)."""
    guests = [dom0.guest(name, memory=192, vif=[vif], args=f"addr={address}") for name, (vif, address) in vifs.items()]
    for guest in guests:
        guest.create()
    for guest in guests:
        guest.wait()
    return guests


def network_state(dom0):
    """What dom0 knows about networks: interfaces, addresses, routes, rules of the packet filter."""
    return dom0.out("ls /sys/class/net; ip -o -4 addr show | awk '{print $2, $4}'; "
                    "ip -4 route show table all | sed 's/ linkdown//; s/ *$//'; iptables-save | grep '^-'; true")


@pytest.fixture
def forwarding(dom0):
    """dom0 forwards packets. Yields its network's state, which each test must leave as it was."""
    dom0.run("mount -t tmpfs tmp /tmp; iptables -t nat -L -n > /dev/null && echo 1 > /proc/sys/net/ipv4/ip_forward")
    before = network_state(dom0)
    yield before
    dom0.run("echo 0 > /proc/sys/net/ipv4/ip_forward; umount /tmp", check=False)


def end(dom0, first, second, before):
    """One guest shuts down, one is destroyed; dom0's network is as before."""
    dom0.run(f"xl shutdown -w {first.name}", timeout=COMMAND * 2)
    second.destroy()
    dom0.wait("! ls /sys/class/net | grep -q ^vif", 60, "the guests' interfaces gone")
    assert network_state(dom0) == before
    assert dom0.out("xenstore-ls /local/domain/0/backend/vif 2>/dev/null; true") == ""


def interface(dom0, guest):
    return f"vif{dom0.domains()[guest.name][0]}.0"


def test_route(dom0, forwarding):
    """Each guest's address is a route to its interface, which has dom0's own address and answers for the other guest."""
    first, second = start(dom0, r1=("script=vif-route,ip=10.2.0.2,gatewaydev=xenbr0", "10.2.0.2/16"),
                          r2=("script=vif-route,ip=10.2.0.3,gatewaydev=xenbr0", "10.2.0.3/16"))
    for guest, address in ((first, "10.2.0.2"), (second, "10.2.0.3")):
        vif = interface(dom0, guest)
        assert f"{address} dev {vif} scope link src 10.1.0.1 metric 2" in dom0.out("ip route").replace("  ", " ")
        assert dom0.out(f"cat /proc/sys/net/ipv4/conf/{vif}/proxy_arp") == "1"
        guest.run("ip route add 10.1.0.1 dev eth0")
    send(dom0, first, "10.2.0.2", SIZE)
    send(second, dom0, "10.1.0.1", SIZE)
    send(first, second, "10.2.0.3", SIZE)
    # It went through dom0: with forwarding off it does not.
    dom0.run("echo 0 > /proc/sys/net/ipv4/ip_forward")
    assert first.run("ping -c 2 -W 2 10.2.0.3", check=False).status != 0
    end(dom0, first, second, forwarding)


def test_nat(dom0, forwarding):
    """A guest reaches one on the bridge that has no way back but to dom0: what it sends is translated."""
    inside, outside = start(dom0, inside=("script=vif-nat,ip=10.3.0.2", "10.3.0.2/24"),
                            outside=("bridge=xenbr0", "10.1.0.9/16"))
    vif = interface(dom0, inside)
    assert "10.3.0.129/32" in dom0.out(f"ip -o -4 addr show dev {vif}")
    assert "10.3.0.2 dev" in dom0.out(f"ip route show | grep {vif}")
    inside.run("ip route add default via 10.3.0.129")
    send(dom0, inside, "10.3.0.2", SIZE)
    send(inside, dom0, "10.1.0.1", SIZE)
    assert inside.run("ping -c 2 -W 2 10.1.0.9", check=False).status != 0
    rule = "POSTROUTING -s 10.3.0.0/24 -o xenbr0 -j MASQUERADE"
    dom0.run(f"iptables -t nat -A {rule}")
    send(inside, outside, "10.1.0.9", SIZE)
    assert outside.run("ping -c 2 -W 2 10.3.0.2", check=False).status != 0
    dom0.run(f"iptables -t nat -D {rule}")
    end(dom0, inside, outside, forwarding)


@pytest.fixture
def switch(dom0):
    """Open vSwitch's daemons and a switch, ovs0, that dom0 itself is on."""
    dom0.run("/etc/init.d/openvswitch-switch start && ovs-vsctl add-br ovs0 && ip addr add 10.4.0.1/16 dev ovs0 && ip link set ovs0 up")
    yield "ovs0"
    dom0.run("ovs-vsctl del-br ovs0; /etc/init.d/openvswitch-switch stop; modprobe -r openvswitch", check=False)


def test_openvswitch(dom0, switch, forwarding):
    first, second = start(dom0, o1=("script=vif-openvswitch,bridge=ovs0", "10.4.0.2/16"),
                          o2=("script=vif-openvswitch,bridge=ovs0", "10.4.0.3/16"))
    ports = [interface(dom0, guest) for guest in (first, second)]
    assert sorted(dom0.out("ovs-vsctl list-ports ovs0").split()) == sorted(ports)
    assert "xen-vm-name=o1" in dom0.out(f"ovs-vsctl get interface {ports[0]} external-ids").replace('"', "")
    send(dom0, first, "10.4.0.2", SIZE)
    send(second, dom0, "10.4.0.1", SIZE)
    send(first, second, "10.4.0.3", SIZE)
    # On VLAN 7 two more interfaces hear each other, and dom0 hears neither.
    for number, guest in enumerate((first, second), 2):
        dom0.run(f"xl network-attach {guest.name} script=vif-openvswitch bridge=ovs0.7")
        guest.run("n=0; until [ -e /sys/class/net/eth1 ]; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 1; done; "
                  f"ip addr add 10.5.0.{number}/16 dev eth1 && ip link set eth1 up", timeout=COMMAND * 3)
    dom0.run("ip addr add 10.5.0.1/16 dev ovs0")
    assert [dom0.out(f"ovs-vsctl get port {port[:-1]}1 tag") for port in ports] == ["7", "7"]
    send(first, second, "10.5.0.3", SIZE)
    assert dom0.run("ping -c 2 -W 2 10.5.0.2", check=False).status != 0
    dom0.run("ip addr del 10.5.0.1/16 dev ovs0; xl network-detach o1 1")
    dom0.wait(f"! ovs-vsctl list-ports ovs0 | grep -q {ports[0][:-1]}1", 60, "the port of the detached interface gone")
    end(dom0, first, second, forwarding)
    assert dom0.out("ovs-vsctl list-ports ovs0") == ""
