# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
}

@test "inspect tells what is installed, and what is mounted where" {
	drydock inspect g.img >out
	[ "$(head -1 out)" = "g.img: /dev/sda2" ]
	grep -q '^  type  *linux' out
	grep -q '^  mounts  */ /dev/sda2 (ext4)' out
}

@test "inspect prints the same facts as JSON" {
	drydock inspect --json g.img >out
	[ "$(json '.[0] | [.image, .systems[0].root, .systems[0].type]' <out)" = '["g.img","/dev/sda2","linux"]' ]
	[ "$(json '.[0].systems[0].mountpoints[0] | [.path, .volume, .type]' <out)" = '["/","/dev/sda2","ext4"]' ]
}

# guest_with_packages IMAGE: a Debian with two packages, one of them named to be a trap.
guest_with_packages()
{
	mkdir -p tree/etc tree/bin tree/var/lib/dpkg
	touch tree/etc/fstab
	printf 'ID=debian\nVERSION_ID="12"\n' >tree/etc/os-release
	cat >tree/var/lib/dpkg/status <<-'X'
		Package: libc6
		Status: install ok installed
		Architecture: amd64
		Source: glibc
		Version: 2.36-9+deb12u8
		Description: GNU C Library: Shared libraries

		Package: a"b
		Status: install ok installed
		Architecture: all
		Version: 2:1.0
	X
	truncate -s 4M "$1"
	mke2fs -q -F -t ext4 -d tree "$1"
}

@test "inspect --packages lists what is installed" {
	guest_with_packages p.img
	drydock inspect --packages p.img >out
	grep -qE '^libc6 +2\.36-9\+deb12u8 +amd64 +GNU C Library' out
	grep -qE '^a"b +2:1\.0 +all' out
	drydock inspect --packages --json p.img >out
	[ "$(json '.[0].systems[0].packages[1] | [.name, .epoch, .version, .arch]' <out)" = '["a\"b",2,"1.0","all"]' ]
}

@test "inspect --sbom writes what CycloneDX and SPDX ask for" {
	guest_with_packages p.img
	SOURCE_DATE_EPOCH=1700000000 drydock inspect --sbom=cyclonedx p.img >out
	[ "$(json '[.bomFormat, .specVersion, .metadata.timestamp, .metadata.component.type]' <out)" = \
		'["CycloneDX","1.5","2023-11-14T22:13:20Z","operating-system"]' ]
	[ "$(json '.components[0] | [.type, .name, .version, .purl]' <out)" = \
		'["library","libc6","2.36-9+deb12u8","pkg:deb/debian/libc6@2.36-9%2Bdeb12u8?arch=amd64&distro=debian-12"]' ]
	[ "$(json '[.components[]["bom-ref"]] | unique | length' <out)" = 2 ]
	drydock inspect --sbom=spdx p.img >out
	[ "$(json '[.spdxVersion, .dataLicense, .SPDXID, (.packages | length), (.relationships | length)]' <out)" = \
		'["SPDX-2.3","CC0-1.0","SPDXRef-DOCUMENT",3,3]' ]
	[ "$(json '.packages[2].externalRefs[0].referenceLocator' <out)" = '"pkg:deb/debian/a%22b@2:1.0?arch=all&distro=debian-12"' ]
}

@test "what is the same for every distribution has a package URL without one" {
	mkdir -p tree/etc tree/bin tree/var/lib/flatpak/runtime/org.x.Y/x86_64/23.08/active
	touch tree/etc/fstab
	printf 'ID=debian\nVERSION_ID="12"\n' >tree/etc/os-release
	truncate -s 4M p.img
	mke2fs -q -F -t ext4 -d tree p.img
	drydock inspect --sbom=cyclonedx p.img >out
	[ "$(json '.components[0].purl' <out)" = '"pkg:generic/flatpak/org.x.Y@23.08?arch=x86_64"' ]
}

@test "a bill of materials is for one guest" {
	run --separate-stderr drydock inspect --sbom=spdx g.img g.img
	[ "$status" = 2 ]
	[[ $stderr == *"--sbom is for one guest"* ]]
}

@test "an image without an operating system is an error, and the others are told" {
	truncate -s 1M empty.img
	run --separate-stderr drydock inspect empty.img g.img
	[ "$status" = 1 ]
	[[ $stderr == *"empty.img: no operating system was found"* ]]
	[[ $output == "g.img: /dev/sda2"* ]]
}

@test "what a guest says of itself reaches a terminal quoted" {
	mkdir -p evil/etc evil/bin
	touch evil/etc/fstab
	printf 'ID=debian\nPRETTY_NAME="red \033[31m alert"\n' >evil/etc/os-release
	truncate -s 4M evil.img
	mke2fs -q -F -t ext4 -d evil evil.img
	drydock inspect evil.img >out
	grep -qF 'red \x1b[31m alert' out
	run ! grep -q "$(printf '\033')" out
	drydock inspect --json evil.img >out
	[ "$(json '.[0].systems[0].product_name' <out)" = "$(printf '"red \\u001b[31m alert"')" ]
}

# guest_with_facts IMAGE: a guest with a kernel, users and services, whose names try to do harm.
guest_with_facts()
{
	mkdir -p tree/etc/systemd/system/multi-user.target.wants tree/bin tree/boot/grub tree/usr/lib/systemd tree/usr/bin
	echo 'LABEL=none /srv ext4 defaults 0 0' >tree/etc/fstab
	printf 'ID=debian\nVERSION_ID="12"\n' >tree/etc/os-release
	printf 'root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:"}]<A>\033[31m:/home/ann:/bin/sh\n' >tree/etc/passwd
	printf 'root:*:1::::::\nann:$6$SALT$HASH:1::::::\n' >tree/etc/shadow
	touch tree/usr/lib/systemd/systemd tree/boot/grub/grub.cfg tree/usr/bin/podman
	echo kernel >tree/boot/vmlinuz-6.1.0
	echo initrd >"tree/boot/initrd.img-6.1.0"
	ln -s /x "tree/etc/systemd/system/multi-user.target.wants/$(printf 'a\033b').service"
	truncate -s 4M "$1"
	mke2fs -q -F -t ext4 -d tree "$1"
}

@test "inspect tells how a guest boots, who can log in and what it starts, and no hash of a password" {
	guest_with_facts f.img
	drydock inspect --all f.img >out
	grep -qxE '  boot loader +grub2 \(/boot/grub/grub.cfg\)' out
	grep -qxE '  kernel +/boot/vmlinuz-6.1.0 version 6.1.0, no modules' out
	grep -qxE ' +with /boot/initrd.img-6.1.0' out
	grep -qxE '  role +podman: container host \(/usr/bin/podman\)' out
	grep -qxE '  login +root \(0\): password locked' out
	grep -qxE ' +ann \(1000\): password set' out
	grep -qxE '  service +a\\x1bb.service enabled for multi-user.target' out
	grep -qxE '  fstab +LABEL=none on /srv type ext4 \(defaults\)' out
	run ! grep -qE "$(printf '\033')|SALT|HASH" out
	drydock inspect f.img >out
	grep -qxE '  services +1 \(--all lists them\)' out
	run ! grep -q fstab out
}

@test "the same as JSON, whatever the guest writes into it" {
	guest_with_facts f.img
	drydock inspect --json f.img >out
	run ! grep -qE "$(printf '\033')|SALT|HASH" out
	[ "$(json '.[0].systems[0] | [.firmware, .boot_loaders[0].name, .kernels[0].initrds, .roles[0].value]' <out)" = \
		'[[],"grub2",["/boot/initrd.img-6.1.0"],"container host"]' ]
	[ "$(json '.[0].systems[0].logins[1] | [.name, .uid, .password, .ssh_keys, (.real_name | length)]' <out)" = \
		'["ann",1000,"set",false,11]' ]
	[ "$(json '.[0].systems[0] | [.services[0].manager, .fstab[0].device, .fstab[0].volume]' <out)" = '["systemd","LABEL=none",null]' ]
}

@test "an installer is recognised, and beside an installed system it is no second one" {
	requires genisoimage
	mkdir -p iso/.disk iso/install.amd
	echo 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST' >iso/.disk/info
	echo kernel >iso/install.amd/vmlinuz
	echo initrd >iso/install.amd/initrd.gz
	genisoimage -quiet -R -o d.iso iso
	drydock inspect d.iso >out
	grep -qxE '  medium of +installer' out
	grep -qxE '  distribution +debian' out
	drydock boot d.iso >out
	[ "$(awk '{ print $NF }' out | tail -n +2)" = "$(printf '/install.amd/vmlinuz\n/install.amd/initrd.gz')" ]
	drydock inspect --json -a g.img -a d.iso >out
	[ "$(json '.[0].systems | [length, .[0].root]' <out)" = '[1,"/dev/sda2"]' ]
	[ "$(drydock cat -a g.img -a d.iso /etc/hostname)" = guest ]
}
