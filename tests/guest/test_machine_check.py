# SPDX-License-Identifier: BSD-2-Clause
"""Machine checks, which QEMU's monitor makes: corrected ones are told to the log and to dom0, others are the hypervisor's end."""

import micro

# Intel SDM volume 3, "IA32_MCi_STATUS": valid, uncorrected, enabled, misc valid, address valid, context corrupt.
VALID, UNCORRECTED, ENABLED, MISC, ADDRESS, CORRUPT = (1 << bit for bit in (63, 61, 60, 59, 58, 57))
RESTARTABLE, IN_PROGRESS = 1, 4
POLLED_AND_CORRECTABLE = 1 << 3 | 1 << 0


def inject(tmp_path, args, waiting, until, cpu, bank, status, mcg_status, address, misc, options=""):
    """When the guest says `waiting`."""
    micro.build()
    monitor = micro.Monitor(tmp_path / "monitor")

    def then():
        answer = monitor.run(f"mce {cpu} {bank} {status:#x} {mcg_status:#x} {address:#x} {misc:#x}")
        assert "not supported" not in answer and "Invalid" not in answer, answer
        return until

    return micro.boot(args, until=waiting, then=then, limit=60, cpus=2, vcpus=1, options=options, more=monitor.options)


def test_corrected(tmp_path):
    status = VALID | ENABLED | ADDRESS | 0x135
    boot = inject(tmp_path, "destructive=machine_check", "dom0 waits", r"then flags \d", 1, 2, status, 0, 0x1234000, 0)
    assert boot.says(rf"\(XEN\) CPU 1: machine check, corrected: bank 2, status {status:016x}, address 1234000, misc 0$"), boot.tail()
    assert boot.says(rf"^flags 0 entries 2 global {POLLED_AND_CORRECTABLE:x} size 32 apic 1 bank 2 status {status:x} address 1234000$"), \
        boot.tail()
    assert boot.says("^then flags 2$"), boot.tail()
    assert not boot.says(micro.HYPERVISOR_DEAD), boot.tail()


def test_uncorrected(tmp_path):
    status = VALID | UNCORRECTED | ENABLED | MISC | ADDRESS | CORRUPT | 0x134
    boot = inject(tmp_path, "only=version end=none", r"\d+ passed, \d+ failed", "the machine restarts", 1, 3, status,
                  IN_PROGRESS, 0x5678000, 0x8c)
    assert boot.says(rf"panic: machine check: the hardware failed; global status {IN_PROGRESS:x}$"), boot.tail()
    assert boot.says(rf"bank 3: status {status:016x}  address 5678000  misc 8c$"), boot.tail()
    assert boot.says("on CPU 1, (idle|running)"), boot.tail()


def test_off(tmp_path):
    """Nobody looks, but what was not corrected is the end all the same."""
    status = VALID | UNCORRECTED | ENABLED | CORRUPT
    boot = inject(tmp_path, "only=version end=none", r"\d+ passed, \d+ failed", "the machine restarts", 0, 1, status,
                  RESTARTABLE | IN_PROGRESS, 0, 0, options="mce=off")
    assert boot.says("panic: machine check"), boot.tail()
