# SPDX-License-Identifier: GPL-2.0-or-later
#
# The small tools of libguestfs under their names, against answers recorded from libguestfs 1.48.6 and guestfs-tools 1.48.2.
load helpers
load guest

@test "virt-alignment-scan answers as the peer did" {
	requires sfdisk mke2fs
	truncate -s 200M al.img
	sfdisk -q al.img <<-EOF
		label: dos
		start=63,size=1000,type=83
		start=2048,size=2048,type=83
		start=4096,size=100000,type=5
		start=4159,size=1000,type=83
		start=6144,size=1000,type=83
		start=120000,size=8,type=83
	EOF
	cat >want <<-EOF
		/dev/sda1        32256          512    bad (alignment < 4K)
		/dev/sda2      1048576         1024K   ok
		/dev/sda3      2097152         2048K   ok
		/dev/sda5      2129408          512    bad (alignment < 4K)
		/dev/sda6      3145728         1024K   ok
		/dev/sda4     61440000           32K   bad (alignment < 64K)
	EOF
	run -3 "$COMPAT/virt-alignment-scan" -a al.img
	diff want - <<<"$output"
	run -3 "$COMPAT/virt-alignment-scan" -q -a al.img
	[ -z "$output" ]
	truncate -s 1M whole.img
	mke2fs -q -F whole.img
	run -0 "$COMPAT/virt-alignment-scan" -a whole.img
	[ "$output" = "/dev/sda1            0 - ok" ]
}

@test "virt-alignment-scan's exit status tells the worst of all guests" {
	requires sfdisk
	truncate -s 20M good.img middling.img
	echo start=2048,size=2048 | sfdisk -q good.img
	echo start=2056,size=2048 | sfdisk -q middling.img
	run -0 "$COMPAT/virt-alignment-scan" -a good.img
	run -2 "$COMPAT/virt-alignment-scan" -a middling.img
	[[ $output == *" 4K   bad (alignment < 64K)" ]]
	run -2 "$COMPAT/virt-alignment-scan" -a good.img -a middling.img
	run -1 "$COMPAT/virt-alignment-scan" -a nothere.img
	run -1 "$COMPAT/virt-alignment-scan" -a good.img extra
}

@test "virt-tar-out and virt-copy-out take a guest's folder out, and fail in the peer's words" {
	requires tar
	make_guest g.img >/dev/null
	"$COMPAT/virt-tar-out" -a g.img /home home.tar
	tar --quoting-style=escape -tf home.tar >got
	cat >want <<-'EOF'
		./
		./ann/
		./ann/absolute
		./ann/evil\033[31m\nname
		./ann/hard
		./ann/letter
		./ann/link
		./ann/over-the-top
	EOF
	diff want got
	"$COMPAT/virt-tar-out" -a g.img /home - | cmp - home.tar
	"$COMPAT/virt-tar-out" -a g.img /home some.tar excludes:'l*' numericowner:true xattrs:true acls:true
	run ! grep -q letter <(tar tf some.tar)
	fails_with 1 "*stdin*:0: libguestfs: error: tar_out: stat: /nothere: No such file or directory" \
		"$COMPAT/virt-tar-out" -a g.img /nothere x.tar
	fails_with 1 "*stdin*:0: libguestfs: error: tar_out: /etc/fstab: not a directory" \
		"$COMPAT/virt-tar-out" -a g.img /etc/fstab x.tar
	[ ! -e x.tar ]
	fails_with 1 "compress the archive" "$COMPAT/virt-tar-out" -a g.img /home x.tar compress:gzip
	fails_with 1 "--help" "$COMPAT/virt-tar-out" -a g.img /home
	mkdir out
	"$COMPAT/virt-copy-out" -a g.img /home/ann /etc/fstab out
	[ "$(cat out/ann/letter)" = secret ]
	[ "$(stat -c '%a %Y %h' out/ann/letter)" = "640 981173106 2" ]
	[ "$(readlink out/ann/absolute)" = /etc ]
	grep -q ext4 out/fstab
	fails_with 1 "libguestfs: error: target ‘nodir’ is not a directory" "$COMPAT/virt-copy-out" -a g.img /etc/fstab nodir
	fails_with 1 "*stdin*:0: libguestfs: error: ‘/nothere’ is not a file or directory" "$COMPAT/virt-copy-out" -a g.img /etc/hostname /nothere out
	[ "$(cat out/hostname)" = guest ]
}

@test "virt-list-filesystems and virt-list-partitions list what there is" {
	requires sfdisk mke2fs mkswap
	make_guest g.img >/dev/null
	truncate -s 20M swap.img
	echo start=2048,size=4096,type=82 | sfdisk -q swap.img
	truncate -s 2M swap.part
	mkswap -q swap.part
	dd if=swap.part of=swap.img bs=512 seek=2048 conv=notrunc status=none
	run -0 "$COMPAT/virt-list-filesystems" g.img swap.img
	[ "$output" = $'/dev/sda1\n/dev/sda2' ]
	run -0 "$COMPAT/virt-list-filesystems" -l -a g.img swap.img
	[ "$output" = $'/dev/sda1 ext2\n/dev/sda2 ext4\n/dev/sdb1 swap' ]
	run -0 "$COMPAT/virt-list-partitions" g.img
	[ "$output" = $'/dev/sda1\n/dev/sda2' ]
	run -0 "$COMPAT/virt-list-partitions" -lt --format raw swap.img
	[ "$output" = $'/dev/sda1 swap 2097152\n/dev/sda device 20971520' ]
	run -0 "$COMPAT/virt-list-partitions" -lht swap.img
	[ "$output" = $'/dev/sda1 swap 2.0M\n/dev/sda device 20M' ]
	fails_with 1 "virt-list-partitions: unknown option -a" "$COMPAT/virt-list-partitions" -a g.img
	fails_with 1 "access: nothere/x: No such file" "$COMPAT/virt-list-filesystems" nothere/x
	fails_with 1 "--help" "$COMPAT/virt-list-filesystems"
}

# index TEXT: a file of that text.
index()
{
	printf '%b' "$1" >index
}

valid()
{
	index "$1"
	shift
	run -0 "$COMPAT/virt-index-validate" "$@" index
	[ "$output" = "index validated OK" ]
}

# refused LINE TEXT: the peer found the error in that line.
refused()
{
	index "$2"
	fails_with 1 "syntax error at line $1: syntax error
virt-index-validate: ‘index’ could not be validated, see errors above" "$COMPAT/virt-index-validate" index
}

@test "virt-index-validate takes what the peer takes" {
	head='-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n'
	foot='-----BEGIN PGP SIGNATURE-----\n'
	valid '[debian-12]\nname=Debian 12\narch=x86_64\nfile=d.xz\nsize=123\n'
	valid ''
	valid '[debian-12]\n'
	valid '[a]\nname=x\nnotes=line\n more\n\tmore\n'
	valid '# c\n[a]\nname=x # d\n#e\nfile=x\n'
	valid '[a]\nchecksum[sha512]=abc\nnotes[de,x]=z\nfoo.bar=1\n_b=\n'
	valid '\n\n[a_b-c.D] \nname=x\n\n\n[b]\n\n[a_b-c.D]\n'
	valid "$head"'[a]\nname=x\n\n'"$foot"'abc\n[ ] =\n'
	valid '# c\n'"$head"'[a]\nname=x\n'"$foot"
	valid '[a]\nname=a\0b\n'
}

@test "virt-index-validate refuses what the peer refuses, in the same line" {
	refused 2 'name=x\n'
	refused 1 '[debian 12]\nname=x\n'
	refused 3 '[a]\n more\n'
	refused 2 '[a]\nname=x'
	refused 2 '[a]\nname\n'
	refused 4 '[a]\nname=x\n[b]\nname=y\n'
	refused 5 '[a]\nname=x\n\nfile=y\n'
	refused 3 '[a]\n[b]\nname=x\n'
	refused 5 '[a]\nname=x\n  \n[b]\n'
	refused 1 '[a]\r\nname=x\r\n'
	refused 1 '[]\nname=x\n'
	refused 2 '[a]\nname[x-y]=x\n'
	refused 2 '[a]\n\0name=x\n'
	refused 6 '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n[a]\nname=x\n'
	refused 2 '-----BEGIN PGP SIGNED MESSAGE-----\n\n[a]\nname=x\n-----BEGIN PGP SIGNATURE-----\n'
	refused 4 '[a]\nname=x\n-----BEGIN PGP SIGNATURE-----\n'
	refused 3 '\n-----BEGIN PGP SIGNED MESSAGE-----\nFoo: x\n\n[a]\nname=x\n'
}

@test "virt-index-validate knows what old virt-builders do not take" {
	valid '[a]\nname=x\nsig=y\n' --compat-1.24.0
	valid '[a]\nna_me[de]=x\n' --compat-1.24.1
	index '[a]\nsig=1\n\n[b]\nname=x\n'
	fails_with 1 "virt-index-validate: index: section [b] is missing a ‘sig’ field which will not work with virt-builder 1.24.0" \
		"$COMPAT/virt-index-validate" --compat-1.24.0 index
	index '[a]\nsig=1\nchecksum[md5]=x\n'
	fails_with 1 'section [a], field "checksum[md5]"' "$COMPAT/virt-index-validate" --compat-1.24.0 index
	index '[a]\nfoo.bar=1\n'
	fails_with 1 'section [a], field "foo.bar"' "$COMPAT/virt-index-validate" --compat-1.24.1 index
	index '# c\n[a]\nsig=1\n'
	fails_with 1 "virt-index-validate: index contains comments which will not work with virt-builder 1.24.1" \
		"$COMPAT/virt-index-validate" --compat-1.24.1 index
	fails_with 1 "virt-index-validate: fopen: nothere: No such file or directory" "$COMPAT/virt-index-validate" nothere
	run -1 "$COMPAT/virt-index-validate"
	[ "$output" = "virt-index-validate index" ]
	run -0 "$COMPAT/virt-index-validate" -V
	[ "$output" = "virt-index-validate 1.48.2" ]
	head -c 17M /dev/zero | tr '\0' '\n' >index
	fails_with 1 "an index of more than 16 MiB" "$COMPAT/virt-index-validate" index
}
