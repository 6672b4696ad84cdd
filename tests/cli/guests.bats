# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
}

# ---- volumes, df ----

@test "volumes lists partitions with what lies in them" {
	drydock volumes -b g.img >out
	[ "$(sed -n 1p out | tr -s ' ')" = "NAME SCHEME PARTITION TYPE SIZE FILESYSTEM LABEL UUID USE%" ]
	[[ $(sed -n 2p out) == "/dev/sda1"*gpt*"Linux extended boot"*4194304*ext2*bootfs*bbbbbbbb-1111-2222-3333-444444444444*% ]]
	[[ $(sed -n 3p out) == "/dev/sda2"*gpt*"Linux filesystem"*16777216*ext4*rootfs*aaaaaaaa-1111-2222-3333-444444444444*% ]]
	[ "$(wc -l <out)" = 3 ]
}

@test "volumes prints the same facts as JSON" {
	drydock volumes --json g.img >out
	[ "$(json '.[0].disks[0] | [.device, .image, .format, .size]' <out)" = '["/dev/sda","g.img","raw",25165824]' ]
	[ "$(json '.[0].volumes[] | [.name, .number, .offset, .filesystem.type, .filesystem.label]' <out | tr '\n' ' ')" = \
		'["/dev/sda1",1,1048576,"ext2","bootfs"] ["/dev/sda2",2,5242880,"ext4","rootfs"] ' ]
	[ "$(json '.[0].volumes[1].partition_uuid' <out)" = '"aaaaaaaa-0000-0000-0000-000000000002"' ]
}

@test "a disk without a partition table is one volume" {
	[[ $(drydock volumes root.fs | sed -n 2p) == "/dev/sda "*disk*ext4*rootfs* ]]
}

@test "several disks are one guest with -a and several without" {
	drydock volumes -a g.img -a boot.fs >out
	grep -q '^/dev/sda2' out
	grep -q '^/dev/sdb ' out
	drydock volumes g.img boot.fs >out
	[ "$(grep -c '^NAME' out)" = 2 ]
	run ! grep -q '^/dev/sdb' out
}

@test "df shows sizes, and where the guest mounts" {
	drydock df g.img >out
	[[ $(sed -n 2p out) == "/dev/sda1 "*%*" /boot" ]]
	[[ $(sed -n 3p out) == "/dev/sda2 "*%*" /" ]]
	drydock df -i g.img | grep -q 'IUsed'
	[ "$(drydock df --json g.img | json '.[1] | .size - .used - .available >= 0')" = true ]
}

@test "df names an image that cannot be read, shows the others, and fails" {
	head -c 1M /dev/zero >empty.img
	fails_with 1 "missing.img" drydock df missing.img g.img
	[[ $output == */dev/sda2* ]]
	drydock df empty.img g.img >out
	grep -q g.img:/dev/sda2 out
}

# ---- ls ----

@test "ls lists the root, a folder, a file, across mounts" {
	[ "$(drydock ls g.img | tr '\n' ' ')" = "bin boot etc home lost+found usr var " ]
	[ "$(drydock ls g.img:/boot | tr '\n' ' ')" = "lost+found vmlinuz " ]
	[ "$(drydock ls g.img:/etc/fstab)" = /etc/fstab ]
	[ "$(drydock ls -d g.img:/etc)" = /etc ]
	[ "$(drydock ls g.img:/home/ann/absolute | head -1)" = fstab ]
}

@test "ls -l shows mode, links, owner, size, date and target" {
	drydock ls -l g.img:/home/ann >out
	grep -qE "^-rw-r----- +2 +$(id -u) +$(id -g) +7  2001-02-03 04:05  letter\$" out
	grep -qE "^lrwxrwxrwx .*  link -> ../../etc/hostname\$" out
}

@test "a name cannot forge a line or reach the terminal" {
	drydock ls -l g.img:/home/ann >out
	grep -qF 'evil\x1b[31m\nname' out
	requires script
	script -qec "\"$DRYDOCK\" ls g.img:/home/ann" /dev/null </dev/null >out
	grep -qF 'evil\x1b[31m\nname' out
	run ! grep -q $'\033' out
}

@test "a pipe gets the guest's own bytes, and -0 says where a name ends" {
	drydock ls g.img:/home/ann | grep -q $'^evil\033\\[31m$'
	[ "$(drydock ls -0 g.img:/home/ann | tr -cd '\0' | wc -c)" = 6 ]
}

@test "ls -R lists the tree, and in long lines with what it is" {
	[ "$(drydock ls -R g.img:/etc | tr '\n' ' ')" = "fstab hostname os-release " ]
	drydock ls -lR g.img:/ | grep -qE '^-rw.*  ?boot/vmlinuz$'
}

@test "ls --json has every fact, and --checksum the content's" {
	drydock ls --json --xattrs --checksum=sha256 g.img:/home/ann >out
	[ "$(json '.[0].entries[] | select(.path == "/home/ann/letter") | [.type, .mode, .size, .links, .modified, .checksum]' <out)" = \
		"[\"file\",\"0640\",7,2,\"2001-02-03T04:05:06.000000000Z\",\"$(echo secret | sha256sum | cut -d' ' -f1)\"]" ]
	[ "$(json '.[0].entries[] | select(.path == "/home/ann/absolute") | .target' <out)" = '"/etc"' ]
	[ "$(drydock ls --checksum=md5 g.img:/etc/hostname)" = "$(echo guest | md5sum | cut -d' ' -f1)  /etc/hostname" ]
	fails_with 2 'sha3' drydock ls --checksum=sha3 g.img:/
}

@test "ls --json tells the project that a file counts for" {
	mke2fs -q -t ext4 -O project,quota -I 256 e.img 16M
	echo hi >f
	debugfs -w -R "write f f" e.img 2>/dev/null
	debugfs -w -R "write f g" e.img 2>/dev/null
	debugfs -w -R "set_inode_field f projid 4242" e.img 2>/dev/null
	[ "$(drydock ls --json -m /dev/sda -a e.img /f /g | json '.[].entries[0].project' | tr '\n' ' ')" = "4242 null " ]
	truncate -s 320M x.img
	printf 'x\n0 0\nd--755 0 0\nf ---644 0 0 f\n$\n' >proto
	mkfs.xfs -q -p proto x.img
	inode=$(xfs_db -r -c "ls /" x.img | awk '$6 == "f" { print $2 }')
	xfs_db -x -c "inode $inode" -c "write core.projid_lo 7" -c "write core.projid_hi 1" x.img
	[ "$(drydock ls --json -m /dev/sda -a x.img /f | json '.[].entries[0].project')" = 65543 ]
}

@test "several operands have headings, and one that fails does not stop the others" {
	run --separate-stderr drydock ls g.img:/nope g.img:/etc
	[ "$status" = 1 ]
	[[ $stderr == *"/nope"* ]]
	[[ $output == *"g.img:/etc:"*fstab* ]]
}

@test "an image whose name has a colon is written with a folder or with -a" {
	cp g.img a:b.img
	[ "$(drydock ls ./a:b.img:/boot | tail -1)" = vmlinuz ]
	[ "$(drydock ls -a a:b.img /boot | tail -1)" = vmlinuz ]
	[ "$(drydock ls g.img:boot | tail -1)" = vmlinuz ]
}

@test "-m mounts by hand, and nothing else then" {
	[ "$(drydock ls -m /dev/sda2 g.img:/boot)" = "" ]
	[ "$(drydock ls -m /dev/sda2 -m /dev/sda1:/boot g.img:/boot | tail -1)" = vmlinuz ]
	[ "$(drydock ls -m LABEL=bootfs g.img:/ | tail -1)" = vmlinuz ]
	fails_with 1 "/dev/sda9" drydock ls -m /dev/sda9 g.img:/
}

@test "-m takes options of mount and the type that must be there" {
	[ "$(drydock ls -m /dev/sda2:/:ro,noatime:ext4 -m /dev/sda1:/boot g.img:/boot | tail -1)" = vmlinuz ]
	[ "$(drydock ls -m /dev/sda1::ro g.img:/ | tail -1)" = vmlinuz ]
	fails_with 2 'unknown mount option "nosuch"' drydock ls -m /dev/sda2:/:ro,nosuch g.img:/
	fails_with 1 "there is ext4, not btrfs" drydock ls -m /dev/sda2:/::btrfs g.img:/
	fails_with 1 'no volume "btrfsvol:/dev/sdb/@"' drydock ls -m btrfsvol:/dev/sdb/@ g.img:/
	fails_with 1 'no subvolume "@"' drydock ls -m btrfsvol:/dev/sda2/@ g.img:/
}

@test "a disk that is not a disk of a guest is told so" {
	head -c 1M /dev/zero >empty.img
	run --separate-stderr drydock ls empty.img:/
	[ "$status" = 1 ]
	[[ $stderr == "drydock: empty.img: "* ]]
	fails_with 1 "nosuch" drydock ls -f nosuch g.img:/ || fails_with 2 "nosuch" drydock ls -f nosuch g.img:/
}

# ---- cat ----

@test "what somebody writes to while it is read is said to be of different moments" {
	mkdir big
	random_file big/file 4M 7
	mke2fs -q -t ext4 -d big big.fs 16M
	mkfifo pipe
	for program in "$DRYDOCK cat" "$COMPAT/virt-cat"; do
		# Half is in the pipe, and half is not read yet.
		# shellcheck disable=SC2086 # words
		$program -m /dev/sda -a big.fs /file >pipe 2>err &
		{
			head -c 1000 >start
			sleep 0.1
			printf '\0' | dd of=big.fs bs=1 seek=16777215 conv=notrunc status=none
			cat >rest
		} <pipe
		wait $!
		cat start rest | cmp - big/file
		grep -q 'big.fs: it was written to while it was read: what is shown may be of different moments$' err
		# shellcheck disable=SC2086
		$program -m /dev/sda -a big.fs /file 2>err | cmp - big/file
		[ ! -s err ]
	done
}

@test "cat prints files of several guests, in order" {
	cp g.img h.img
	[ "$(drydock cat g.img:/etc/hostname h.img:/home/ann/letter g.img:/boot/vmlinuz | tr '\n' ' ')" = "guest secret kernel " ]
}

@test "cat --json has each file's content, as text or in base64" {
	mkdir j
	printf 'a\033"b\n' >j/text
	printf 'a\377\000' >j/bytes
	: >j/empty
	truncate -s 16777217 j/large
	mke2fs -q -t ext4 -d j j.fs 8M
	fails_with 1 '/large: it has more than the 16 MiB that --json takes' \
		drydock cat --json -m /dev/sda -a j.fs /text /bytes /large /empty
	drydock cat --json -m /dev/sda -a j.fs /text /bytes /large /empty >out 2>/dev/null || :
	[ "$(json 'length, .[0].text, .[1].base64, .[2].text, .[0].size, .[1].image' <out | tr '\n' ' ')" = \
		'3 "a\u001b\"b\n" "Yf8A" "" 5 "j.fs" ' ]
	[ "$(drydock cat --json g.img:/etc/hostname g.img:/home/ann/letter | json '[.[].text]')" = '["guest\n","secret\n"]' ]
}

@test "cat follows links inside the guest only" {
	[ "$(drydock cat g.img:/home/ann/link)" = guest ]
	[ "$(drydock cat g.img:/home/ann/over-the-top)" = guest ]
	[ "$(drydock cat g.img:/../../etc/hostname)" = guest ]
}

@test "cat refuses a folder, tells what is missing, prints the rest" {
	fails_with 1 "/etc" drydock cat g.img:/etc
	fails_with 1 "/nope" drydock cat g.img:/nope g.img:/etc/hostname
	[ "$output" = guest ]
	fails_with 2 "name a file" drydock cat g.img
	fails_with 2 "" drydock cat
}

@test "cat notices a full disk" {
	[ -w /dev/full ] || skip "no /dev/full"
	run --separate-stderr sh -c '"$DRYDOCK" cat g.img:/etc/hostname >/dev/full'
	[ "$status" = 1 ]
	[[ $stderr == *"No space left"* ]]
}

@test "guests are read from qcow2, over a backing file too" {
	drydock convert -q -f raw -O qcow2 g.img base.qcow2
	drydock create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
	[ "$(drydock cat over.qcow2:/etc/hostname)" = guest ]
	mkdir elsewhere
	mv over.qcow2 elsewhere/
	requires qemu-img
	qemu-img rebase -u -b ../base.qcow2 -F qcow2 elsewhere/over.qcow2
	fails_with 1 "base.qcow2" drydock cat elsewhere/over.qcow2:/etc/hostname
	[ "$(drydock cat --allow-backing=. elsewhere/over.qcow2:/etc/hostname)" = guest ]
	[ "$("$COMPAT/virt-cat" -a elsewhere/over.qcow2 /etc/hostname)" = guest ]
}

@test "every command works for an ordinary user" {
	chmod 644 g.img
	as_user "$DRYDOCK" volumes g.img | grep -q rootfs
	[ "$(as_user "$DRYDOCK" cat g.img:/home/ann/letter)" = secret ]
	mkdir out
	chmod 777 out
	as_user "$DRYDOCK" cp -R g.img:/home out
	[ "$(cat out/home/ann/letter)" = secret ]
}
