# SPDX-License-Identifier: BSD-2-Clause
"""libvirt in dom0, which has no systemd: the daemons are started by hand."""

import re
import shlex

from machine import COMMAND

# What a machine needs for it: its programs, and a CPU that one of its models fits; its Xen driver refuses others, on
# the reference as well.
HOST = {"layer": "libvirt", "cpu": "Haswell,-avx,-avx2,-fma,-f16c"}


class Virsh:
    """virsh in dom0, with the daemon that answers it."""

    def __init__(self, dom0):
        self.dom0 = dom0

    def __call__(self, *commands, check=True, timeout=COMMAND * 2):
        """Runs commands in one virsh and gives what they print."""
        return self.dom0.run(f"virsh -q -c xen:///system {shlex.quote('; '.join(commands))}", timeout, check).output

    def start_daemon(self):
        self.dom0.run("(libvirtd --listen > /run/libvirtd.log 2>&1 &)")
        self.dom0.wait("virsh -q -c xen:///system uri > /dev/null 2>&1", 90, "libvirtd's answer")

    def stop_daemon(self):
        self.dom0.run("kill $(pidof libvirtd)")
        self.dom0.wait("! pidof libvirtd > /dev/null", 60, "libvirtd's end")

    def start_all(self):
        """Makes the users that the packages make when they are installed, and starts the daemons; libvirt's is open to others."""
        self.dom0.run("mkdir -p /run/dbus /var/log/libvirt\n"
                      "printf 'messagebus:x:%s\\nlibvirt-qemu:x:%s\\n' 107: 108: >> /etc/group\n"
                      "printf 'messagebus:x:107:107::/:/bin/false\\nlibvirt-qemu:x:108:108::/:/bin/false\\n' >> /etc/passwd\n"
                      "printf 'listen_tls = 0\\nlisten_tcp = 1\\nauth_tcp = \"none\"\\n' >> /etc/libvirt/libvirtd.conf\n"
                      "dbus-uuidgen --ensure && dbus-daemon --system --fork")
        self.start_daemon()

    def fields(self, command):
        """The lines `Name: value` that a command prints, as a dictionary."""
        return dict(re.findall(r"^([^:\n]+): +(.*)$", self(command), re.M))
