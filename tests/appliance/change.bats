# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# change.bats - guests are changed: all of a change reaches the image, or nothing of it; on every kind of volume and filesystem.
# kills.bats kills them.
load ../cli/helpers
load guests

# Guests of several kinds, made once: by a machine where that takes a kernel.
setup_file()
{
	make_appliance
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	export DRYDOCK_APPLIANCE=uml
	command -v mke2fs >/dev/null && command -v qemu-img >/dev/null || return 0
	make_tree
	printf 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n' >t/etc/passwd
	mke2fs -q -t ext4 -d t root.fs 32M
	qemu-img convert -O qcow2 root.fs g.qcow2
}

setup()
{
	make_folder
	needs_machine
	requires mke2fs qemu-img
	cp "$BATS_FILE_TMPDIR/g.qcow2" .
}

# is_clean IMAGE: a guest with ext4 on the whole disk.
is_clean()
{
	qemu-img check -q "$1"
	qemu-img convert -O raw "$1" clean.raw
	e2fsck -fn clean.raw >fsck.out 2>&1 || { cat fsck.out; return 1; }
	run -1 compgen -G '.*.drydock-redo'
}

# in_machine IMAGE... <SCRIPT: runs it by a shell in a machine that has these disks, raw ones, for writing.
in_machine()
{
	drydock rescue -w --format raw "$@" >machine.out 2>&1 || { cat machine.out; return 1; }
}

@test "write keeps mode, owner, attributes and names of a file, and makes one that is not there" {
	drydock chown ann: g.qcow2:/data/numbers
	drydock chmod 4751 g.qcow2:/data/numbers
	drydock ln g.qcow2:/data/numbers g.qcow2:/data/other
	seq 1 10 | drydock write g.qcow2:/data/numbers
	[ "$(drydock cat g.qcow2:/data/other)" = "$(seq 1 10)" ]
	[[ $(drydock ls -l g.qcow2:/data | grep numbers) == -rwsr-x--x*2*1000*1001*21* ]]
	drydock write --content=abc --mode=o= --owner=7:8 g.qcow2:/data/new
	[[ $(drydock ls -l g.qcow2:/data | grep new) == -rw-r-----*1*7*8*3* ]]
	drydock write --append --content=def g.qcow2:/data/link
	[ "$(drydock cat g.qcow2:/etc/hostname)" = "guest"$'\n'"def" ]
	random_file big 5M 2
	drydock write g.qcow2:/data/big <big
	drydock cat g.qcow2:/data/big | cmp - big
	is_clean g.qcow2
}

@test "mkdir, mv, ln, touch, truncate and rm do what their names say" {
	drydock mkdir --parents --mode=u=rwx,go=rx --owner=ann g.qcow2:/srv/a/b g.qcow2:/srv/c
	drydock mv g.qcow2:/etc/hostname g.qcow2:/data/numbers g.qcow2:/srv/c
	drydock chmod -R o=,g-x g.qcow2:/srv/c
	drydock chown -R ann: g.qcow2:/srv/c
	drydock mv -T g.qcow2:/srv/c g.qcow2:/srv/d
	drydock ln -s ../../nowhere g.qcow2:/srv/l
	drydock touch -d 2001-02-03T04:05:06Z g.qcow2:/srv/t g.qcow2:/srv/d/hostname
	drydock truncate -s +10 g.qcow2:/srv/t g.qcow2:/srv/u
	drydock touch -h --mtime -d @0 g.qcow2:/srv/l
	drydock ls -lR g.qcow2:/srv | tr -s ' ' >out
	grep -qx 'drwxr-xr-x 2 1000 0 .* a/b' out
	grep -qx -- '-rw-r--r-- 1 0 0 10 .* t' out
	grep -qx -- '-rw-r--r-- 1 0 0 10 .* u' out
	grep -qx -- '-rw-r----- 1 1000 1001 6 2001-02-03 04:05 d/hostname' out
	grep -qx 'drwxr----- 2 1000 1001 .* d' out
	grep -qx 'lrwxrwxrwx 1 0 0 13 1970-01-01 00:00 l -> ../../nowhere' out
	drydock rm -r g.qcow2:/srv g.qcow2:/data/big
	run ! drydock ls g.qcow2:/srv
	is_clean g.qcow2
}

@test "the image is as it was after a failure, and what failed is one sentence" {
	before=$(sha256sum <g.qcow2)
	fails_with 1 'drydock: g.qcow2: /data/numbers: File exists' drydock mkdir g.qcow2:/new g.qcow2:/data/numbers
	fails_with 1 '/data is a directory; -r removes it' drydock rm g.qcow2:/etc/hostname g.qcow2:/data
	fails_with 1 'the guest has no user "bob"' drydock chown bob g.qcow2:/etc/hostname
	fails_with 1 '/etc/nothing: No such file or directory' drydock chmod 600 g.qcow2:/etc/hostname g.qcow2:/etc/nothing
	fails_with 1 '/etc: Directory not empty' drydock rm -d g.qcow2:/etc
	fails_with 1 '/bin: File exists' drydock mv --no-clobber -T g.qcow2:/data g.qcow2:/bin
	fails_with 2 'one guest is changed at a time' drydock mkdir g.qcow2:/x other.qcow2:/x
	fails_with 2 'is no mode' drydock chmod u+q g.qcow2:/etc
	fails_with 1 '/new: Read-only file system' drydock mkdir -m /dev/sda:/:ro g.qcow2:/new
	head -c 40M /dev/zero | fails_with 1 '/data/more: No space left on device' drydock write g.qcow2:/data/more
	[ "$(sha256sum <g.qcow2)" = "$before" ]
	run -1 compgen -G '.*.drydock-redo'
}

@test "RAID 6, of MD and of btrfs, is made, changed and read: user-mode Linux does not panic at it" {
	requires mdadm mkfs.btrfs
	md=() bt=()
	for i in 1 2 3 4; do
		truncate -s 24M "m$i.img"
		truncate -s 160M "b$i.img"
		md+=(-a "m$i.img") bt+=(-a "b$i.img")
	done
	in_machine "${md[@]}" "${bt[@]}" <<-'END'
		mdadm -q --create /dev/md/data --run -l6 -n4 --metadata=1.2 --assume-clean /dev/vd[a-d]
		mke2fs -q -t ext4 /dev/md/data
		mkfs.btrfs -q -f -d raid6 -m raid1c3 /dev/vd[e-h]
		sync
	END
	random_file big 3M 4
	drydock write --format raw "${md[@]}" -m /dev/md127 /big <big
	drydock write --format raw "${bt[@]}" -m /dev/sda /big <big
	drydock cat "${md[@]}" -m /dev/md127 --engine direct /big | cmp - big
	drydock cat "${bt[@]}" -m /dev/sda --engine direct /big | cmp - big
	drydock cat "${bt[@]}" -m /dev/sda --engine appliance /big | cmp - big
}

@test "a symlink does not lead out of the guest" {
	T2=$(mktemp -d "$TMPDIR/drydock-out.XXXXXX")
	drydock ln -s "../../../../../../../..$T2" g.qcow2:/out
	fails_with 1 'No such file or directory' drydock write --content=x g.qcow2:/out/file
	fails_with 1 'No such file or directory' drydock mkdir "g.qcow2:/../../../../..$T2/folder"
	[ -z "$(ls -A "$T2")" ]
	rmdir "$T2"
	drydock ln -s ../../../etc/hostname g.qcow2:/in
	drydock write --content=x g.qcow2:/in
	[ "$(drydock cat g.qcow2:/etc/hostname)" = x ]
}

@test "a dry run shows the files, how texts differ, and the bytes, and changes nothing" {
	before=$(sha256sum <g.qcow2)
	printf 'host\nname\n' | drydock write --dry-run g.qcow2:/etc/hostname >out
	grep -q '^changed  *file  */etc/hostname: content, size 6 to 10, modified' out
	[ "$(sed -n '/^---/,/^+name/p' out)" = "--- /etc/hostname
+++ /etc/hostname
@@ -1 +1,2 @@
-guest
+host
+name" ]
	grep -qE '^[1-9][0-9]* bytes of g.qcow2 would change$' out
	drydock rm -n --json -r g.qcow2:/data >out
	[ "$(json '[.dry_run, .image, (.files | length), .files[0].change, .files[0].path]' <out)" = \
		'[true,"g.qcow2",6,"removed","/data"]' ]
	[ "$(sha256sum <g.qcow2)" = "$before" ]
}

@test "only the blocks that differ are written, as --json tells, and an undo file leads back" {
	before=$(drydock hash g.qcow2:/)
	drydock chmod --json --undo-file=back 600 g.qcow2:/etc/hostname >out
	bytes=$(json .bytes <out)
	[ "$bytes" -ge 4096 ]
	[ "$bytes" -le 65536 ]
	drydock undo back
	[ "$(drydock hash g.qcow2:/)" = "$before" ]
	is_clean g.qcow2
}

@test "a running guest is not changed" {
	requires qemu-io
	mkfifo hold
	qemu-io -f qcow2 g.qcow2 <hold >held 2>&1 &
	local holder=$!
	exec 7>hold
	echo 'read 0 512' >&7
	while ! grep -q 'read 512' held; do sleep 0.05; done
	before=$(sha256sum <g.qcow2)
	run --separate-stderr drydock mkdir g.qcow2:/new
	[ "$status" = 1 ]
	[[ $stderr == *g.qcow2* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$(sha256sum <g.qcow2)" = "$before" ]
	exec 7>&-
	wait "$holder"
}

@test "of two operating systems one must be chosen" {
	cp g.qcow2 h.qcow2
	fails_with 1 'several operating systems are there, choose one with -m' drydock mkdir -a g.qcow2 -a h.qcow2 /new
	drydock mkdir -a g.qcow2 -a h.qcow2 -m /dev/sdb /new
	run ! drydock ls g.qcow2:/new
	drydock ls h.qcow2:/new
	# Both disks are one transaction.
	drydock mkdir -a g.qcow2 -a h.qcow2 -m /dev/sda -m /dev/sdb:/home /both /home/both
	drydock ls g.qcow2:/both
	drydock ls h.qcow2:/both
	before=$(cat g.qcow2 h.qcow2 | sha256sum)
	fails_with 1 '/home/both: File exists' drydock mkdir -a g.qcow2 -a h.qcow2 -m /dev/sda -m /dev/sdb:/home /more /home/both
	[ "$(cat g.qcow2 h.qcow2 | sha256sum)" = "$before" ]
	run -1 compgen -G '.*.drydock-redo'
}

@test "xfs on LVM beside ext4" {
	requires sfdisk
	truncate -s 600M lvm.img
	printf 'label: gpt\nstart=2048,size=64MiB\n,\n' | sfdisk -q lvm.img
	in_machine lvm.img <<-'END'
		mke2fs -q /dev/vda1
		lvm pvcreate -q /dev/vda2 && lvm vgcreate -q vg /dev/vda2
		lvm lvcreate -q -n root -l 100%FREE vg --noudevsync && lvm vgchange -ay --noudevsync
		mkfs.xfs -q /dev/vg/root && mount /dev/vg/root /sysroot || exit 1
		mkdir /sysroot/etc /sysroot/bin /sysroot/boot
		echo ID=debian >/sysroot/etc/os-release
		printf '/dev/vg/root / xfs defaults 0 0\n/dev/sda1 /boot ext2 defaults 0 2\n' >/sysroot/etc/fstab
		umount /sysroot
	END
	echo changed | drydock write --format=raw lvm.img:/etc/file
	drydock mkdir --format=raw lvm.img:/boot/new lvm.img:/etc/new
	mkdir -p tree/sub
	echo one >tree/sub/one
	ln tree/sub/one tree/two
	ln -s sub/one tree/link
	truncate -s 100M tree/holes
	chmod 4711 tree/two
	find tree -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
	drydock cp -R --setuid --format=raw tree lvm.img:/etc
	drydock tar lvm.img:/etc/tree | tar --full-time -tvf - >before
	before=$(sha256sum <lvm.img)
	fails_with 1 '/boot/new: File exists' drydock mv --format=raw --no-clobber -T lvm.img:/etc/tree lvm.img:/boot/new
	fails_with 1 '/boot/new: Is a directory' drydock mv --format=raw -T lvm.img:/etc/file lvm.img:/boot/new
	[ "$(sha256sum <lvm.img)" = "$before" ]
	drydock mv --format=raw lvm.img:/etc/tree lvm.img:/etc/file lvm.img:/boot
	drydock tar lvm.img:/boot/tree | tar --full-time -tvf - | diff before -
	[ "$(drydock cat lvm.img:/boot/file)" = changed ]
	drydock ls -l lvm.img:/boot/tree | grep -q 'two'
	run ! drydock ls lvm.img:/etc/tree
	drydock mv --format=raw lvm.img:/boot/file lvm.img:/etc
	fails_with 1 '/boot: Device or resource busy' drydock rm -r --format=raw lvm.img:/boot
	[ "$(drydock cat lvm.img:/etc/file)" = changed ]
	drydock ls lvm.img:/boot/new
	drydock rescue lvm.img >out 2>&1 <<-'END'
		lvm vgchange -ay --noudevsync && xfs_repair -n /dev/vg/root && e2fsck -fn /dev/vda1 && echo all clean
	END
	grep -qx 'all clean' out
}

@test "a small xfs is looked at as a whole before it is committed: one that was damaged stays as it is" {
	requires mkfs.xfs xfs_db
	truncate -s 320M x.img
	mkfs.xfs -q x.img
	drydock mkdir --format=raw -m /dev/sda x.img:/new
	xfs_repair -n x.img 2>/dev/null
	xfs_db -x -c 'agi 1' -c 'write freecount 7' x.img
	before=$(sha256sum <x.img)
	fails_with 1 'xfs is not clean after it was changed: agi_freecount 7' drydock mkdir --format=raw -m /dev/sda x.img:/more
	[ "$(sha256sum <x.img)" = "$before" ]
}

@test "subvolumes of btrfs" {
	requires mkfs.btrfs btrfs
	truncate -s 128M b.img
	mkfs.btrfs -q b.img
	in_machine b.img <<-'END'
		mount /dev/vda /sysroot && cd /sysroot || exit 1
		btrfs subvolume create @ && btrfs subvolume create @home && mkdir @/etc @/bin @/home
		echo ID=debian >@/etc/os-release
		printf '/dev/sda / btrfs subvol=@ 0 0\n/dev/sda /home btrfs subvol=@home 0 0\n' >@/etc/fstab
		cd / && umount /sysroot
	END
	echo changed | drydock write --format=raw b.img:/home/file
	drydock mkdir --format=raw b.img:/etc/new
	[ "$(drydock cat -m btrfsvol:/dev/sda/@home b.img:/file)" = changed ]
	drydock ls -m btrfsvol:/dev/sda/@ b.img:/etc/new
	btrfs check --readonly b.img
}

@test "an encrypted volume" {
	requires cryptsetup
	qemu-img convert -O raw g.qcow2 root.fs
	printf 'a key' >pass
	truncate -s 36M e.img
	cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 e.img pass
	qemu-img convert -n --object secret,id=k,file=pass --image-opts --target-image-opts driver=raw,file.filename=root.fs \
		driver=luks,file.filename=e.img,key-secret=k
	drydock write --format=raw --key='all:key:a key' --content=changed e.img:/etc/hostname
	[ "$(drydock cat --format=raw --key='all:key:a key' e.img:/etc/hostname)" = changed ]
	qemu-img convert -O raw --object secret,id=k,file=pass --image-opts driver=luks,file.filename=e.img,key-secret=k inside
	truncate -s 32M inside
	e2fsck -fn inside
	before=$(sha256sum <e.img)
	fails_with 1 'no key that was given opens it' drydock mkdir --format=raw --key=all:key:none e.img:/new
	[ "$(sha256sum <e.img)" = "$before" ]
}

@test "NTFS" {
	requires mkfs.ntfs ntfsfix ntfscat ntfscp
	truncate -s 32M n.img
	mkfs.ntfs -q -F n.img
	drydock mkdir --format=raw n.img:/Folder
	echo changed | drydock write --format=raw n.img:/Folder/file.txt
	[ "$(ntfscat n.img Folder/file.txt)" = changed ]
	ntfsfix -n n.img
	# What Windows leaves when it hibernates, or has started fast.
	{ printf hibr; head -c 8188 /dev/zero; } >hibr
	ntfscp -q n.img hibr hiberfil.sys
	before=$(sha256sum <n.img)
	fails_with 1 'its system was not shut down well, or hibernates' drydock mkdir --format=raw n.img:/New
	[ "$(sha256sum <n.img)" = "$before" ]
}

@test "a system that hibernates is not changed" {
	requires sfdisk mkswap
	truncate -s 64M s.img
	printf 'label: gpt\nstart=2048,size=32MiB\n,\n' | sfdisk -q s.img
	dd if="$BATS_FILE_TMPDIR/root.fs" of=s.img bs=1M seek=1 conv=notrunc status=none
	truncate -s $((30 << 20)) swap
	mkswap -q swap
	drydock mkdir --format=raw s.img:/new
	printf S1SUSPEND | dd of=swap bs=1 seek=4086 conv=notrunc status=none
	dd if=swap of=s.img bs=1M seek=33 conv=notrunc status=none
	fails_with 1 '/dev/sda2 holds a system that hibernates' drydock mkdir --format=raw s.img:/other
}

@test "without room for the journal, nothing is changed" {
	requires_root
	mkdir small
	mount -t tmpfs -o size=2M tmpfs small 2>/dev/null || skip "nothing can be mounted here"
	qemu-img create -q -f qcow2 -b "$PWD/g.qcow2" -F qcow2 small/g.qcow2
	before=$(sha256sum <small/g.qcow2)
	random_file big 5M 2
	run --separate-stderr drydock write --allow-backing=any small/g.qcow2:/data/new <big
	umount_status=0
	after=$(sha256sum <small/g.qcow2)
	files=$(ls -A small)
	umount small || umount_status=1
	[ "$umount_status" = 0 ]
	[ "$status" = 1 ]
	[[ $stderr == *'No space left on device'* ]]
	[ "$after" = "$before" ]
	[ "$files" = g.qcow2 ]
}

# tool [VOLUME PATH]... <WORDS: changes g.qcow2 by these; what it answers is in the file `said`.
tool()
{
	"$BUILD/appliance-tests/change_tool" g.qcow2 "$@" >said 2>&1
}

@test "a checkpoint stays, whatever becomes of the change" {
	tool <<-'END' && false || [ $? = 137 ]
		write /etc/hostname first
		checkpoint
		write /etc/hostname second
		checkpoint
		write /etc/hostname third
		cat /etc/hostname
		die
	END
	[ "$(tail -n 2 said)" = $'third\nok' ]
	[ "$(drydock cat g.qcow2:/etc/hostname)" = second ]
	drydock mkdir g.qcow2:/next
	is_clean g.qcow2
}

@test "reading shows what was changed, and names and attributes are only made or only replaced" {
	tool <<-'END'
		hostname
		write /etc/hostname web
		hostname
		folders /a/b/c
		write /a/b/c/file one
		rename 1 /a/b/c/file /etc/hostname
		rename 2 /a/b/c/file /etc/hostname
		cat /etc/hostname
		xattr 2 /etc/hostname x
		xattr 1 /etc/hostname x
		xattr 1 /etc/hostname x
		punch 0 1048576 /data/big
		rm /a
		cat /a/b/c/file
		commit
	END
	sed 's/error: .*: /error: /' said >answers
	[ "$(tr '\n' ' ' <answers)" = "ok guest ok ok web ok ok ok error: File exists ok one ok error: No data available ok \
error: File exists ok ok error: No such file or directory ok " ]
	[ "$(drydock cat g.qcow2:/etc/hostname)" = one ]
	drydock ls --json --xattrs -d g.qcow2:/etc/hostname | grep -q user.test
	is_clean g.qcow2
}

@test "programs of the appliance and of the guest, one that does not end, and filesystems mounted meanwhile" {
	requires ldd sfdisk
	mkdir r
	# shellcheck disable=SC2046 # words
	cp -L --parents /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*') r
	mkdir r/proc r/dev r/sys r/boot
	mke2fs -q -t ext4 -d r r.fs 32M
	truncate -s 16M b.fs
	mke2fs -q -t ext4 b.fs
	truncate -s 64M raw
	printf 'label: gpt\nstart=2048,size=32MiB\nsize=16MiB\n' | sfdisk -q raw
	dd if=r.fs of=raw bs=1M seek=1 conv=notrunc status=none
	dd if=b.fs of=raw bs=1M seek=33 conv=notrunc status=none
	qemu-img convert -O qcow2 raw g.qcow2
	tool /dev/sda1 / <<-'END'
		chroot echo from inside >/made; echo said; exit 3
		limit while :; do :; done
		sh e2fsck -n "$(echo /dev/[uv]*[da]2)" >/dev/null && echo checked
		mount /dev/sda2 /boot
		unmount /
		chroot echo kernel >/boot/vmlinuz
		chroot read -r x </boot/vmlinuz && echo "there: $x"
		unmount /boot
		chroot echo hidden >/boot/beneath
		rescan
		unmount
		sh mkfs.xfs -q "$(echo /dev/[uv]*[da]2)" 2>/dev/null || mkfs.vfat "$(echo /dev/[uv]*[da]2)" >/dev/null
		rescan
		volumes
		mount /dev/sda2 /
		write /file in the new one
		commit
	END
	grep -qx 'said' said
	grep -qx 'status 3' said
	grep -q '^error: .*did not end' said
	grep -qx checked said
	grep -qx 'there: kernel' said
	grep -q '^error: / cannot be unmounted: /boot is beneath it' said
	grep -q '^error: what is mounted must be unmounted before' said
	grep -qx '/dev/sda2 vfat' said
	[ "$(tail -n 1 said)" = ok ]
	[ "$(drydock cat -m /dev/sda1 g.qcow2:/made)" = 'from inside' ]
	[ "$(drydock cat -m /dev/sda2 g.qcow2:/file)" = 'in the new one' ]
	[ "$(drydock cat -m /dev/sda1 g.qcow2:/boot/beneath)" = hidden ]
	qemu-img convert -O raw g.qcow2 raw
	dd if=raw of=r.fs bs=1M skip=1 count=32 status=none
	e2fsck -fn r.fs
}
