# SPDX-License-Identifier: BSD-2-Clause
"""The boot log on the screen, until it is dom0's, and the hypervisor's end: VGA text, and pixels that are compared with the font."""

import re
import subprocess

import micro

FONT = micro.TOP / "lib/font.c"
COLUMNS, ROWS = 80, 25
GIVEN_UP = "The screen is dom0's from now on"
GREY = b"\xaa\xaa\xaa"


def text_lines(memory):
    """What VGA's text memory shows, and its attributes."""
    text = memory[::2].decode("latin-1")
    return [text[at:at + COLUMNS].rstrip() for at in range(0, COLUMNS * ROWS, COLUMNS)], set(memory[1::2])


def said(boot, columns):
    """The lines that a screen so wide makes of what the serial line said."""
    return [line[at:at + columns].rstrip() for line in boot.lines for at in range(0, len(line) or 1, columns)]


def on_screen(boot, columns, rows):
    """The boot's lines that must be there: the last ones up to that which gives the screen to dom0; the cursor's is blank."""
    lines = said(boot, columns)
    end = next(n for n, line in enumerate(lines) if GIVEN_UP in line) + 1
    lines = lines[next(n for n, line in enumerate(lines) if "(XEN) Krypton " in line):end][1 - rows:]
    return lines + [""] * (rows - len(lines))


def vga_boot(tmp_path, options, until=r"\d+ passed, \d+ failed"):
    micro.build()
    monitor, seen = micro.Monitor(tmp_path / "monitor"), []
    boot = micro.watch(micro.qemu("-kernel", str(micro.HYPERVISOR), "-append", f"{micro.COMMAND_LINE} {options}", "-initrd",
                                  f"{micro.GUEST} only=version end=none", "-vga", "std", *monitor.options),
                       until, then=lambda: seen.append(monitor.memory(0xb8000, COLUMNS * ROWS * 2, tmp_path / "vga")))
    assert seen, boot.tail()
    return boot, *text_lines(seen[0])


def test_vga_text(tmp_path):
    boot, lines, attributes = vga_boot(tmp_path, "console=com1,vga")
    assert lines == on_screen(boot, COLUMNS, ROWS)
    assert attributes == {7}


def test_vga_keep(tmp_path):
    """What dom0 says on the hypervisor's console comes to the screen, too."""
    boot, lines, _ = vga_boot(tmp_path, "console=com1,vga vga=keep")
    assert not boot.says(GIVEN_UP)
    last, all_lines = next(n for n, line in enumerate(lines) if re.match(r"\d+ passed", line)), said(boot, COLUMNS)
    end = next(n for n, line in enumerate(all_lines) if re.match(r"\d+ passed", line))
    assert last > 10 and lines[:last] == all_lines[end - last:end]


def test_vga_panic(tmp_path):
    """dom0 has the screen; the hypervisor's end is there all the same, from its first line on."""
    micro.build()
    monitor, seen = micro.Monitor(tmp_path / "monitor"), []

    def look():
        seen.append(text_lines(monitor.memory(0xb8000, COLUMNS * ROWS * 2, tmp_path / "vga"))[0])

    boot = micro.boot("only=version keys=C", until="the machine restarts", then=look,
                      options="console=com1,vga", more=["-vga", "std", *monitor.options])
    assert seen, boot.tail()
    assert boot.says(GIVEN_UP), boot.tail()
    lines = said(boot, COLUMNS)
    first = next(n for n, line in enumerate(lines) if "*** panic:" in line)
    assert seen[0] == lines[first:first + ROWS]
    assert any("called from:" in line for line in lines[first:first + ROWS])


def test_vga_not_asked_for(tmp_path):
    _, lines, _ = vga_boot(tmp_path, "console=com1")
    assert not [line for line in lines if "(XEN)" in line], lines


def test_vga_alone(tmp_path):
    """A machine that has no serial line says all that it has to say on the screen."""
    micro.build()
    monitor, seen = micro.Monitor(tmp_path / "monitor"), []

    def look():
        seen.append(text_lines(monitor.memory(0xb8000, COLUMNS * ROWS * 2, tmp_path / "vga"))[0])

    # Its end, as no line says when to look.
    command = micro.qemu("-kernel", str(micro.HYPERVISOR), "-append", "console=vga dom0_mem=64M", "-vga", "std", *monitor.options)
    command[command.index("-serial") + 1] = "none"
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            try:
                machine.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
            look()
            if "Halted." in "".join(seen[-1]):
                break
    finally:
        machine.kill()
        machine.wait()
    text = "".join(seen[-1])
    assert "No modules were loaded; give dom0's kernel and its initrd as modules. Halted." in text, seen[-1]


def glyphs():
    """The font as lib/font.c has it: 16 bytes for each character from the blank on."""
    rows = re.findall(r"^    \{ (.*) \}, /\*", FONT.read_text(), re.M)
    assert len(rows) == 95
    return [bytes(int(byte, 16) for byte in row.split(", ")) for row in rows]


def render(lines, width, height):
    """These lines as pixels."""
    font, pixels = glyphs(), bytearray(width * height * 3)
    for row, line in enumerate(lines):
        for y in range(16):
            bits = "".join(f"{font[ord(c) - 0x20][y]:08b}" for c in line)
            at = (row * 16 + y) * width * 3
            for x, bit in enumerate(bits):
                if bit == "1":
                    pixels[at + x * 3:at + x * 3 + 3] = GREY
    return bytes(pixels)


def test_pixels(tmp_path):
    """The framebuffer that GRUB passes on from EFI shows the boot, letter by letter, and nothing of what was there before."""
    micro.build()
    iso = tmp_path / "boot.iso"
    subprocess.run([micro.TOP / "testbed/build-iso", micro.HYPERVISOR, iso, micro.COMMAND_LINE + " console=com1,vga",
                    "only=version end=none", micro.GUEST], check=True, capture_output=True)
    monitor, seen = micro.Monitor(tmp_path / "monitor"), []
    boot = micro.watch(micro.qemu("-M", "q35", "-vga", "std", "-cdrom", str(iso), "-boot", "d", *micro.efi(), *monitor.options),
                       r"\d+ passed, \d+ failed", then=lambda: seen.append(monitor.screen(tmp_path / "screen")))
    assert seen, boot.tail()
    width, height, pixels = seen[0]
    assert width >= 800 and height >= 600
    assert pixels == render(on_screen(boot, width // 8, height // 16), width, height)
