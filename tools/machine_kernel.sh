#!/bin/sh
# machine_kernel.sh TREE ARCH FOLDER: what QEMU boots a Debian tree with, made once: Debian's kernel, an initial RAM disk that
# finds a virtio disk, and the few modules that tests load. By apt's lists of TREE's release; nothing is installed.
set -eu
tree=$(cd "$1" && pwd)
arch=$2
folder=$3
[ ! -e "$folder/.complete" ] || exit 0
"$(dirname "$0")/need.sh" cpio kmod
disk_modules="virtio_pci virtio_blk ext4 crc32c_generic"
system_modules="virtio_rng virtio_console vivid autofs4 efivarfs"
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/apt/lists/partial" "$work/disk/bin" "$work/disk/modules" "$work/disk/dev" "$work/disk/proc" \
    "$work/disk/sys" "$work/disk/root"
cd "$work"
fetch() { # COMMAND...: apt for the other machine: its architecture, release and keys, and no state of this one
    program=$1
    shift
    "$program" -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$work/apt" \
        -o Dir::Etc::SourceList="$tree/etc/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::TrustedParts="$tree/etc/apt/trusted.gpg.d" "$@"
}
echo "Fetching Debian's kernel for $arch into $folder, once ..."
fetch apt-get update >apt.log 2>&1 || { tail -n 3 apt.log >&2; exit 1; }
kernel=$(fetch apt-cache depends "linux-image-$arch" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
fetch apt-get download "$kernel" busybox-static >apt.log 2>&1 || { tail -n 3 apt.log >&2; exit 1; }
for package in *.deb; do dpkg -x "$package" unpacked; done
version=$(ls unpacked/lib/modules)
depmod -b unpacked "$version"
files() { # MODULE...: these and what they need, in the order of loading
    for module in "$@"; do
        modprobe -d unpacked -S "$version" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++'
}
cp "$(find unpacked -path "*/bin/busybox" -type f | head -n 1)" disk/bin/busybox
ln -s busybox disk/bin/sh
# shellcheck disable=SC2086  # the lists are meant to be split
for file in $(files $disk_modules); do
    cp "$file" disk/modules/
    basename "$file" >>disk/modules/order
done
cat >disk/init <<'INIT'
#!/bin/sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
for module in $($b cat /modules/order); do $b insmod "/modules/$module"; done
until [ -b /dev/vda ]; do $b sleep 0.1; done
$b mount -t ext4 /dev/vda /root
$b umount /proc
$b umount /sys
$b mount --move /dev /root/dev
exec $b switch_root /root /sbin/init
INIT
chmod 755 disk/init
(cd disk && find . | cpio --quiet -o -H newc | gzip -1) >"$folder/initrd"
cp unpacked/boot/vmlinuz-* "$folder/vmlinuz"
# The system gets only what tests use: all of them are 400 MB, and every run writes its disk anew.
mkdir -p "$folder/modules/$version"
cp "unpacked/lib/modules/$version"/modules.builtin* "unpacked/lib/modules/$version/modules.order" "$folder/modules/$version"
# shellcheck disable=SC2086
for file in $(files $disk_modules $system_modules); do
    inside=${file#*unpacked/lib/}
    mkdir -p "$folder/$(dirname "$inside")"
    cp "$file" "$folder/$inside"
done
mkdir -p "$work/lib"
ln -s "$folder/modules" "$work/lib/modules"
depmod -b "$work" "$version"
touch "$folder/.complete"
