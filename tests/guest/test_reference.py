# SPDX-License-Identifier: BSD-2-Clause
"""What the micro guest observes is what it observes on Debian's Xen, but for the differences that differences.txt
justifies."""

import compare
import micro


def test_reference():
    micro.build()
    problems = compare.problems(micro.TOP / "build/images/xen", micro.HYPERVISOR)
    assert not problems, "\n".join(problems)
