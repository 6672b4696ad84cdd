# SPDX-License-Identifier: GPL-2.0-or-later
#
# files.bats - files of guests are edited, and files of the host come into them: by copies, archives, and under the peers' names.
load ../cli/helpers
load guests

setup_file()
{
	make_appliance
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	command -v mke2fs >/dev/null && command -v qemu-img >/dev/null || return 0
	make_tree
	ln -s data t/behind
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

is_clean()
{
	qemu-img convert -O raw "$1" clean.raw
	e2fsck -fn clean.raw >fsck.out 2>&1 || { cat fsck.out; return 1; }
	run -1 compgen -G '.*.drydock-redo'
}

@test "edit by expressions keeps what belongs to the file, and the old one beside it" {
	drydock chown 7:8 g.qcow2:/etc/hostname
	drydock chmod 640 g.qcow2:/etc/hostname
	drydock edit -b .orig -e 's/^(.*)$/$1-2/' -e 's/g/G/ if $lineno == 1' g.qcow2:/data/link
	[ "$(drydock cat g.qcow2:/etc/hostname)" = Guest-2 ]
	[ "$(drydock cat g.qcow2:/data/link.orig)" = guest ]
	[[ $(drydock ls -l g.qcow2:/etc | grep hostname) == -rw-r-----*7*8*8* ]]
	is_clean g.qcow2
}

@test "edit by an editor takes what that leaves, also under another inode" {
	printf '#!/bin/sh\nsed s/guest/host/ "$1" >"$1.new" && mv "$1.new" "$1"\n' >editor
	chmod +x editor
	mkdir tmp
	TMPDIR=$PWD/tmp EDITOR=./editor drydock edit g.qcow2:/etc/hostname
	[ "$(drydock cat g.qcow2:/etc/hostname)" = host ]
	[ -z "$(ls tmp)" ]
}

@test "an editor that fails or changes nothing, and words that are no expression, leave the image as it is" {
	before=$(sha256sum <g.qcow2)
	EDITOR=false run -1 drydock edit g.qcow2:/etc/hostname
	[[ $output == *'the editor "false" has failed' ]]
	EDITOR=true run -0 drydock edit g.qcow2:/etc/hostname
	[[ $output == *"not changed" ]]
	run -2 drydock edit -e 'system("x")' g.qcow2:/etc/hostname
	[[ $output == *'this is not understood at "system("x")"'* ]]
	run -1 drydock edit -e 'die "no"' g.qcow2:/etc/hostname
	run -1 drydock edit -e 's/a/b/' g.qcow2:/etc/hostname g.qcow2:/etc/none
	[[ $output == *"/etc/none"* ]]
	run -1 drydock edit -e 's/a/b/' g.qcow2:/etc
	[ "$(sha256sum <g.qcow2)" = "$before" ]
}

@test "trees come into a guest and out again the same" {
	mkdir -p h/sub/empty
	random_file h/big 5M 3
	truncate -s 3M h/holes
	printf middle | dd of=h/holes bs=1 seek=1500000 conv=notrunc status=none
	ln h/big h/sub/hard
	ln -s ../big h/sub/link
	echo x >"h/a name"
	chmod 4751 "h/a name"
	find h -exec touch -h -d '2002-03-04 05:06:07.5 UTC' {} +
	drydock cp -R --setuid h g.qcow2:/srv
	mkdir out
	drydock cp -R --setuid g.qcow2:/srv/ out
	(cd h && find . -printf '%p %M %s %T@ %l %n\n' | sed 's/\(.*\) d[^ ]* [0-9]*/\1/' | sort) >a
	(cd out/srv && find . -printf '%p %M %s %T@ %l %n\n' | sed 's/\(.*\) d[^ ]* [0-9]*/\1/' | sort) >b
	diff -u a b
	diff -r h out/srv
	is_clean g.qcow2
}

@test "cp replaces the content of what is there, makes a file of standard input, and says what it cannot do" {
	drydock chmod 600 g.qcow2:/etc/hostname
	echo new >f
	drydock cp f g.qcow2:/data/link
	[ "$(drydock cat g.qcow2:/etc/hostname)" = new ]
	[[ $(drydock ls -l g.qcow2:/etc | grep hostname) == -rw-------* ]]
	echo from stdin | drydock cp -a g.qcow2 - :/etc/motd
	[ "$(drydock cat g.qcow2:/etc/motd)" = "from stdin" ]
	before=$(sha256sum <g.qcow2)
	mkdir d
	run -1 drydock cp d g.qcow2:/etc
	[[ $output == *"-R copies it" ]]
	run -1 drydock cp f g.qcow2:/none/f
	run -1 drydock cp f none g.qcow2:/etc
	run -1 drydock cp f d/../f g.qcow2:/etc/hostname
	[[ $output == *"several files cannot be copied to it" ]]
	drydock cp -n --progress=json "$BATS_FILE_TMPDIR/g.qcow2" g.qcow2:/data/image 2>err >/dev/null
	size=$(stat -c %s "$BATS_FILE_TMPDIR/g.qcow2")
	grep -q "^{\"done\": [0-9]*, \"total\": $size" err
	run -0 drydock cp -n f g.qcow2:/etc/other
	[[ $output == *"/etc/other"*"would change" ]]
	[ "$(sha256sum <g.qcow2)" = "$before" ]
}

@test "an archive of this guest unpacked in it is the same tree, whoever compressed it" {
	drydock tar -o all.tar g.qcow2:/
	drydock mkdir g.qcow2:/x g.qcow2:/y
	drydock tar --extract all.tar g.qcow2:/x
	drydock tar -o again.tar g.qcow2:/x
	cmp all.tar again.tar
	gzip -k all.tar
	drydock tar --extract - g.qcow2:/y <all.tar.gz
	drydock tar -o again.tar g.qcow2:/y
	cmp all.tar again.tar
	is_clean g.qcow2
}

@test "an archive that leads out of its folder, or is none, changes nothing" {
	requires python3
	before=$(sha256sum <g.qcow2)
	python3 - <<-'END'
		import tarfile, io
		def member(t, name, link=None):
		    m = tarfile.TarInfo(name)
		    if link: m.type, m.linkname = tarfile.SYMTYPE, link
		    else: m.size = 3
		    t.addfile(m, None if link else io.BytesIO(b"bad"))
		with tarfile.open("dots.tar", "w") as t: member(t, "a/../../etc/x")
		with tarfile.open("through.tar", "w") as t: member(t, "out", "/etc"); member(t, "out/x")
	END
	run -1 drydock tar --extract dots.tar g.qcow2:/data
	[[ $output == *"it leads out of the archive"* ]]
	run -1 drydock tar --extract through.tar g.qcow2:/data
	head -c 3000 /dev/urandom >junk
	run -1 drydock tar --extract junk g.qcow2:/data
	[[ $output == *"this is no tar archive" ]]
	run -1 drydock tar --extract all.tar g.qcow2:/none
	[ "$(sha256sum <g.qcow2)" = "$before" ]
}

@test "virt-edit, virt-copy-in and virt-tar-in write through links that the guest has" {
	"$COMPAT/virt-edit" -a g.qcow2 -e 's/guest/changed/' /behind/link
	echo one >f
	"$COMPAT/virt-copy-in" -a g.qcow2 f /behind
	mkdir -p tree/behind
	echo two >tree/behind/g
	tar -C tree -cf a.tar behind
	"$COMPAT/virt-tar-in" -a g.qcow2 a.tar /
	[ "$(drydock cat g.qcow2:/etc/hostname)" = changed ]
	[ "$(drydock cat g.qcow2:/data/f g.qcow2:/data/g)" = "one"$'\n'"two" ]
	is_clean g.qcow2
}
