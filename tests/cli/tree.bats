# SPDX-License-Identifier: GPL-2.0-or-later
#
# find, hash and tar: what find(1), sha256sum(1), GNU tar and bsdtar say about the same tree is the measure.
load helpers
load guest

# tree_guest: a filesystem tree.fs of the folder tree, with names and files of all kinds that mke2fs can take from a folder.
tree_guest()
{
	requires mke2fs debugfs
	mkdir -p tree/etc tree/empty tree/deep/er/est tree/odd
	echo 127.0.0.1 >tree/etc/hosts
	printf 'root:x:0:0::/:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n' >tree/etc/passwd
	printf 'users:x:100:\n' >tree/etc/group
	random_file tree/deep/er/big 300K 7
	: >tree/deep/er/est/nothing
	ln tree/deep/er/big tree/odd/another-name
	ln -s ../deep tree/odd/link
	mkfifo tree/odd/pipe
	printf x >tree/odd/"$(printf 'new\nline')"
	printf x >tree/odd/'back\slash'
	printf x >tree/odd/"$(printf 'escape\033[31m')"
	printf x >tree/odd/"$(printf 'bytes\377')"
	printf x >tree/odd/"$(printf 'gr\303\274n')"
	printf x >"tree/odd/-n with a blank"
	mkdir "tree/odd/$(printf 'd%.0s' {1..120})"
	printf x >"tree/odd/$(printf 'd%.0s' {1..120})/$(printf 'f%.0s' {1..120})"
	truncate -s 5M tree/odd/hole
	printf middle | dd of=tree/odd/hole bs=1 seek=2M conv=notrunc status=none
	printf end | dd of=tree/odd/data-at-the-end bs=1 seek=1M status=none
	truncate -s 1M tree/odd/only-hole
	touch -d '1969-12-31 23:59:58 UTC' tree/etc/hosts
	touch -d '2001-02-03 04:05:06.000000007 UTC' tree/deep/er/big
	touch -d '2030-01-01 UTC' tree/empty
	chmod 4755 tree/etc/passwd
	chmod 1777 tree/empty
	mke2fs -q -t ext4 -d tree tree.fs 16M
}

# What only the filesystem's own tools make: nanoseconds, devices, owners beyond the old header, attributes, ACLs.
oddities()
{
	printf '\2\0\0\0\1\0\6\0\377\377\377\377\2\0\4\0\350\3\0\0\4\0\4\0\377\377\377\377\20\0\4\0\377\377\377\377\40\0\0\0\377\377\377\377' >acl
	debugfs -w -f - tree.fs >/dev/null 2>&1 <<-EOS
		cd /odd
		set_inode_field /deep/er/big mtime_extra 28
		mknod char c 5 300
		mknod block b 259 1000
		set_inode_field /etc/hosts uid 3000000
		set_inode_field /etc/hosts gid 4000000000
		ea_set /etc/hosts user.text value
		ea_set /etc/hosts trusted.overlay.opaque y
		ea_set /etc/hosts system.posix_acl_access -f acl
	EOS
}

members()
{
	"$@" --quoting-style=escape --full-time --numeric-owner -tvf -
}

@test "find shows what find shows, with every test" {
	tree_guest
	chmod 700 tree/etc
	mke2fs -q -F -t ext4 -d tree tree.fs 16M
	rmdir tree/empty 2>/dev/null && mkdir tree/empty && chmod 1777 tree/empty && touch -d '2030-01-01 UTC' tree/empty
	same_find()
	{
		local ours=$1

		shift
		# shellcheck disable=SC2086 # words
		drydock find -0 $ours tree.fs | tr '\n\0' '\1\n' | grep -avx /lost+found | sort >ours
		(cd tree && find . "$@" -print0) | tr '\n\0' '\1\n' | sed 's,^\.$,/,; s,^\./,/,' | sort >theirs
		same theirs ours
	}
	same_find ""
	same_find "--name=*big* --type=f" -name '*big*' -type f
	same_find "--iname=*BIG* --iname=HOST?" '(' -iname '*BIG*' -o -iname 'HOST?' ')'
	same_find "--path=/odd/*/*" -path './odd/*/*'
	same_find "--type=l,p" '(' -type l -o -type p ')'
	same_find "--size=+1M --type=f" -type f -size +1048576c
	same_find "--size=-2 --type=f" -type f -size -2c
	same_find "--size=+0 --size=-100k --type=f" -type f -size +0c -size -102400c
	same_find "--perm=755 --type=d" -type d -perm 755
	same_find "--perm=-4000" -perm -4000
	same_find "--perm=/5000" -perm /5000
	same_find "--links=2 --type=f" -type f -links 2
	same_find "--links=+1 --type=f" -type f -links +1
	same_find "--empty --type=f" -empty -type f
	same_find "--mindepth=2 --maxdepth=3" -mindepth 2 -maxdepth 3
	same_find "--maxdepth=0" -maxdepth 0
	same_find "--newer=2025-01-01" -newermt '2025-01-01'
	same_find "--older=@0" ! -newermt '1970-01-01 00:00:00'
	same_find "--mtime=+3000" -mtime +3000
}

@test "find --empty knows empty directories, and owners by name" {
	tree_guest
	oddities
	drydock find --empty --type=d tree.fs | grep -qx /empty
	[ "$(drydock find --user=3000000 tree.fs)" = /etc/hosts ]
	debugfs -w -R 'set_inode_field /odd/hole uid 1000' tree.fs 2>/dev/null
	debugfs -w -R 'set_inode_field /odd/hole gid 100' tree.fs 2>/dev/null
	[ "$(drydock find --user=ann tree.fs)" = /odd/hole ]
	[ "$(drydock find --group=users tree.fs)" = /odd/hole ]
	fails_with 1 'tree.fs: /etc/passwd: there is no "bob"' drydock find --user=bob tree.fs
}

@test "find's long lines and JSON are those of ls, made safe" {
	tree_guest
	drydock find -l -t f tree.fs:/odd | cat -A >lines
	run ! grep -q '\^\[' lines
	grep -q 'new\\nline' lines
	[ "$(drydock find --json --name=hosts tree.fs | json -r '.[0].image, .[0].path, .[0].entries[].path' | xargs)" = "tree.fs / /etc/hosts" ]
	drydock ls -R --json tree.fs:/odd | json -c '.[0].entries[] | select(.type == "file") | del(.accessed)' | sort >listed
	drydock find -t f --json tree.fs:/odd | json -c '.[0].entries[] | del(.accessed)' | sort >found
	same listed found
}

@test "find refuses what makes no sense" {
	: >x
	fails_with 2 "--size" drydock find --size=big x
	fails_with 2 "--size may be given twice" drydock find --size=1 --size=2 --size=3 x
	fails_with 2 "--type" drydock find --type=z x
	fails_with 2 "--perm" drydock find --perm=u+x x
	fails_with 2 "--perm" drydock find --perm=77777 x
	fails_with 2 "--mtime" drydock find --mtime=yesterday x
	fails_with 2 "--newer" drydock find --newer=yesterday x
	fails_with 2 "--older" drydock find --older=12:00 x
	fails_with 2 "--xattrs is for --json" drydock find --xattrs x
	fails_with 2 "name an image" drydock find
}

@test "sha256sum and its like check the lists of hash, hostile names and all" {
	tree_guest
	for alg in sha256 sha1 sha224 sha384 sha512 md5; do
		drydock hash -A $alg tree.fs >list
		(cd tree && ${alg}sum -c --strict --quiet ../list)
		[ "$(wc -l <list)" = "$(find tree -type f | tr -dc '\n' | wc -c)" ] || [ "$(wc -l <list)" = "$(find tree -type f -printf x | wc -c)" ]
	done
	drydock hash -0 tree.fs:/odd >list
	(cd tree/odd && find . -type f -print0 | sed -z 's,^\./,,' | sort -z | xargs -0 sha256sum -z --) >want
	same want list
	(cd tree/etc && sha256sum hosts) >want
	drydock hash tree.fs:/etc/hosts >list
	same want list
	run -0 drydock hash -A crc tree.fs:/etc/hosts
	[[ $output == "$(cksum <tree/etc/hosts | cut -d' ' -f1)  hosts" ]]
	echo changed >>tree/etc/hosts
	drydock hash tree.fs >list
	(cd tree && run ! sha256sum -c --quiet ../list)
}

@test "hash gives the same list with any number of cores, and leaves out what it is told to" {
	requires mke2fs taskset
	mkdir -p many
	for i in {1..40}; do
		mkdir "many/$i"
		for k in {1..30}; do echo "$i $k" >"many/$i/$k"; done
	done
	mke2fs -q -t ext4 -d many many.fs 16M
	drydock hash many.fs >all
	[ "$(wc -l <all)" = 1200 ]
	taskset -c 0 "$DRYDOCK" hash many.fs >one
	same all one
	(cd many && sha256sum -c --quiet --strict ../all)
	drydock hash --exclude=/1/* --exclude=2* many.fs >some
	grep -vE '  1/|  2|/2' all >want
	same want some
	drydock hash --json many.fs | json -r '.[0].files[] | .sha256 + "  " + .path[1:]' >json
	same all json
	fails_with 2 "--algorithm" drydock hash -A rot13 many.fs
}

@test "hash of several operands is one list that sha256sum takes" {
	tree_guest
	drydock hash tree.fs:/etc tree.fs:/deep >list
	grep -c '^# tree.fs:' list | grep -qx 2
	(cd tree/etc && sha256sum -c --quiet <(sed '/deep/,$d' ../../list))
	drydock hash --json tree.fs:/etc tree.fs:/deep tree.fs:/etc | json -r '.[].path' | xargs >got
	[ "$(cat got)" = "/etc /deep /etc" ]
}

@test "GNU tar and bsdtar unpack what tar writes as it was" {
	requires tar bsdtar
	requires_root
	tree_guest
	oddities
	drydock tar tree.fs >t.tar
	mkdir gnu bsd want
	tar --xattrs --xattrs-include='*' --acls -xpf t.tar -C gnu
	bsdtar -xpf t.tar -C bsd
	rmdir gnu/lost+found bsd/lost+found
	for d in gnu bsd; do
		diff -r --no-dereference tree $d 2>&1 | grep -v 'is a fifo while\|^Only in .*odd: \(char\|block\)$' && false
		[ "$(stat -c '%a %y' $d/deep/er/big)" = "644 2001-02-03 04:05:06.000000007 +0000" ]
		[ "$(stat -c '%.9Y' $d/etc/hosts)" = -2.000000000 ]
		[ "$(stat -c %u:%g $d/etc/hosts)" = 3000000:4000000000 ]
		[ "$(stat -c '%t:%T %F' $d/odd/char)" = "5:12c character special file" ]
		[ "$(stat -c '%t:%T %F' $d/odd/block)" = "103:3e8 block special file" ]
		[ "$(stat -c %a $d/etc/passwd)" = 4755 ]
		[ "$(stat -c %a $d/empty)" = 1777 ]
		[ "$(stat -c %i $d/odd/another-name)" = "$(stat -c %i $d/deep/er/big)" ]
		[ "$(stat -c %s $d/odd/hole)" = 5242880 ]
		[ "$(allocated $d/odd/hole)" -lt 200000 ]
		[ "$(allocated $d/odd/only-hole)" -lt 20000 ]
	done
	requires getfattr getfacl
	getfattr -n user.text --only-values gnu/etc/hosts >got 2>/dev/null || skip "this filesystem has no extended attributes"
	[ "$(cat got)" = value ]
	[ "$(getfattr -n user.text --only-values bsd/etc/hosts)" = value ]
	getfacl -npc gnu/etc/hosts | grep -qx 'user:1000:r--'
	getfacl -npc bsd/etc/hosts | grep -qx 'user:1000:r--'
	getfattr -n trusted.overlay.opaque --only-values gnu/etc/hosts | grep -qx y
}

@test "the names and numbers in the archive are those of the files, as two tars list them" {
	requires tar bsdtar
	tree_guest
	oddities
	drydock tar tree.fs >t.tar
	tar --quoting-style=escape -tf t.tar | sed 's,^\./,/,; s,\(.\)/$,\1,' | sort >ours
	drydock find tree.fs -0 | sed -z 's,\\,\\\\,g; s,\x1b,\\033,g; s,\n,\\n,g; s,\xff,\\377,g; s,ü,\\303\\274,g' | tr '\0' '\n' | sort >want
	sed -i 's,ü,\\303\\274,g' ours
	same want ours
	bsdtar -tf t.tar >/dev/null
	tar --numeric-owner --full-time -tvf t.tar ./etc/hosts | grep -q '3000000/4000000000 .*1969-12-31 23:59:58'
	tar -tvf t.tar ./odd/block | grep -q '^b.* 259,1000 '
}

@test "one tree gives one archive, wherever it lies in the guest" {
	tree_guest
	drydock tar tree.fs:/deep >one
	drydock tar tree.fs:/deep/ >two
	same one two
	drydock convert -q -f raw -O qcow2 tree.fs tree.qcow2
	drydock tar -o three tree.qcow2:/odd/../deep
	same one three
	[ -z "$(find . -maxdepth 1 -name '*drydock-*')" ]
	[ "$(($(size_of one) % 10240))" = 0 ]
}

@test "tar leaves out what it is told to, and keeps times when asked" {
	requires tar
	tree_guest
	drydock tar --exclude='*hole*' --exclude=/deep/* tree.fs | tar tf - >list
	run ! grep -qE 'hole|deep/.' list
	grep -qx './deep/' list
	drydock tar --times tree.fs:/etc/hosts | grep -aqE '[0-9]+ atime='
	run ! grep -aq 'atime=' <(drydock tar tree.fs:/etc/hosts)
	[ "$(drydock tar tree.fs:/etc/hosts | tar tf -)" = hosts ]
	oddities
	run ! grep -aq SCHILY <(drydock tar --no-xattrs tree.fs)
}

@test "tar --json tells what was written, to a file" {
	tree_guest
	fails_with 2 '-o names a file' drydock tar --json tree.fs
	drydock tar --json -o t.tar tree.fs:/etc >told
	[ "$(json '[.path, .archive, .complete, .bytes]' <told)" = "[\"/etc\",\"t.tar\",true,$(stat -c %s t.tar)]" ]
}

@test "a file that tar cannot write to its end is not there, and none is without a guest" {
	tree_guest
	fails_with 1 "No such file" drydock tar -o out.tar tree.fs:/nowhere
	fails_with 1 "nothere" drydock tar -o out.tar nothere
	fails_with 1 "/dev/full: No space left on device" drydock tar -o /dev/full tree.fs
	fails_with 2 "one tree" drydock tar tree.fs:/etc tree.fs:/odd
	fails_with 1 "no/folder" drydock tar -o no/folder/x tree.fs
	[ ! -e out.tar ]
	[ -z "$(find . -maxdepth 1 -name '*drydock-*')" ]
	echo old >out.tar
	drydock tar -o out.tar tree.fs:/etc
	tar tf out.tar | grep -qx ./hosts
}

@test "what cannot be read is named, and the rest is in the archive and the list" {
	requires tar
	tree_guest
	mke2fs -q -F -t ext4 -O ^metadata_csum -d tree tree.fs 16M
	inode=$(debugfs -R 'stat /deep/er/est/nothing' tree.fs 2>/dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p')
	[ -n "$inode" ]
	debugfs -w -R "set_inode_field /odd/hole i_blocks 8" tree.fs 2>/dev/null
	debugfs -w -R 'set_inode_field /odd/hole block[0] 0' tree.fs 2>/dev/null
	run --separate-stderr drydock hash tree.fs
	[ "$status" = 1 ]
	[[ $stderr == *hole* ]]
	[[ $output == *"  etc/hosts"* ]]
	run --separate-stderr drydock tar -o t.tar tree.fs
	[ "$status" = 1 ]
	[[ $stderr == *hole* ]]
	tar tf t.tar | grep -qx ./odd/only-hole
}
