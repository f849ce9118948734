#!/bin/sh
# foreign_programs.sh ARCH: sees to it that programs for ARCH (amd64, arm64) run here, through QEMU where they have to.
# Debian's package does so by itself where systemd runs; in a container the kernel is told here. Needs root.
set -eu
[ "$1" != "$(dpkg --print-architecture)" ] || exit 0
case $1 in
    amd64) name=x86_64 machine='\x3e' ;;
    arm64) name=aarch64 machine='\xb7' ;;
    *) echo "foreign_programs.sh: ARCH is amd64 or arm64, not $1" >&2; exit 2 ;;
esac
"$(dirname "$0")/need.sh" qemu-user-static
table=/proc/sys/fs/binfmt_misc
[ ! -e "$table/qemu-$name" ] || exit 0
[ -e "$table/register" ] || mount -t binfmt_misc binfmt_misc "$table"
# A program file's first 20 bytes, elf(5): class 64, little-endian, executable or shared (the masked bit), the machine.
# F keeps the interpreter open, so that it also works where the tree has none.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00'$machine'\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":qemu-$name:M::$magic:$mask:/usr/bin/qemu-$name-static:OCF" >"$table/register"
