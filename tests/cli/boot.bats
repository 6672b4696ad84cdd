# SPDX-License-Identifier: GPL-2.0-or-later
# The kernels of guests; and the name virt-get-kernel beside what the peer, of libguestfs 1.48, has printed over these guests.
load helpers

setup()
{
	make_folder
	requires mke2fs
	mkdir o
}

# guest IMAGE FILE...: a guest with such files in /boot; each holds its name.
guest()
{
	local image=$1 f

	shift
	rm -rf tree
	mkdir -p tree/etc tree/bin tree/boot
	echo '/dev/sda / ext4 defaults 0 1' >tree/etc/fstab
	printf 'ID=debian\nVERSION_ID=12\n' >tree/etc/os-release
	for f; do echo "$f" >"tree/boot/$f"; done
	truncate -s 16M "$image"
	mke2fs -q -F -t ext4 -d tree "$image"
}

debian()
{
	guest deb.img vmlinuz-5.10.0-9-amd64 vmlinuz-5.10.0-13-amd64 initrd.img-5.10.0-9-amd64 initrd.img-5.10.0-13-amd64 \
		config-5.10.0-9-amd64
}

fedora()
{
	guest fed.img vmlinuz-4.18.0-500.el8.x86_64 vmlinuz-0-rescue-abc initramfs-4.18.0-500.el8.x86_64.img \
		initramfs-4.18.0-500.el8.x86_64kdump.img initramfs-0-rescue-abc.img initrd-old.img
}

@test "boot lists kernels with their initrds, the newest first" {
	debian
	chmod 600 tree/boot/*
	drydock boot deb.img >out
	[ "$(awk '{ print $1, $3, $5 }' out)" = "VERSION KIND FILE
5.10.0-13-amd64 kernel /boot/vmlinuz-5.10.0-13-amd64
5.10.0-13-amd64 initrd /boot/initrd.img-5.10.0-13-amd64
5.10.0-9-amd64 kernel /boot/vmlinuz-5.10.0-9-amd64
5.10.0-9-amd64 initrd /boot/initrd.img-5.10.0-9-amd64" ]
	drydock boot --json --kernel=5.10.0-9-amd64 deb.img >out
	[ "$(json '[.[0].image, (.[0].kernels | length), .[0].kernels[0].path, .[0].initrds[0].kernel]' <out)" = \
		'["deb.img",1,"/boot/vmlinuz-5.10.0-9-amd64","/boot/vmlinuz-5.10.0-9-amd64"]' ]
}

@test "boot copies them out, and keeps their modes" {
	debian
	chmod 600 tree/boot/initrd.img-5.10.0-13-amd64
	mke2fs -q -F -t ext4 -d tree deb.img
	drydock boot --newest -o o deb.img >out
	[ "$(cat out)" = "/boot/vmlinuz-5.10.0-13-amd64 -> o/vmlinuz-5.10.0-13-amd64
/boot/initrd.img-5.10.0-13-amd64 -> o/initrd.img-5.10.0-13-amd64" ]
	[ "$(ls o)" = "$(printf 'initrd.img-5.10.0-13-amd64\nvmlinuz-5.10.0-13-amd64')" ]
	[ "$(cat o/vmlinuz-5.10.0-13-amd64)" = vmlinuz-5.10.0-13-amd64 ]
	[ "$(stat -c %a o/initrd.img-5.10.0-13-amd64)" = 600 ]
	drydock boot -o o deb.img >out
	[ "$(find o -type f | wc -l)" = 4 ]
}

@test "files of one name that lie in several folders become several" {
	guest m.img vmlinuz
	mkdir -p tree/boot/loader/entries tree/boot/a tree/boot/b
	for v in a b; do
		echo "linux of $v" >tree/boot/$v/linux
		printf 'version 6.%s\nlinux /boot/%s/linux\n' $v $v >tree/boot/loader/entries/$v.conf
	done
	mke2fs -q -F -t ext4 -d tree m.img
	drydock boot -o o m.img >out
	[ "$(ls o)" = "$(printf 'linux\nlinux-6.a\nvmlinuz')" ]
	[ "$(cat o/linux o/linux-6.a)" = "$(printf 'linux of b\nlinux of a')" ]
}

@test "a kernel on an EFI system partition that is not mounted is listed and copied" {
	requires sgdisk mkfs.fat mmd mcopy
	guest root
	truncate -s 5M esp
	mkfs.fat esp >/dev/null
	mmd -i esp ::EFI ::EFI/Linux
	echo unified >u
	mcopy -i esp u ::EFI/Linux/arch.efi
	truncate -s 24M d.img
	sgdisk -n 1:2048:+5M -t 1:EF00 -n 2:0:+16M d.img >/dev/null
	dd if=esp of=d.img bs=1M seek=1 conv=notrunc status=none
	dd if=root of=d.img bs=1M seek=6 conv=notrunc status=none
	drydock boot d.img >out
	grep -q ' /dev/sda1:/EFI/Linux/arch.efi$' out
	drydock boot -o o d.img >out
	[ "$(cat o/arch.efi)" = unified ]
}

@test "a guest without a kernel is told, and the others are shown" {
	guest none.img config-1
	debian
	run --separate-stderr drydock boot none.img deb.img
	[ "$status" = 1 ]
	[[ $stderr == *"none.img: no kernel was found"* ]]
	[[ $output == *"/boot/vmlinuz-5.10.0-13-amd64"* ]]
	fails_with 1 "no kernel of version 7 was found" drydock boot --kernel=7 deb.img
	fails_with 2 "for one guest" drydock boot -o o deb.img none.img
	fails_with 1 "nowhere" drydock boot -o nowhere deb.img
	fails_with 2 "do not go together" drydock boot --newest --kernel=7 deb.img
}

@test "names that a guest chose reach a terminal quoted, and files only by the last part" {
	guest e.img "$(printf 'vmlinuz-\033[31m')"
	ln -s ../../../../../etc/passwd tree/boot/vmlinuz-9
	mke2fs -q -F -t ext4 -d tree e.img
	drydock boot e.img >out
	grep -qF 'vmlinuz-\x1b[31m' out
	run ! grep -q "$(printf '\033')" out
	drydock boot -o o e.img
	[ "$(find o -type f | wc -l)" = 1 ]
}

# The words behind "==" were printed by the peer.
prints()
{
	local wanted=$1

	shift
	run -0 --separate-stderr "$COMPAT/virt-get-kernel" "$@"
	[ "$output" = "$wanted" ]
}

@test "virt-get-kernel: the newest kernel and its initrd, here or in a folder" {
	debian
	prints 'download: /boot/vmlinuz-5.10.0-13-amd64 -> o/vmlinuz-5.10.0-13-amd64
download: /boot/initrd.img-5.10.0-13-amd64 -> o/initrd.img-5.10.0-13-amd64' -a deb.img -o o
	[ "$(cat o/initrd.img-5.10.0-13-amd64)" = initrd.img-5.10.0-13-amd64 ]
	prints 'download: /boot/vmlinuz-5.10.0-13-amd64 -> ./vmlinuz-5.10.0-13-amd64
download: /boot/initrd.img-5.10.0-13-amd64 -> ./initrd.img-5.10.0-13-amd64' -a deb.img --format=auto
	[ -e vmlinuz-5.10.0-13-amd64 ]
	prints '' --format raw -q -a deb.img -o o
}

@test "virt-get-kernel: prefixes and names without versions" {
	debian
	fedora
	prints 'download: /boot/vmlinuz-4.18.0-500.el8.x86_64 -> o/pre-vmlinuz-4.18.0-500.el8.x86_64
download: /boot/initramfs-4.18.0-500.el8.x86_64.img -> o/pre-initramfs-4.18.0-500.el8.x86_64.img' -a fed.img -o o --prefix pre
	prints 'download: /boot/vmlinuz-4.18.0-500.el8.x86_64 -> o/vmlinuz
download: /boot/initramfs-4.18.0-500.el8.x86_64.img -> o/initramfs' -a fed.img -o o --unversioned-names
	prints 'download: /boot/vmlinuz-5.10.0-13-amd64 -> o/pre-vmlinuz
download: /boot/initrd.img-5.10.0-13-amd64 -> o/pre-initrd.img' -a deb.img -o o --unversioned-names --prefix pre
	[ "$(cat o/pre-vmlinuz)" = vmlinuz-5.10.0-13-amd64 ]
}

@test "virt-get-kernel: vmlinux where there is no vmlinuz, versions as numbers" {
	guest odd.img vmlinux-6.1.0 initrd-6.1.0.img vmlinuz System.map
	prints 'download: /boot/vmlinux-6.1.0 -> o/vmlinux
download: /boot/initrd-6.1.0.img -> o/initrd' -a odd.img -o o --unversioned-names
	guest rel.img vmlinuz-6.1.0-9 vmlinuz-6.1.0-10 vmlinuz-6.1.0-10rc1 vmlinuz-6.1.0.1 initrd-6.1.0-9 initrd-6.1.0-10
	prints 'download: /boot/vmlinuz-6.1.0.1 -> o/vmlinuz-6.1.0.1
download: /boot/initrd-6.1.0-10 -> o/initrd-6.1.0-10' -a rel.img -o o
}

@test "virt-get-kernel: the initrd is that of the kernel, where the peer takes any" {
	# the peer: initrd-6.0
	guest mixed.img vmlinux-6.2.0 vmlinuz-6.1.0 initrd.img-6.1.0 initrd-6.0
	prints 'download: /boot/vmlinuz-6.1.0 -> o/vmlinuz-6.1.0
download: /boot/initrd.img-6.1.0 -> o/initrd.img-6.1.0' -a mixed.img -o o
	# the peer: initramfs-5.0kdump.img, which is for a crash
	guest kd.img vmlinuz-4.0 initramfs-4.0.img initramfs-5.0kdump.img
	prints 'download: /boot/vmlinuz-4.0 -> o/vmlinuz-4.0
download: /boot/initramfs-4.0.img -> o/initramfs-4.0.img' -a kd.img -o o
}

@test "virt-get-kernel: failures and its own facts" {
	guest none.img config-1
	truncate -s 8M empty.img
	prints virt-get-kernel --machine-readable
	for args in "" "-a none.img -o o" "-a empty.img -o o" "-a none.img extra" "--nope" "-a missing.img" "-a none.img -a none.img" \
		"-a none.img -o nowhere" "-a none.img --machine-readable=json"; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr "$COMPAT/virt-get-kernel" $args
		[ -n "$stderr" ]
	done
	run -1 --separate-stderr "$COMPAT/virt-get-kernel" -a none.img -o o
	[ "${stderr_lines[0]}" = "virt-get-kernel: error: no kernel found in /dev/sda" ]
	run -1 --separate-stderr "$COMPAT/virt-get-kernel" -a none.img --colors
	[[ $stderr == *$'\033[1;31m'* ]]
	[ "$("$COMPAT/virt-get-kernel" --long-options | tr '\n' ' ')" = "--add --blocksize --connect --color --colors --colour --colours \
--domain --debug-gc --echo-keys --format --help --key --machine-readable --output --prefix --quiet --unversioned-names --version \
--verbose --wrap " ]
	[ "$("$COMPAT/virt-get-kernel" --short-options | tr '\n' ' ')" = "-a -c -d -o -q -V -v -x " ]
}
