# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# shell.bats - the shell and guestfish where they change a guest: all that a session does, or nothing of it.
load ../cli/helpers
load guests

PTY=$BUILD/appliance-tests/pty_tool

setup_file()
{
	make_appliance
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	export DRYDOCK_APPLIANCE=uml
	command -v mke2fs >/dev/null || return 0
	make_tree
	mke2fs -q -t ext4 -d t root.fs 32M
}

setup()
{
	make_folder
	needs_machine
	requires mke2fs
	cp "$BATS_FILE_TMPDIR/root.fs" g.img
}

@test "a script changes files, and all of it is kept" {
	echo up >up
	mkdir tree && echo leaf >tree/leaf
	cat >lines <<-'END'
		mkdir-p /s/a/b
		write /s/one "one\ntwo\n"
		write-append /s/one "three\n"
		touch /s/empty
		chmod 0600 /s/one
		chown 3 4 /s/one
		ln-s one /s/link
		ln /s/one /s/hard
		cp /s/one /s/copy
		cp-a /s /s2
		mv /s/copy /s/moved
		truncate-size /s/moved 4
		upload up /s/up
		copy-in tree /s
		rm /s/empty
		-rm /s/empty
		rm-f /s/empty
		rm-rf /s/a
		cat /s/one
	END
	drydock shell -w -f raw -a g.img --file lines >out 2>err || { cat err; false; }
	[ "$(cat out)" = $'one\ntwo\nthree' ]
	e2fsck -fn g.img
	[ "$(drydock cat g.img:/s/moved)" = one ]
	[ "$(drydock cat g.img:/s/tree/leaf g.img:/s/up)" = $'leaf\nup' ]
	drydock ls -l g.img:/s >listing
	grep -E -- '-rw-------.* 2 .*3 .*4 .*one$' listing
	[ "$(drydock ls g.img:/s2 | tr '\n' ' ')" = "a copy empty hard link one " ]
}

@test "a script that fails changes nothing; checkpoint keeps what was before it" {
	sum=$(sha256sum <g.img)
	run -1 drydock shell -w -f raw -a g.img write /x y : cat /none
	[ "$(sha256sum <g.img)" = "$sum" ]
	run -1 drydock shell -w -f raw -a g.img write /x y : checkpoint : write /z y : cat /none
	[ "$(drydock ls g.img:/ | grep -c '^[xz]$')" = 1 ]
	e2fsck -fn g.img
}

# reads_only: what needs a machine or writes, in sessions that only read, on a copy of g.img; its programs are busybox's.
reads_only()
{
	debugfs -w -R "write $(command -v busybox) /bin/sh" g.img 2>/dev/null
	debugfs -w -R "sif /bin/sh mode 0100755" g.img 2>/dev/null
	sum=$(sha256sum <g.img)
	fish --ro -a g.img -i <<-'END'
		cat /etc/hostname
		sh "read x </etc/hostname; echo $x"
		-command "/bin/sh -c 'echo x >/x'"
		-write /x y
		-rm /etc/hostname
		tune2fs-l /dev/sda | grep -c 'Filesystem UUID'
		mountpoints
		inspect-get-distro /dev/sda
		aug-init / 0
		aug-get /files/etc/hostname/hostname
		zero /dev/sda
	END
	diff -u - out <<-'END'
		guest

		guest

		1
		/dev/sda: /
		debian
		guest
	END
	[ "$(grep -c 'Read-only file system' err)" = 3 ]
	fish --ro -a g.img <<-'END'
		run
		mount /dev/sda /
		write /x y
		cat /x
		rm-rf /data
		sync
		umount-all
		mkfs ext2 /dev/sda label:AA
		vfs-label /dev/sda
		mount-ro /dev/sda /
		-touch /x
	END
	[ "$(cat out)" = $'y\nAA' ]
	grep -q 'touch: /x: Read-only file system' err
	drydock shell -f raw -a g.img sh 'echo x >/x || read x </etc/hostname; echo $x' >out 2>err
	[ "$(cat out)" = guest ]
	[ "$(sha256sum <g.img)" = "$sum" ]
	[ "$(find "$TMPDIR" . -maxdepth 1 -name '*.redo*')" = "" ]
}

@test "a session that only reads starts a machine when it needs one, and what is written is thrown away" {
	requires busybox
	reads_only
}

@test "a session that only reads: the same in QEMU" {
	requires busybox
	needs_machine tcg
	reads_only
}

@test "a prepared disk gets its partition, its filesystem, and files" {
	"$COMPAT/guestfish" -N x.img=fs:ext4:20M:gpt -m /dev/sda1 write /hello world : cat /hello : part-get-parttype /dev/sda >out
	[ "$(cat out)" = $'world\ngpt' ]
	[ "$(drydock cat -m /dev/sda1 x.img:/hello)" = world ]
}

# fish [OPTION...]: guestfish runs the commands on standard input; what it prints is in out and err.
fish()
{
	cat >lines
	"$COMPAT/guestfish" "$@" -f lines >out 2>err || {
		cat out err
		return 1
	}
}

@test "partitions are made, changed and told" {
	fish <<-'END'
		sparse p.img 64M
		add-drive-scratch 20M
		run
		part-init /dev/sda mbr
		part-add /dev/sda p 2048 40959
		part-add /dev/sda p 40960 61439
		part-add /dev/sda e 61440 -1
		part-add /dev/sda l 63488 81919
		part-del /dev/sda 2
		part-resize /dev/sda 1 51199
		part-set-mbr-id /dev/sda 1 0x7
		part-set-bootable /dev/sda 1 true
		list-partitions
		part-get-mbr-id /dev/sda 1
		part-get-bootable /dev/sda 1
		part-get-mbr-part-type /dev/sda 5
		part-get-parttype /dev/sda
		blockdev-getsize64 /dev/sda1
		part-init /dev/sdb gpt
		part-add /dev/sdb p 2048 -34
		part-set-name /dev/sdb 1 first
		part-set-gpt-type /dev/sdb 1 E6D6D379-F507-44C2-A23C-238F2A3DF928
		part-set-gpt-guid /dev/sdb 1 01234567-89AB-CDEF-0123-456789ABCDEF
		part-set-disk-guid /dev/sdb 01234567-89AB-CDEF-0123-456789ABCDE0
		part-expand-gpt /dev/sdb
		part-get-name /dev/sdb 1
		part-get-gpt-type /dev/sdb 1
		part-get-gpt-guid /dev/sdb 1
		part-get-disk-guid /dev/sdb
		part-to-dev /dev/sdb1
		part-to-partnum /dev/sda5
	END
	diff -u - out <<-'END'
		/dev/sda1
		/dev/sda3
		/dev/sda5
		0x7
		true
		logical
		msdos
		25165824
		first
		E6D6D379-F507-44C2-A23C-238F2A3DF928
		01234567-89AB-CDEF-0123-456789ABCDEF
		01234567-89AB-CDEF-0123-456789ABCDE0
		/dev/sdb
		5
	END
	sfdisk -d p.img | grep -q 'p.img1.*size= *49152, type=7, bootable'
	[ "$(find . "$TMPDIR" -maxdepth 1 -name 'drydock-scratch*')" = "" ]
}

@test "filesystems of several kinds are made, named, resized, wiped" {
	fish <<-'END'
		sparse f.img 40M
		run
		part-disk /dev/sda gpt
		mkfs ntfs /dev/sda1 label:WIN
		ntfsresize /dev/sda1 size:12M
		ntfsfix /dev/sda1
		vfs-label /dev/sda1
		mkfs vfat /dev/sda1
		set-label /dev/sda1 FATTY
		vfs-label /dev/sda1
		mkswap /dev/sda1 label:sw
		vfs-type /dev/sda1
		zero /dev/sda1
		wipefs /dev/sda1
		vfs-type /dev/sda1
		pwrite-device /dev/sda1 hello 5000
		pread-device /dev/sda1 5 5000
		is-zero-device /dev/sda1
		zero-device /dev/sda1
		is-zero-device /dev/sda1
		mkfs ext2 /dev/sda1 blocksize:1024 label:one
		set-uuid /dev/sda1 01234567-89ab-cdef-0123-456789abcdef
		vfs-uuid /dev/sda1
		resize2fs-size /dev/sda1 5M
		resize2fs /dev/sda1
		e2fsck /dev/sda1 correct:true
		fsck ext2 /dev/sda1
		tune2fs-l /dev/sda1 | grep -c 'Filesystem UUID: *01234567-89ab'
		mount /dev/sda1 /
		write /kept text
		fstrim /
		zero-free-space /
		feature-available "lvm2 luks"
		filesystem-available ext4
		-available "lvm2 zerofree"
		-feature-available nonesuch
	END
	printf '%s\n' WIN FATTY swap '' 5 hello false true 01234567-89ab-cdef-0123-456789abcdef 0 1 true true | diff -u - out
	diff -u - err <<-'END'
		lines:35: libguestfs: error: available: zerofree: group not available
		lines:36: libguestfs: error: feature_available: nonesuch: unknown group
	END
	[ "$(drydock cat -f raw -m /dev/sda1 f.img:/kept)" = text ]
}

@test "LVM and arrays are made, renamed and resized" {
	fish <<-'END'
		sparse v.img 100M
		sparse w.img 20M
		sparse x.img 20M
		run
		pvcreate /dev/sda
		vgcreate VG /dev/sda
		lvcreate a VG 20
		lvcreate-free b VG 50
		mkfs ext4 /dev/VG/a
		mount /dev/VG/a /
		write /x hello
		umount-all
		lvresize /dev/VG/a 32
		e2fsck /dev/VG/a correct:true
		resize2fs /dev/VG/a
		lvrename /dev/VG/b /dev/VG/c
		vgrename VG WG
		lvs
		vgs
		pvs
		lvremove /dev/WG/c
		lvresize-free /dev/WG/a 100
		mount /dev/WG/a /
		cat /x
		umount-all
		vg-activate-all false
		md-create r1 "/dev/sdb /dev/sdc" level:raid1
		mkfs ext4 /dev/md/r1
		mount /dev/md/r1 /
		write /raid yes
		umount-all
		md-stop /dev/md/r1
	END
	printf '%s\n' /dev/WG/a /dev/WG/c WG /dev/sda hello | diff -u - out
	[ "$(drydock cat -f raw -m /dev/WG/a v.img:/x)" = hello ]
	[ "$(drydock cat -f raw -a w.img -a x.img -m /dev/md127 /raid)" = yes ]
}

@test "prepared disks with a logical volume: empty, with a filesystem, and for root" {
	"$COMPAT/guestfish" -N l.img=lv:/dev/A/b:20M -N m.img=lvfs::ext4:30M:gpt -N n.img=bootrootlv:C/root:ext2:ext4:60M:16M \
		list-filesystems : lvs : part-get-parttype /dev/sdb : mount /dev/C/root / : write /x hello >out
	diff -u - out <<-'END'
		/dev/sdc1: ext2
		/dev/A/b: unknown
		/dev/C/root: ext4
		/dev/VG/LV: ext4
		/dev/A/b
		/dev/VG/LV
		/dev/C/root
		gpt
	END
	[ "$(drydock cat -f raw -m /dev/C/root n.img:/x)" = hello ]
	run -1 --separate-stderr drydock shell -w -N lvfs:b:ext4
	[[ "$stderr" = *"-N lvfs:b:ext4: lvfs[:NAME["* ]]
}

@test "configuration files are a tree: what augtool says of it here, and what is changed and saved" {
	requires augtool
	printf '127.0.0.1\tlocalhost\n10.0.0.2\tann.example.org ann\n' >hosts
	mkdir -p h/etc && cp hosts h/etc/
	fish -a g.img -i <<-'END'
		-aug-get /files/etc/hosts/1/ipaddr
		upload hosts /etc/hosts
		aug-init / 0
		aug-match /files/etc/hosts//*
		aug-get /files/etc/hosts/*[canonical="ann.example.org"]/ipaddr
		aug-label /files/etc/hosts/2
		aug-ls /files/etc/hosts/2
		-aug-get /files/etc/hosts/7
		-aug-get /files/etc/hosts/1
		-aug-get /files/etc/hosts[
		aug-match /nothing
		aug-set /files/etc/hosts/01/ipaddr 10.0.0.3
		-aug-save
		aug-set /files/etc/hosts/01/canonical new
		aug-insert /files/etc/hosts/1 #comment true
		aug-set /files/etc/hosts/#comment "a \"quote\", it's \\ a [bracket] and /"
		aug-get "/files/etc/hosts/#comment[. =~ regexp('a \"quote\".*')]"
		aug-setm /files/etc/hosts/*[ipaddr] alias[last()+1] one
		aug-defvar all /files/etc/hosts/*[alias='one']
		aug-defnode node /files/etc/hosts/02 ""
		aug-rm $node
		aug-mv /files/etc/hosts/1 /files/etc/hosts/9
		aug-save
		aug-get /files/etc/hosts/3/ipaddr
		cat /etc/hosts
		aug-close
	END
	{
		augtool -r h match '/files/etc/hosts//*' | sed 's/ = .*//'
		printf '%s\n' 10.0.0.2 2 /files/etc/hosts/2/alias /files/etc/hosts/2/canonical /files/etc/hosts/2/ipaddr
		echo "a \"quote\", it's \\ a [bracket] and /"
		printf '%s\n' 3 3 'i: 1' 'b: 1' 1 127.0.0.1
		augtool -r h >/dev/null <<-'END'
			set /files/etc/hosts/01/ipaddr 10.0.0.3
			set /files/etc/hosts/01/canonical new
			ins #comment before /files/etc/hosts/1
			set /files/etc/hosts/#comment "a \"quote\", it's \\ a [bracket] and /"
			setm /files/etc/hosts/*[ipaddr] alias[last()+1] one
			mv /files/etc/hosts/1 /files/etc/hosts/9
			save
		END
		cat h/etc/hosts
		echo
	} | diff -u - out
	cut -d : -f 2,6- err | diff -u - <(
		cat <<-'END'
			1: do_aug_get: you must call 'aug-init' first to initialize Augeas
			8: no matching node
			9: Augeas returned NULL match
			10: /files/etc/hosts[: its brackets do not pair
			13: /etc/hosts: put_failed
		END
	)
	[ "$(drydock cat g.img:/etc/hosts)" = "$(cat h/etc/hosts)" ]
	e2fsck -fn g.img
}

@test "an encrypted volume is opened by a key from standard input, and holds a filesystem" {
	requires cryptsetup
	truncate -s 24M l.img
	printf one | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 l.img -
	cat >lines <<-'END'
		luks-uuid /dev/sda
		-cryptsetup-open /dev/sda secret
		cryptsetup-open /dev/sda secret
		list-dm-devices
		mkfs ext2 /dev/mapper/secret
		list-filesystems
		mount /dev/mapper/secret /
		write /y crypt
		umount-all
		luks-close /dev/mapper/secret
		-mount /dev/mapper/secret /
	END
	printf 'bad\none\n' >keys
	sed -i '1i add l.img\nrun' lines
	"$COMPAT/guestfish" --keys-from-stdin -f lines <keys >out 2>err
	printf '%s\n' "$(cryptsetup luksUUID l.img)" /dev/mapper/secret '/dev/mapper/secret: ext2' | diff -u - out
	grep -q 'lines:4: .*cryptsetup_open: .*key' err
	grep -q 'lines:13: .*mount: /dev/mapper/secret: No such file or directory' err
	[ "$(drydock cat -f raw --key all:key:one l.img:/y)" = crypt ]
}

@test "files: attributes, archives, trees, an editor, programs of the guest" {
	requires busybox
	mkdir -p tree/sub && echo leaf >tree/sub/leaf && ln -s leaf tree/sub/link
	tar cf t.tar -C tree .
	tar czf t.tgz -C tree .
	printf '#!/bin/sh\nsed -i s/guest/edited/ "$1"\n' >editor && chmod +x editor
	debugfs -w -R "write $(command -v busybox) /bin/sh" g.img 2>/dev/null
	debugfs -w -R "sif /bin/sh mode 0100755" g.img 2>/dev/null
	mkdir out.d
	fish -a g.img -i <<-'END'
		mkdir /d
		mkdir-mode /d/m 0700
		copy-in tree t.tar /d
		tar-in t.tar /d/m
		tgz-in t.tgz /d
		tar-out /d - compress:gzip | tar tzf - | grep -c leaf
		copy-out /d out.d
		setenv EDITOR ./editor
		edit /etc/hostname
		cat /etc/hostname | head -1
		upload t.tar /d/up
		download /d/up down.tar
		lsetxattr user.a "v\x41" 2 /d/up
		getxattr /d/up user.a
		removexattr user.a /d/up
		-getxattr /d/up user.a
		utimens /d/up 1000 0 2000 5
		statns /d/up | grep mtime
		umask 077
		get-umask
		touch /d/t
		ll /d/t
		mknod-c 0644 8 1 /d/chr
		is-chardev /d/chr
		fill-pattern ab 6 /d/pat
		pwrite /d/pat ZZ 3
		read-file /d/pat
		touch /d/big
		truncate-size /d/big 1M
		is-zero /d/big
		ln-sf y /d/sl
		readlink /d/sl
		glob ls /d/m*
		case-sensitive-path /D/M
		command "/bin/sh -c 'echo from guest'"
		-sh-lines "echo a; exit 3"
	END
	sed -i 's/ [A-Z][a-z][a-z] .* / DATE /' out
	printf '%s\n' 3 edited vA 'st_mtime_sec: 2000' 'st_mtime_nsec: 5' 022 077 '-rw------- 1 0 0    0 DATE /d/t' '' true 2 abaZZb \
		true y sub /d/m 'from guest' '' a | diff -u - out
	[ "$(cat out.d/d/m/sub/leaf)" = leaf ]
	cmp t.tar down.tar
	e2fsck -fn g.img
}

# play [OPTION...]: the shell in a terminal, its user played by standard input.
play()
{
	cat >play
	"$PTY" play "$DRYDOCK" shell -f raw -a g.img "$@" >said || {
		cat said
		return 1
	}
}

@test "at a prompt: a pager has the terminal, Ctrl-C drops a line or ends a command, and the session goes on" {
	requires more
	export PAGER=more HOME=$T TERM=vt100
	sum=$(sha256sum <g.img)
	play -w <<-'END'
		< >
		> echo dropped
		< dropped
		> \x03
		< ^C
		< >
		> echo begin\r
		< begin
		< >
		> !echo st$((1+1))rted; sleep 60\r
		< st2rted
		> \x03
		< interrupted
		< >
		> write /kept text\r
		< >
		> cat /none\r
		< No such file
		< >
		> more /data/numbers\r
		< --More--
		> q
		< >
		> pread /kept 4 0\r
		< text
		< >
		> \x04
		end
	END
	run ! grep -q '^dropped' said
	[ "$(drydock cat g.img:/kept)" = text ]
	cp g.img before.img
	play -w <<-'END'
		< >
		> write /lost text\r
		< >
		> abandon\r
		end
	END
	cmp g.img before.img
	[ "$(sha256sum <g.img)" != "$sum" ]
	grep -q 'write /lost' .drydock_history
}

@test "mount-local: what is written below the folder is part of the session" {
	requires_fuse
	mkdir m h
	printf 'write /before one\nlcd h\nmount-local ../m\nmount-local-run\ncat /made/file\nmount-local ../m readonly:true\n' >script
	echo mount-local-run >>script
	"$DRYDOCK" shell -w -f raw -a g.img --file script >out 2>err &
	pid=$!
	wait_for mountpoint -q m
	[ "$(cat m/before)" = one ]
	mkdir m/made && echo text >m/made/file && mv m/before m/after
	fusermount3 -u m
	wait_for grep -q text out
	wait_for mountpoint -q m
	run -1 touch m/made/file
	fusermount3 -u m
	wait "$pid"
	[ "$(drydock cat g.img:/made/file g.img:/after)" = $'text\none' ]
	e2fsck -fn g.img
}

@test "a session that is killed leaves the image as it was" {
	sum=$(sha256sum <g.img)
	mkfifo lines
	"$DRYDOCK" shell -w -f raw -a g.img <lines >out 2>err &
	pid=$!
	exec 7>lines
	echo 'write /x y' >&7
	echo 'rm-rf /data' >&7
	echo 'exists /x' >&7
	for _ in {1..600}; do
		grep -q true out && break
		sleep 0.1
	done
	kill -9 "$pid"
	exec 7>&-
	wait "$pid" || true
	[ "$(sha256sum <g.img)" = "$sum" ]
	# Those of its processes that the kernel has not ended yet may hold the image.
	for _ in {1..100}; do
		! drydock write -f raw g.img:/y <out 2>err || break
		sleep 0.1
	done
	[ "$(drydock ls g.img:/ | grep -x '[xy]\|data' | tr '\n' ' ')" = 'data y ' ]
	e2fsck -fn g.img
}
