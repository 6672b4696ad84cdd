# SPDX-License-Identifier: GPL-2.0-or-later
# Guests on LVM: what the commands tell of volume groups, and files in logical volumes.
load helpers

# Two disks of 6.5 MiB with a group "vg-a": a root on both, /home on the second, and a snapshot of the root.
setup_file()
{
	PATH=$PATH:/sbin:/usr/sbin command -v mke2fs >/dev/null || return 0
	GUEST=$(mktemp -d "$TMPDIR/drydock-lvm.XXXXXX")
	export GUEST
	chmod 755 "$GUEST"
	(cd "$GUEST" && sh "$BATS_TEST_DIRNAME/lvm_guest" "$BATS_TEST_DIRNAME/../broken/lib.sh")
}

teardown_file()
{
	[ ! -d "${GUEST-}" ] || rm -rf "$GUEST"
}

setup()
{
	make_folder
	requires mke2fs
	ln -s "$GUEST"/*.img .
}

@test "volumes lists logical volumes, and then the groups" {
	drydock volumes -b -a a.img -a b.img >out
	[[ $(grep '^/dev/sda ' out) == *LVM2_member*aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa* ]]
	[[ $(grep '^/dev/vg-a/root ' out) == *lvm*2621440*ext2*root*aaaaaaaa-1111-2222-3333-444444444444*% ]]
	[ "$(sed -n '/^GROUP/,$p' out | tr -s ' ')" = "GROUP SCHEME SIZE FREE MEMBERS MISSING UUID
vg-a lvm 13107200 $((13107200 - 65536 * (40 + 8 + 16))) /dev/sda,/dev/sdb 0 vvvvvv-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv" ]
	run ! grep -q snapshot0 out
}

@test "volumes tells as JSON of what volumes are made" {
	drydock volumes --json -a a.img -a b.img >out
	[ "$(json '.[0].volumes[] | select(.name == "/dev/vg-a/root") | [.scheme, .uuid, .group, .parts, .aliases[0]]' <out)" = \
		'["lvm","rrrrrr-rrrr-rrrr-rrrr-rrrr-rrrr-rrrrrr","vg-a",["/dev/sda","/dev/sdb"],"/dev/mapper/vg--a-root"]' ]
	[ "$(json '.[0].volumes[] | select(.snapshot) | .name' <out)" = '"/dev/vg-a/before"' ]
	[ "$(json '.[0].volumes[] | select(.in_use) | .name' <out | tr '\n' ' ')" = '"/dev/sda" "/dev/sdb" ' ]
	[ "$(json '.[0].groups[0] | [.name, .size, .extent_size, .members[1].volume, .members[1].size]' <out)" = \
		'["vg-a",13107200,65536,"/dev/sdb",6553600]' ]
}

@test "the root is found among its snapshots, and fstab mounts by both names and by UUID" {
	[ "$(drydock cat -a a.img -a b.img /etc/hostname)" = name-now ]
	[ "$(drydock cat -a a.img -a b.img /home/words)" = "words at home" ]
	[ "$(drydock cat -a a.img -a b.img /srv/words)" = "other words" ]
	[ "$(drydock cat -a a.img -a b.img -m /dev/vg-a/before /etc/hostname)" = name-old ]
	[ "$(drydock cat -a a.img -a b.img -m /dev/mapper/vg--a-home /words)" = "words at home" ]
}

@test "disks may be in any order, and in any format" {
	drydock convert -q -f raw -O qcow2 "$GUEST/a.img" a.qcow2
	[ "$(drydock cat -a b.img -a a.qcow2 /etc/hostname)" = name-now ]
}

@test "without a disk the volumes that are whole are read, and what is missing is told" {
	drydock volumes b.img >out
	grep -q '^/dev/vg-a/home ' out
	run ! grep -q '^/dev/vg-a/root ' out
	[[ $(tail -1 out | tr -s ' ') == "vg-a lvm 13M "*" /dev/sda 1 vvvvvv-"* ]]
	[ "$(drydock cat -m /dev/vg-a/home b.img:/words)" = "words at home" ]
	[ "$(drydock volumes --json b.img | json '.[0].groups[0].members[0] | [.missing, .uuid]')" = \
		'[true,"aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"]' ]
	fails_with 1 "physical volume aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa (last seen as /dev/a) is missing" \
		drydock cat b.img:/etc/hostname
	fails_with 1 "logical volume vg-a/root is left out" drydock cat -m /dev/vg-a/root b.img:/etc/hostname
}

@test "nothing is written to the disks" {
	cat "$GUEST"/?.img | sha256sum >before
	drydock ls -R -a a.img -a b.img / >out
	drydock volumes -a a.img -a b.img >out
	cat "$GUEST"/?.img | sha256sum | cmp - before
}
