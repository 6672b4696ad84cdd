# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
}

@test "a file is copied into a folder, or under a new name" {
	mkdir d
	drydock cp g.img:/etc/hostname d
	drydock cp g.img:/etc/hostname d/other
	drydock cp g.img:/etc/hostname g.img:/boot/vmlinuz d/
	[ "$(cat d/hostname d/other d/vmlinuz | tr '\n' ' ')" = "guest guest kernel " ]
	[ "$(find d | wc -l)" = 4 ]
}

@test "--json tells what was copied of each operand" {
	mkdir out
	fails_with 1 "/none" drydock cp --json -R g.img:/home g.img:/none g.img:/etc/hostname out
	drydock cp --json -R g.img:/home g.img:/none g.img:/etc/hostname out >told 2>/dev/null || :
	[ "$(json 'map([.image, .path, .failures])' <told)" = '[["g.img","/home",0],["g.img","/none",1],["g.img","/etc/hostname",0]]' ]
	[ "$(json ".[0].entries" <told)" = "$(find out/home -printf x | wc -c)" ]
	[ "$(json '.[2] | [.entries, .bytes]' <told)" = '[1,6]' ]
}

@test "a folder needs -R, and is copied with all that is in it" {
	fails_with 1 "-R" drydock cp g.img:/home .
	[ ! -e home ]
	drydock cp -R g.img:/home .
	[ "$(cat home/ann/letter)" = secret ]
	[ "$(stat -c %a home/ann/letter)" = 640 ]
	[ "$(stat -c '%y' home/ann/letter)" = "2001-02-03 04:05:06.000000000 +0000" ]
	[ "$(stat -c %i home/ann/letter)" = "$(stat -c %i home/ann/hard)" ]
	[ "$(readlink home/ann/absolute)" = /etc ]
	[ -e home/ann/"$(printf 'evil\033[31m\nname')" ]
}

@test "a folder gets the name that is given, or its contents go into the target with /" {
	drydock cp -R g.img:/home new
	[ -f new/ann/letter ]
	mkdir all
	chmod 751 all
	drydock cp -R g.img:/ all
	[ -f all/boot/vmlinuz ]
	[ "$(stat -c %a all)" = 751 ]
}

@test "what is in the way is replaced at once, a link too, a folder by nothing" {
	echo old >hostname
	ln hostname keep
	drydock cp g.img:/etc/hostname .
	[ "$(cat hostname keep | tr '\n' ' ')" = "guest old " ]
	ln -sf keep hostname
	drydock cp g.img:/etc/hostname .
	[ ! -L hostname ]
	[ "$(cat keep)" = old ]
	rm hostname
	mkdir hostname
	fails_with 1 "hostname" drydock cp g.img:/etc/hostname .
	[ -d hostname ]
	[ -z "$(find . -name '.drydock-*')" ]
}

@test "--no-preserve makes files as any program does" {
	umask 022
	drydock cp -R --no-preserve g.img:/home .
	[ "$(stat -c %a home/ann/letter)" = 644 ]
	[ "$(stat -c %Y home/ann/letter)" -gt 1600000000 ]
}

@test "attributes of users are kept, holes stay holes" {
	requires setfattr debugfs
	printf 'ea_set /etc/hostname user.note remember\n' >script
	head -c 100000 /dev/urandom >s
	truncate -s 4M s
	printf end >>s
	printf 'write s /sparse\n' >>script
	debugfs -w -f script root.fs >/dev/null 2>&1
	join_guest g.img
	setfattr -n user.try -v 1 . 2>/dev/null || skip "no extended attributes here"
	drydock cp g.img:/etc/hostname g.img:/sparse .
	[ "$(getfattr --only-values -n user.note hostname)" = remember ]
	same s sparse
	[ "$(allocated sparse)" -lt 300000 ]
	rm hostname
	drydock cp --no-xattrs g.img:/etc/hostname .
	[ -z "$(getfattr hostname)" ]
}

@test "set-user-id bits and device nodes come only when asked for" {
	requires debugfs
	printf 'sif /etc/hostname mode 0104755\nmknod null c 1 3\n' >script
	debugfs -w -f script root.fs >/dev/null 2>&1
	join_guest g.img
	run --separate-stderr drydock cp g.img:/etc/hostname .
	[ "$status" = 0 ]
	[[ $stderr == *"--setuid keeps"* ]]
	[ "$(stat -c %a hostname)" = 755 ]
	drydock cp --setuid g.img:/etc/hostname .
	[ "$(stat -c %a hostname)" = 4755 ]
	fails_with 1 "1 device node was left out" drydock cp g.img:/null .
	drydock cp --devices=skip g.img:/null .
	[ ! -e null ]
	if [ "$(id -u)" = 0 ]; then
		drydock cp --devices=make g.img:/null .
		[ "$(stat -c %F/%t/%T null)" = "character special file/1/3" ]
	else
		fails_with 2 "only root" drydock cp --devices=make g.img:/null .
	fi
}

# ---- a hostile tree ----

# Names are patched into the filesystem, where no tool would write them: same length, so nothing moves.
@test "a hostile tree cannot write outside of the target" {
	requires debugfs
	mkdir tree out victim
	mkdir tree/aaXXaa tree/d
	ln -s "$T/victim" tree/bbXXbb
	echo evil >tree/aaXXaa/stolen
	echo evil >'tree/d/..Xoutside'
	echo evil >'tree/d/XtmpXevil'
	echo evil >tree/second
	mke2fs -q -t ext2 -O ^dir_index -d tree h.fs 4M
	# "d" holds "../outside" and "/tmp/evil"; twice a folder and a symlink share a name, whichever is first.
	LC_ALL=C sed -i 's,\.\.Xoutside,../outside,; s,XtmpXevil,/tmp/evil,' h.fs
	printf 'symlink /aaYYaa %s/victim\nmkdir /bbYYbb\nwrite tree/second /bbYYbb/stolen\n' "$T" >script
	debugfs -w -f script h.fs >/dev/null 2>&1
	LC_ALL=C sed -i 's,aa[XY][XY]aa,twins!,g; s,bb[XY][XY]bb,TWINS!,g' h.fs
	[ "$(drydock ls h.fs:/ | grep -ci twins)" = 4 ]
	run --separate-stderr drydock cp -R -m /dev/sda h.fs:/ out
	[ "$status" = 1 ]
	[ -z "$(ls victim)" ]
	[ ! -e outside ] && [ ! -e ../outside ] && [ ! -e /tmp/evil ]
	[ "$(cat out/second)" = evil ]
}

@test "a link in the target is not gone through" {
	mkdir out elsewhere
	ln -s "$T/elsewhere" out/home
	run --separate-stderr drydock cp -R g.img:/home out
	[ "$status" = 1 ]
	[ -z "$(ls elsewhere)" ]
}

@test "a full disk is one sentence and no litter" {
	requires_root
	mkdir small
	mount -t tmpfs -o size=1M tmpfs small || skip "this machine cannot mount a tmpfs"
	head -c 3M /dev/urandom >big
	printf 'write big /big\n' >script
	debugfs -w -f script root.fs >/dev/null 2>&1
	join_guest g.img
	run --separate-stderr drydock cp --no-xattrs g.img:/big g.img:/etc/hostname small
	left=$(ls -A small)
	umount small
	[ "$status" = 1 ]
	[ "$(grep -c . <<<"$stderr")" = 1 ]
	[[ $stderr == *"No space left"* ]]
	[ -z "$left" ]
}

@test "usage is told" {
	fails_with 2 "" drydock cp g.img:/etc/hostname
	fails_with 2 "are both in guests" drydock cp g.img:/etc/fstab g.img:/srv
	fails_with 2 "are for copying into a guest" drydock cp -n g.img:/etc/fstab .
	fails_with 1 "No such file" drydock cp file g.img:/etc
	fails_with 2 "not a folder" drydock cp g.img:/etc/hostname g.img:/etc/fstab nowhere
	fails_with 1 "nowhere" drydock cp g.img:/etc/hostname nowhere/deep
}
