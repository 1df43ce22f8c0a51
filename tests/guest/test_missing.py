# SPDX-License-Identifier: BSD-2-Clause
"""What Xen has and Krypton has not is told in its log, where a user looks who wonders."""

import micro


def test_told():
    micro.build()
    boot = micro.boot("only=platform", options="crashkernel=64M ucode=scan")
    assert boot.says(r"\(XEN\) command line: crashkernel=64M: has no effect: no memory is kept"), boot.tail()
    assert boot.says(r"\(XEN\) command line: ucode=scan: has no effect: no microcode is loaded"), boot.tail()
    assert ("platform.others.microcode", "-38") in boot.observed
    assert boot.finished and not boot.failed, boot.tail()


def test_kexec_is_refused():
    micro.build()
    boot = micro.boot("only=hypercall.absent_families")
    assert ("hypercall.absent_families.kexec_op", "-38") in boot.observed, boot.tail()
