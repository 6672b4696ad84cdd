# SPDX-License-Identifier: GPL-2.0-or-later
# engine.bats - what Linux reads in the appliance is what we read ourselves, and more; the image stays as it is.
load ../cli/helpers
load guests

setup_file()
{
	make_appliance
}

# ---- the same answers ----

@test "ext4: the same answers by both engines" {
	needs_machine
	requires mke2fs
	make_tree
	mke2fs -q -t ext4 -d t g.img 32M
	same_by_both g.img
}

@test "xfs: the same answers by both engines" {
	needs_machine
	requires mkfs.xfs
	make_tree
	cat >proto <<-'END'
		/boot
		0 0
		d--755 0 0
		etc d--755 0 0
		os-release ---644 0 0 t/etc/os-release
		hostname ---644 0 0 t/etc/hostname
		$
		bin d--755 0 0
		$
		usr d--755 0 0
		$
		data d--755 0 0
		big ---640 1 2 t/data/big
		numbers ---644 0 0 t/data/numbers
		link l--777 0 0 ../etc/hostname
		$
		$
	END
	truncate -s 300M g.img
	mkfs.xfs -q -p proto g.img
	few_by_both g.img
}

@test "btrfs: the same answers by both engines" {
	needs_machine
	requires mkfs.btrfs
	make_tree
	truncate -s 200M g.img
	mkfs.btrfs -q -r t g.img >/dev/null
	few_by_both g.img
}

@test "btrfs of three devices with subvolumes: the same answers by both engines, also when one device is missing" {
	local loops=() how
	needs_machine
	requires_root
	requires mkfs.btrfs btrfs losetup
	requires_loop_mount
	make_tree
	for i in 1 2 3; do
		truncate -s 130M "d$i.img"
		loops+=("$(losetup -f --show "d$i.img")")
	done
	mkfs.btrfs -q -f -d raid1 -m raid1 "${loops[@]}" >/dev/null
	uuid=$(blkid -p -s UUID -o value "${loops[0]}")
	printf "UUID=$uuid / btrfs subvol=@ 0 0\nUUID=$uuid /home btrfs subvol=@home 0 0\n" >t/etc/fstab
	mkdir m
	mount "${loops[0]}" m
	btrfs subvolume create m/@ >/dev/null
	btrfs subvolume create m/@home >/dev/null
	cp -a t/home/. m/@home
	rm -r t/home/ann
	cp -a t/. m/@
	btrfs subvolume snapshot -r m/@home m/@snap >/dev/null
	umount m
	losetup -d "${loops[@]}"
	before=$(cat d?.img | sha256sum)
	for how in direct appliance; do
		drydock ls -lR --engine $how -a d1.img -a d2.img -a d3.img / >$how.ls
		drydock hash --engine $how -a d1.img -a d2.img -a d3.img / >$how.hash
		drydock hash --engine $how -m btrfsvol:/dev/sda/@snap -a d1.img -a d2.img -a d3.img / >$how.snap
		drydock cat --engine $how -a d1.img -a d2.img -a d3.img "/home/ann/a name with blanks" /data/numbers >$how.cat
		drydock volumes --engine $how -a d1.img -a d2.img -a d3.img >$how.volumes
		drydock hash --engine $how -a d2.img -a d3.img -m btrfsvol:/dev/sda/@ / >$how.missing
	done
	for what in ls hash snap cat volumes missing; do same direct.$what appliance.$what; done
	grep -q 'home/ann/a name with blanks' direct.hash
	grep -q btrfsvol:/dev/sda/@snap direct.volumes
	grep -q data/big direct.missing
	[ "$(cat d?.img | sha256sum)" = "$before" ]
}

@test "vfat: the same answers by both engines" {
	needs_machine
	requires mkfs.vfat mcopy
	make_tree
	truncate -s 64M g.img
	mkfs.vfat -F 32 g.img >/dev/null
	mcopy -i g.img -m -s t/etc t/bin t/usr ::
	mmd -i g.img ::data
	mcopy -i g.img -m t/data/numbers t/data/big ::data
	mcopy -i g.img -m t/etc/hostname "::A longer name.text"
	few_by_both g.img
}

@test "iso9660: the same answers by both engines, with Rock Ridge and with Joliet" {
	needs_machine
	requires genisoimage
	make_tree
	genisoimage -quiet -R -o g.img t
	few_by_both g.img
	rm -r direct appliance t/data/link
	genisoimage -quiet -J -o g.img t
	few_by_both g.img
}

@test "partitions, qcow2, and a fstab: the same tree by both engines" {
	needs_machine
	requires qemu-img
	load ../cli/guest
	make_guest g.img
	qemu-img convert -O qcow2 g.img g.qcow2
	for how in direct appliance; do
		drydock ls -lR --engine $how g.qcow2:/ >$how.ls
		drydock cat --engine $how g.qcow2:/boot/vmlinuz g.qcow2:/home/ann/over-the-top >$how.cat
		drydock volumes --engine $how g.qcow2 >$how.volumes
	done
	for what in ls cat volumes; do same direct.$what appliance.$what; done
}

@test "QEMU: the same answers by both engines" {
	needs_machine tcg
	requires mke2fs
	make_tree
	mke2fs -q -t ext4 -d t g.img 32M
	for how in direct appliance; do
		drydock ls -lR --engine $how g.img:/ >$how.ls
		drydock hash --engine $how g.img:/ >$how.hash
	done
	same direct.ls appliance.ls
	same direct.hash appliance.hash
}

# ---- what only Linux reads ----

# Whatever is in g.img is read by the appliance by itself, and says so with -v.
reads_by_itself()
{
	local before
	before=$(sha256sum <g.img)
	run --separate-stderr drydock ls -R -v g.img:/
	[ "$status" = 0 ] || { echo "$stderr"; return 1; }
	[[ $stderr == *"$1 is read through the appliance (uml, Linux"* ]]
	[ "$(sha256sum <g.img)" = "$before" ]
	drydock volumes --json g.img | json -e ".[0].volumes[0].filesystem | .type == \"$1\" and .readable and .engine == \"appliance\"" >/dev/null
	fails_with 1 "" drydock ls --engine direct g.img:/
	drydock volumes --engine direct --json g.img | json -e '.[0].volumes[0].filesystem.readable | not' >/dev/null
}

@test "f2fs is read by the appliance" {
	needs_machine
	requires mkfs.f2fs sload.f2fs
	make_tree
	truncate -s 100M g.img
	mkfs.f2fs -q g.img >/dev/null
	sload.f2fs -f t g.img >/dev/null 2>&1
	reads_by_itself f2fs
	drydock cat g.img:/data/big | cmp - t/data/big
	[ "$(drydock cat g.img:/data/link)" = guest ]
}

@test "erofs is read by the appliance" {
	needs_machine
	requires mkfs.erofs
	make_tree
	mkfs.erofs g.img t >/dev/null 2>&1
	reads_by_itself erofs
	drydock cat g.img:/data/big | cmp - t/data/big
	drydock tar g.img:/ | tar -tf - | grep -q home/ann
}

@test "hfs is read by the appliance" {
	needs_machine
	requires hformat hmount hcopy humount
	make_tree
	truncate -s 20M g.img
	HOME=$T hformat -l test g.img >/dev/null
	HOME=$T hmount g.img >/dev/null
	HOME=$T hcopy -r t/data/numbers :
	HOME=$T humount
	reads_by_itself hfs
	drydock cat g.img:/numbers | cmp - t/data/numbers
}

@test "romfs is read by the appliance" {
	needs_machine
	requires genromfs
	make_tree
	genromfs -f g.img -d t
	reads_by_itself romfs
	drydock cat g.img:/data/numbers | cmp - t/data/numbers
}

@test "jfs, reiserfs, nilfs2, minix and udf are mounted by the appliance" {
	needs_machine
	requires mkfs.jfs mkreiserfs mkfs.nilfs2 mkfs.minix mkudffs
	truncate -s 140M g.img
	mkfs.jfs -q g.img >/dev/null
	reads_by_itself jfs
	rm g.img && truncate -s 140M g.img
	mkreiserfs -qff g.img >/dev/null 2>&1
	reads_by_itself reiserfs
	rm g.img && truncate -s 140M g.img
	mkfs.nilfs2 -q g.img >/dev/null 2>&1
	reads_by_itself nilfs2
	rm g.img && truncate -s 40M g.img
	mkfs.minix g.img >/dev/null
	reads_by_itself minix
	rm g.img && truncate -s 40M g.img
	mkudffs g.img >/dev/null
	reads_by_itself udf
}

# ---- who is asked, and what is told ----

@test "auto: what the kernel of one machine has no driver for is read in another" {
	needs_machine tcg
	needs_machine uml
	requires mkfs.exfat
	truncate -s 16M g.img
	mkfs.exfat g.img >/dev/null
	# User-mode Linux has no exfat, and the other kernel has.
	fails_with 1 "this kernel has no driver for exfat" drydock df --engine appliance g.img
	export DRYDOCK_APPLIANCE=auto
	run --separate-stderr drydock ls -v --engine appliance -m /dev/sda g.img:/
	[ "$status" = 0 ] || { echo "$stderr"; return 1; }
	[[ $stderr == *"exfat is read through the appliance (tcg, "* || $stderr == *"exfat is read through the appliance (kvm, "* ]]
}

@test "what we read ourselves starts no machine" {
	needs_machine
	requires mke2fs
	make_tree
	mke2fs -q -t ext4 -d t g.img 32M
	run --separate-stderr drydock cat -v g.img:/etc/hostname
	[ "$output" = guest ]
	[[ $stderr != *"appliance: "* ]]
}

@test "another filesystem beside the root starts no machine unless it is asked for" {
	needs_machine
	requires mke2fs mkfs.erofs sfdisk
	make_tree
	mke2fs -q -t ext4 -d t root.fs 16M
	mkfs.erofs more.fs t/etc >/dev/null 2>&1
	truncate -s 32M g.img
	printf 'label: gpt\nstart=2048,size=32768\nstart=40960,size=16384\n' | sfdisk -q g.img
	dd if=root.fs of=g.img bs=512 seek=2048 conv=notrunc status=none
	dd if=more.fs of=g.img bs=512 seek=40960 conv=notrunc status=none
	run --separate-stderr drydock cat -v g.img:/etc/hostname
	[ "$output" = guest ]
	[[ $stderr != *"appliance: "* ]]
	[ "$(drydock cat -m /dev/sda1 -m /dev/sda2:/home g.img:/home/hostname)" = guest ]
}

@test "a log that we do not replay is replayed by the appliance" {
	needs_machine
	requires_root
	requires mkfs.btrfs
	requires_loop_mount
	truncate -s 120M g.img
	mkfs.btrfs -q g.img >/dev/null
	mkdir m
	mount -o loop g.img m
	echo before >m/file
	sync -f m
	# As it is right after fsync: the transaction is not yet committed.
	echo after >m/file2
	sync m/file2
	cp g.img crashed.img
	umount m
	run --separate-stderr drydock ls --engine direct crashed.img:/
	[[ $stderr == *"lies in a log that is not replayed"* ]] || skip "the kernel has committed meanwhile"
	[ "$output" = file ]
	run --separate-stderr drydock ls crashed.img:/
	[ "$output" = $'file\nfile2' ]
	[ -z "$stderr" ]
}

@test "without an appliance, all is as it is by the direct engine, and --engine appliance says what to do" {
	requires mke2fs mkfs.erofs
	make_tree
	export DRYDOCK_APPLIANCE_DIR=$T/nowhere
	mke2fs -q -t ext4 -d t g.img 32M
	[ "$(drydock cat g.img:/etc/hostname)" = guest ]
	fails_with 1 "is not there" drydock cat --engine appliance g.img:/etc/hostname
	mkfs.erofs e.img t >/dev/null 2>&1
	fails_with 1 "no operating system was found" drydock cat e.img:/etc/hostname
	drydock volumes --json e.img | json -e '.[0].volumes[0].filesystem.readable | not' >/dev/null
}

@test "what the appliance cannot mount is one sentence, and no failure where nobody asked for it" {
	needs_machine
	requires mke2fs
	truncate -s 4M g.img
	# The magic of f2fs and nothing behind it.
	printf '\x10\x20\xf5\xf2' | dd of=g.img bs=1 seek=1024 conv=notrunc status=none
	fails_with 1 "f2fs" drydock ls -m /dev/sda g.img:/
	run --separate-stderr drydock volumes --json g.img
	[ "$status" = 0 ]
	json -e '.[0].volumes[0].filesystem.readable | not' <<<"$output" >/dev/null
	run --separate-stderr drydock df g.img
	[ "$status" = 0 ]
}

# The blocks of 1 KiB that a file of g.img lies in.
blocks_of()
{
	debugfs -R "blocks $1" g.img 2>/dev/null | tr -d ' '
}

@test "a disk that cannot be read everywhere: what is there is read, and the rest is a sentence" {
	needs_machine
	requires mke2fs debugfs qemu-img jq
	mkdir -p t/other
	head -c 100 /dev/zero | tr '\0' x >t/small
	echo fine >t/other/file
	mke2fs -q -t ext4 -b 1024 -I 128 -d t g.img 16M
	qemu-img convert -O qcow2 -o cluster_size=4k g.img g.qcow2
	for bad in /small /other; do
		at=$(($(blocks_of $bad) * 1024))
		sector=$(qemu-img map --output=json g.qcow2 |
			jq --argjson at $at '.[] | select(.start <= $at and .start + .length > $at) | (.offset + $at - .start) / 512')
		image='json:{"driver":"qcow2","file":{"driver":"blkdebug","image":{"driver":"file","filename":"g.qcow2"},
			"inject-error":[{"event":"read_aio","errno":5,"once":false,"sector":'$sector'}]}}'
		run --separate-stderr drydock ls --engine appliance -m /dev/sda -a "$image" /
		[ "$status" = 0 ]
		[ "$output" = $'lost+found\nother\nsmall' ]
		if [ $bad = /small ]; then
			fails_with 1 "Input/output error" drydock cat --engine appliance -m /dev/sda -a "$image" /small
			[ "$(drydock cat --engine appliance -m /dev/sda -a "$image" /other/file)" = fine ]
		else
			fails_with 1 "Input/output error" drydock cat --engine appliance -m /dev/sda -a "$image" /other/file
			[ "$(drydock cat --engine appliance -m /dev/sda -a "$image" /small)" = "$(<t/small)" ]
		fi
	done
}

@test "a filesystem that panics the kernel: a sentence, and another filesystem of the guest is read all the same" {
	needs_machine
	requires mke2fs debugfs
	mkdir -p t/bad
	echo fine >t/file
	mke2fs -q -t ext4 -O ^metadata_csum -b 1024 -d t other.img 16M
	mke2fs -q -t ext4 -O ^metadata_csum -b 1024 -e panic -d t g.img 16M
	# Entries of no length, which ext4 takes for damage; and the filesystem says that damage is to be a panic.
	dd if=/dev/zero of=g.img bs=1024 count=1 seek="$(blocks_of /bad)" conv=notrunc status=none
	fails_with 1 "the appliance ended unexpectedly" drydock ls --engine appliance -m /dev/sda -a g.img /bad
	[ "$(drydock cat --engine appliance -m /dev/sda -m /dev/sdb:/bad -a g.img -a other.img /bad/file)" = fine ]
	[ "$(drydock cat --engine appliance -m /dev/sda -a g.img /file)" = fine ]
}

@test "DRYDOCK_APPLIANCE must be a word that is known" {
	truncate -s 1M g.img
	DRYDOCK_APPLIANCE=vax fails_with 2 "DRYDOCK_APPLIANCE: \"vax\" is not auto, kvm, uml or tcg" drydock ls g.img:/
}

@test "a peer's name reads through the appliance by itself" {
	needs_machine
	requires mkfs.erofs
	make_tree
	mkfs.erofs g.img t >/dev/null 2>&1
	[ "$("$COMPAT/virt-cat" -a g.img /etc/hostname)" = guest ]
	"$COMPAT/virt-filesystems" -a g.img -l | grep -q erofs
}

@test "many guests at once, each with a machine of its own" {
	needs_machine
	requires mkfs.erofs
	make_tree
	for i in 1 2 3; do
		echo "guest $i" >t/etc/hostname
		mkfs.erofs g$i.img t >/dev/null 2>&1
	done
	run --separate-stderr drydock cat g1.img:/etc/hostname g2.img:/etc/hostname g3.img:/etc/hostname
	[ "$output" = $'guest 1\nguest 2\nguest 3' ] || { echo "$output"; echo "$stderr"; return 1; }
}

@test "the command that reads is confined, and nothing is left running" {
	needs_machine
	requires_seccomp
	requires mke2fs
	make_tree
	random_file t/data/huge 8M 2
	mke2fs -q -t ext4 -d t g.img 64M
	mkfifo pipe
	"$DRYDOCK" cat --engine appliance g.img:/data/huge >pipe 2>err &
	held=$!
	exec 7<pipe
	head -c 1000 <&7 >/dev/null
	grep -qE '^Seccomp:\s+2$' "/proc/$held/status"
	grep -qE '^NoNewPrivs:\s+1$' "/proc/$held/status"
	broker=$(pgrep -P "$held")
	[ "$broker" ]
	kill -9 "$held"
	exec 7<&-
	wait_for eval '! kill -0 '"$broker"' 2>/dev/null'
}

# A corner for as_nobody(), made once: an appliance in which the user nobody may keep a machine, a guest, and the programs.
make_corner()
{
	requires_root
	requires mke2fs unshare setpriv
	corner=$BATS_FILE_TMPDIR/corner
	[ ! -d "$corner" ] || return 0
	mkdir "$corner"
	make_tree
	mke2fs -q -t ext4 -d t "$corner/g.img" 32M
	cp "$DRYDOCK" "$BUILD/appliance-tests/container_tool" "$corner"
	cp -r "$DRYDOCK_APPLIANCE_DIR" "$corner/appliance"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	chmod -R a+rX "$corner"
	chown -R 65534:65534 "$corner"
}

# as_nobody WORD...: as the user nobody, without /dev/kvm, with a /tmp that is noexec, without network; and nothing is left of it.
as_nobody()
{
	# What other tests have mounted is not held by it.
	(cd "$corner" && unshare -mnp --fork --mount-proc sh -c '
		sed -n "s,^/dev/loop[^ ]* \([^ ]*\) .*,\1,p" /proc/self/mounts | xargs -r umount -l
		mount -t tmpfs -o noexec none /tmp && mount -t tmpfs none /dev/shm || exit 99
		env -i PATH="$PATH" HOME=/nonexistent DRYDOCK_APPLIANCE_DIR="$PWD/appliance" \
			setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- "$@"
		status=$?
		i=0
		while set -- /proc/[0-9]* && [ $# -gt 1 ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done
		[ $# = 1 ] || { echo "left: $*"; tr "\0" " " <"$2/cmdline"; exit 98; }
		[ -z "$(find /tmp /dev/shm -mindepth 1)" ] || { find /tmp /dev/shm; exit 97; }
		exit $status' sh "$@")
}

@test "as nobody, without /dev/kvm, with a noexec /tmp and without network" {
	needs_machine
	make_corner
	[ "$(as_nobody ./drydock cat --engine appliance --appliance uml g.img:/etc/hostname)" = guest ]
	needs_machine tcg
	[ "$(as_nobody ./drydock cat --engine appliance --appliance tcg g.img:/etc/hostname)" = guest ]
}

@test "in a container, and where ptrace is forbidden: it says what is, and reads by what is not" {
	needs_machine
	make_corner
	cat=(./drydock cat --engine appliance g.img:/etc/hostname)
	none="drydock: g.img: /dev/sda: ext4: no appliance came up"
	fails_with 1 "$none (uml: it is not started unconfined, and this host does not allow namespaces of one's own (Operation not permitted))" \
		as_nobody ./container_tool "${cat[@]}" --appliance uml
	fails_with 1 "$none (uml: it ended with status 127: drydock: ptrace: Operation not permitted)" \
		as_nobody ./container_tool --no-ptrace "${cat[@]}" --appliance uml
	fails_with 1 "$none (uml: it ended with status 127: drydock: Landlock: Operation not permitted)" \
		as_nobody ./container_tool --no-landlock "${cat[@]}" --appliance uml
	as_nobody ./container_tool ./drydock doctor | grep 'namespaces.*not for this user.*Operation not permitted'
	as_nobody ./container_tool --no-ptrace ./drydock doctor | grep 'ptrace.*may not trace its children (Operation not permitted)'
	needs_machine tcg
	[ "$(as_nobody ./container_tool "${cat[@]}")" = guest ]
	[ "$(as_nobody ./container_tool --no-ptrace "${cat[@]}")" = guest ]
	[ "$(as_nobody ./container_tool "${cat[@]}" --appliance tcg)" = guest ]
}
