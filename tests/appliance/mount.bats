# SPDX-License-Identifier: GPL-2.0-or-later
#
# mount.bats - what is written through a mount: as a filesystem of the host would do it; in the image when it is unmounted, or when a
# checkpoint says so, and else not at all.  DRYDOCK_KILLS (3) is how often a mount is killed at a random moment, DRYDOCK_STEPS (200) how
# many random calls a file and four processes get, from DRYDOCK_SEED on.
load ../cli/helpers
load guests

setup_file()
{
	make_appliance
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	export DRYDOCK_APPLIANCE=uml
	command -v mke2fs >/dev/null && command -v qemu-img >/dev/null || return 0
	make_tree
	mke2fs -q -t ext4 -d t root.fs 64M
	qemu-img convert -O qcow2 root.fs g.qcow2
}

setup()
{
	make_folder
	mkdir m model
	needs_machine
	requires mke2fs qemu-img setfattr
	requires_fuse
	cp "$BATS_FILE_TMPDIR/g.qcow2" .
}

teardown()
{
	! mountpoint -q "$T/m" 2>/dev/null || umount -l "$T/m"
	remove_folder
}

is_clean()
{
	qemu-img check -q "$1"
	qemu-img convert -O raw "$1" clean.raw
	e2fsck -fn clean.raw >fsck.out 2>&1 || { cat fsck.out; return 1; }
	run -1 compgen -G '.*.drydock-redo'
}

# All that is in a tree, but for times.
tree_of()
{
	(cd "$1" && find . -path ./lost+found -prune -o -printf '%p %y %M %n %U %G %l\n' | sort &&
		find . -type f -exec sha256sum {} + | sort)
}

# The same of a guest, by our own reader.
tree_in()
{
	drydock mount --engine direct "$1" m
	tree_of "m$2"
	drydock unmount m
}

@test "a mount that is written to does what a filesystem of the host does" {
	tool=$BUILD/appliance-tests/posix_tool
	drydock mount -w g.qcow2 m
	mkdir m/s
	# The tool itself is right about a filesystem of the host.
	"$tool" fsx model/f 5 200 >f.expected
	cmp model/f f.expected
	"$tool" fsx m/f "${DRYDOCK_SEED:-5}" "${DRYDOCK_STEPS:-200}" >f.expected
	mkdir model/s model/n
	"$tool" stress m/s model/s 11 800
	same <(tree_of m/s) <(tree_of model/s)
	mkdir m/many model/many
	"$tool" many m/many model/many "${DRYDOCK_SEED:-7}" "$((${DRYDOCK_STEPS:-200} / 2))" 4
	drydock unmount m
	is_clean g.qcow2
	same <(tree_in g.qcow2 /s) <(tree_of model/s)
	for i in 0 1 2 3; do same <(tree_in g.qcow2 "/many/p$i") <(tree_of "model/many/p$i"); done
	drydock cat g.qcow2:/f | cmp - f.expected
}

@test "users may do what their rights are" {
	requires_root
	drydock mount -w -o allow_other,default_permissions g.qcow2 m
	mkdir m/u model/u
	chmod 777 m/u model/u
	"$BUILD/appliance-tests/posix_tool" users m/u model/u 21 800
	same <(tree_of m/u) <(tree_of model/u)
	drydock unmount m
	is_clean g.qcow2
}

@test "programs work on it: tar, rsync, git, mv, install, and what is open is there without a name" {
	requires git rsync
	mkdir src
	for i in 1 2 3; do random_file src/$i 300K $i; done
	mkdir -p src/deep/er
	seq 1000 >src/deep/er/numbers
	ln -s deep src/link
	ln src/1 src/hard
	drydock mount -w g.qcow2 m
	rsync -aH src/ m/rsync/
	mkdir m/tar
	tar -C src -cf - . | tar -C m/tar -xf -
	same <(tree_of src) <(tree_of m/rsync)
	same <(tree_of src) <(tree_of m/tar)
	git -c init.defaultBranch=main init -q src
	git -C src add deep
	git -C src -c user.name=x -c user.email=x@y commit -qm one
	git clone -q src m/clone
	git -C m/clone fsck --no-progress
	[ -z "$(git -C m/clone status --porcelain)" ]
	install -m 750 src/2 m/bin-file
	mv m/bin-file m/clone/
	exec 9<>m/open
	rm m/open
	echo text >&9
	[ ! -e m/open ]
	[ "$(cat "/proc/$$/fd/9")" = text ]
	exec 9>&-
	run -1 compgen -G 'm/.drydock-open*'
	flock m/lock -c true
	setfattr -n user.a -v b m/lock
	[ "$(getfattr --only-values -n user.a m/lock)" = b ]
	truncate -s 1G m/sparse
	[ "$(du -k m/sparse | cut -f1)" -lt 100 ]
	run ! dd if=/dev/zero of=m/full bs=1M count=200
	[[ $output == *"No space"* ]]
	rm m/full
	drydock unmount m
	is_clean g.qcow2
	[ "$(drydock ls g.qcow2:/clone/deep/er)" = numbers ]
}

@test "unmounting keeps it, --discard throws it away, a signal too, commit-mount keeps what was there then" {
	drydock mount -w g.qcow2 m
	echo kept >m/kept
	drydock unmount m
	[ "$(drydock cat g.qcow2:/kept)" = kept ]
	sha256sum g.qcow2 >sum
	drydock mount -w --discard g.qcow2 m
	echo lost >m/lost
	fails_with 1 'no guest that is written to' drydock commit-mount m
	drydock unmount m
	sha256sum -c --quiet sum
	drydock mount -w --pid-file="$T/pid" g.qcow2 m
	echo lost >m/lost
	pid=$(cat pid)
	kill "$pid"
	until ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	run ! mountpoint -q m
	sha256sum -c --quiet sum
	run -1 compgen -G '.*.drydock-redo'
	drydock mount -w --pid-file="$T/pid" g.qcow2 m
	echo first >m/first
	drydock commit-mount m
	echo lost >m/lost
	pid=$(cat pid)
	kill "$pid"
	until ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	[ "$(drydock cat g.qcow2:/first)" = first ]
	fails_with 1 'No such file' drydock cat g.qcow2:/lost
	is_clean g.qcow2
	fails_with 1 'no guest that is written to' drydock commit-mount m
	fails_with 2 'exclude each other' drydock mount -w --discard --commit-every=5 g.qcow2 m
	fails_with 2 '-w without --blocks' drydock mount --discard g.qcow2 m
}

@test "--commit-every keeps it by itself" {
	drydock mount -w --commit-every=1 --pid-file="$T/pid" g.qcow2 m
	echo kept >m/kept
	# An image that is just written to may be a mixture to who reads it all the same (-U).
	for ((i = 0; i < 600; i++)); do
		drydock cat -U g.qcow2:/kept >found 2>/dev/null || true
		! echo kept | cmp -s - found || break
		sleep 0.1
	done
	echo kept | cmp - found
	kill -9 "$(pgrep -P "$(cat pid)" | head -1)"
	until ! mountpoint -q m; do sleep 0.05; done
	[ "$(drydock cat g.qcow2:/kept)" = kept ]
}

@test "a mount that is killed at any moment leaves what the last checkpoint has" {
	for ((kills = 0; kills < ${DRYDOCK_KILLS:-3}; kills++)); do
		drydock mount -w --pid-file="$T/pid" g.qcow2 m
		echo "$kills" >m/checked
		[ $((kills % 2)) = 1 ] || drydock commit-mount m
		(for i in {1..2000}; do echo "$i" >"m/file-$i"; done) 2>/dev/null &
		writer=$!
		sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
		keeper=$(cat pid)
		server=$(pgrep -P "$keeper" | head -1)
		case $((RANDOM % 2)) in
		0) kill -9 "$server" ;;
		*) kill -9 "$keeper" ;;
		esac
		wait $writer || true
		until ! kill -0 "$server" 2>/dev/null; do sleep 0.05; done
		until ! kill -0 "$keeper" 2>/dev/null; do sleep 0.05; done
		umount -l m 2>/dev/null || fusermount3 -uz m 2>/dev/null || true
		drydock ls g.qcow2:/ >list 2>said
		run ! grep -q file- list
		[ "$(drydock cat g.qcow2:/checked 2>/dev/null)" = $((kills - kills % 2)) ]
	done
	# Who opens it for writing next, removes what was left.
	drydock touch g.qcow2:/end
	is_clean g.qcow2
}

@test "guestmount mounts for writing" {
	"$COMPAT/guestmount" -a g.qcow2 -m /dev/sda "$T/m"
	echo text >m/new
	"$COMPAT/guestunmount" m
	[ "$(drydock cat g.qcow2:/new)" = text ]
	is_clean g.qcow2
	"$COMPAT/guestmount" -a g.qcow2 -m /dev/sda --ro "$T/m"
	run ! touch m/other
	"$COMPAT/guestunmount" m
}

@test "XFS, btrfs and NTFS: the same calls, and what is in the image is whole" {
	requires mkfs.xfs xfs_repair mkfs.btrfs btrfs mkntfs ntfsfix
	tool=$BUILD/appliance-tests/posix_tool
	truncate -s 320M xfs.img
	truncate -s 128M btrfs.img
	truncate -s 32M ntfs.img
	mkfs.xfs -q xfs.img
	mkfs.btrfs -q btrfs.img
	mkntfs -F -Q -q ntfs.img
	for fs in xfs btrfs ntfs; do
		drydock mount -w -f raw -m /dev/sda "$fs.img" m
		"$tool" fsx m/f 3 "$((${DRYDOCK_STEPS:-200} / 4))" >"$fs.expected"
		if [ $fs != ntfs ]; then
			# A file that loses the name by which it was made, and is asked for by its number at once.
			echo text >m/one
			exec 9<>m/one
			ln m/one m/two
			rm m/one
			chmod 600 m/two
			[ "$(stat -c %a-%h m/two)" = 600-1 ]
			exec 9>&-
			mkdir m/s "model/$fs"
			"$tool" stress m/s "model/$fs" 3 "$((${DRYDOCK_STEPS:-200} * 2))"
		fi
		drydock unmount m
		drydock cat -m /dev/sda -a "$fs.img" /f | cmp - "$fs.expected"
	done
	xfs_repair -n xfs.img
	btrfs check btrfs.img
	ntfsfix -n ntfs.img
}
