# SPDX-License-Identifier: GPL-2.0-or-later
#
# Domains of libvirt: from files of their XML, and from libvirt itself, whose client library has a driver for tests.
load helpers
load guest

setup()
{
	make_folder
	requires mke2fs
	make_guest g.img >/dev/null
	"$DRYDOCK" convert -q -f raw -O qcow2 g.img g.qcow2
	truncate -s 1M extra.img
	domain web "$T/g.qcow2" qcow2 >web.xml
}

# domain NAME IMAGE FORMAT: its XML, with a CD-ROM before the disk, an empty floppy, and a second disk that is read-only.
domain()
{
	cat <<-EOF
		<?xml version='1.0'?>
		<!-- a comment, as libvirt writes one -->
		<domain type='test'>
		  <name>$1</name>
		  <uuid>$(printf '6695eb01-f6a4-8304-79aa-%012x' $((0x$(printf '%s' "$1" | md5sum | cut -c1-8))))</uuid>
		  <memory>8192</memory>
		  <os><type>hvm</type></os>
		  <devices>
		    <disk type='file' device='cdrom'><source file='$T/nothere.iso'/><target dev='hda'/><readonly/></disk>
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='$3'/><source file='$2'/><target dev='vda' bus='virtio'/>
		    </disk>
		    <disk type='file' device='floppy'><target dev='fda'/></disk>
		    <disk type='file'><driver type='raw'/><source file='$T/extra.img'/><target dev='vdb' bus='virtio'/><readonly/></disk>
		  </devices>
		</domain>
	EOF
}

# libvirt NAME...: its test driver at $uri knows these domains.
libvirt()
{
	local name

	{
		echo '<node>'
		for name; do
			domain "$name" "$T/g.qcow2" qcow2 >"libvirt-$name.xml"
			echo "<domain file='$T/libvirt-$name.xml'/>"
		done
		echo '</node>'
	} >node.xml
	uri=test://$T/node.xml
	drydock df -c "$uri" -d "$1" >/dev/null 2>err || ! grep -q 'is not installed' err || skip "libvirt's client library is not installed"
}

@test "every command that reads guests takes a file of domain XML" {
	drydock df g.img | sed 1d | tr -s ' ' >want
	drydock df -d web.xml | sed 1d | tr -s ' ' >got
	same want got
	[ "$(drydock cat -d web.xml /etc/hostname)" = guest ]
	[ "$(drydock ls --domain ./web.xml /boot)" = "$(drydock ls g.img:/boot)" ]
	[ "$(drydock find -d web.xml -n letter)" = /home/ann/letter ]
	drydock tar -d web.xml /etc | tar tf - | grep -qx ./fstab
	drydock hash -d web.xml /etc >list
	drydock hash g.img:/etc | diff - list
	drydock cp -d web.xml /etc/hostname copy
	[ "$(cat copy)" = guest ]
	[[ $(drydock inspect -d web.xml) == "web: /dev/sda2"* ]]
	[ "$(drydock volumes --json -d web.xml | json -r '.[0].image, .[0].disks[].image, .[0].disks[].format' | xargs)" = "web $T/g.qcow2 $T/extra.img qcow2 raw" ]
}

@test "the format that a domain tells is not guessed" {
	domain web "$T/g.qcow2" raw >raw.xml
	[ "$(drydock volumes --json -d raw.xml | json -r '.[0].disks[0].format')" = raw ]
	domain web "$T/g.qcow2" nonsense >bad.xml
	fails_with 1 nonsense drydock volumes -d bad.xml
}

@test "several domains are several guests, each with its name" {
	domain db "$T/g.img" raw >db.xml
	drydock df -d web.xml -d db.xml | sed 1d | cut -d: -f1 | uniq >got
	printf 'web\ndb\n' | diff - got
	run -0 drydock ls --domain web.xml --domain db.xml /boot /etc
	[ "$(grep ':$' <<<"$output" | xargs)" = "web:/boot: web:/etc: db:/boot: db:/etc:" ]
	fails_with 2 "not with both" drydock df -d web.xml -a g.img
	fails_with 2 "there is no operand" drydock df -d web.xml g.img
}

# net SOURCE-AND-WHAT-IS-IN-IT FORMAT: the domain with its first disk there.
net()
{
	sed "s,type='file' device='disk',type='network' device='disk'," web.xml |
		sed "s|<source file='$T/g.qcow2'/>|$1|; s,type='qcow2',type='$2'," >net.xml
}

@test "a disk of a domain on a network is opened by its address, and others are refused" {
	"$DRYDOCK" serve -t -f qcow2 -x "a disk" --socket="$T/s.sock" g.qcow2 >served 3>&- &
	local server=$!
	until [ -s served ]; do kill -0 "$server" && sleep 0.05; done
	net "<source protocol='nbd' name='a disk'><host transport='unix' socket='$T/s.sock'/></source>" raw
	drydock ls --domain net.xml /etc | grep -q hostname
	kill "$server"
	wait "$server"
	net "<source protocol='http' name='images/x y' query='v=1'><host name='127.0.0.1' port='1'/></source>" raw
	fails_with 1 "http://127.0.0.1:1/images/x%20y?v=1: " drydock df -d net.xml
	net "<source protocol='nbd' tls='yes' name='e'><host name='::1' port='1'/></source>" raw
	fails_with 1 "nbds://[::1]:1/e: " drydock df -d net.xml
	net "<source protocol='rbd' name='pool/x'><host name='h'/></source>" raw
	fails_with 1 'disk vda is on a network, by "rbd": only nbd, http and https are read' drydock df -d net.xml
	net "<source protocol='nbd' name='e'><host name='a'/><host name='b'/></source>" raw
	fails_with 1 "disk vda: one host is read from, not 2" drydock df -d net.xml
	net "<source protocol='nbd' name='e'><host name='a' port='x'/></source>" raw
	fails_with 1 'disk vda: "x" is no port' drydock df -d net.xml
	net "<source protocol='https' name='e'><host name='a'/><auth username='u'/></source>" raw
	fails_with 1 "a secret that is kept by libvirt" drydock df -d net.xml
}

@test "XML that is no domain's, or names what cannot be read, is refused in one sentence" {
	sed 's,</devices>,,' web.xml >cut.xml
	fails_with 1 "cut.xml: not well-formed XML" drydock df -d cut.xml
	echo '<pool><name>x</name></pool>' >pool.xml
	fails_with 1 'pool.xml: its root element is not "domain"' drydock df -d pool.xml
	sed '/<name>/d' web.xml >nameless.xml
	fails_with 1 "nameless.xml: the domain has no name" drydock df -d nameless.xml
	echo '<domain><name>n</name></domain>' >none.xml
	fails_with 1 "n: the domain has no disk that can be read" drydock df -d none.xml
	sed "s,type='file' device='disk',type='volume' device='disk'," web.xml >volume.xml
	fails_with 1 'volume.xml: disk vda is of type "volume"' drydock df -d volume.xml
	sed "s,$T/g.qcow2,g.qcow2," web.xml >relative.xml
	fails_with 1 'disk vda: "g.qcow2" is not an absolute path' drydock df -d relative.xml
	sed "s,source file='$T/g.qcow2',source," web.xml >sourceless.xml
	fails_with 1 "disk vda has a source without a name" drydock df -d sourceless.xml
	fails_with 1 "no/such.xml: No such file" drydock df -d no/such.xml
	head -c 5M /dev/zero | tr '\0' ' ' >large.xml
	fails_with 1 "domain XML of more than 4 MiB" drydock df -d large.xml
	: >empty.xml
	fails_with 1 "empty.xml: not well-formed XML" drydock df -d empty.xml
	{ # more disks than any bus has
		echo '<domain><name>n</name><devices>'
		for ((i = 0; i < 1025; i++)); do echo "<disk type='file'><source file='/x'/></disk>"; done
		echo '</devices></domain>'
	} >many.xml
	fails_with 1 "more than 1024 disks" drydock df -d many.xml
}

@test "XML cannot fetch, include or multiply anything" {
	requires strace
	{
		echo "<!DOCTYPE domain [<!ENTITY x SYSTEM '$T/secret'> <!ENTITY y 'aaaaaaaaaa'>]>"
		sed '1d; s,<name>web,<name>\&x;\&y;,' web.xml
	} >entity.xml
	echo secret >secret
	fails_with 1 "entity.xml: it has a document type declaration" drydock df -d entity.xml
	strace -f -o trace -e trace=openat,socket,connect "$DRYDOCK" df -d entity.xml 2>/dev/null ||
		grep -q openat trace || skip "this machine does not let a process be traced"
	run ! grep -E 'secret|socket|connect' trace
	{
		echo '<!DOCTYPE domain ['
		echo '<!ENTITY a0 "0123456789">'
		for i in {1..20}; do
			printf '<!ENTITY a%d "' "$i"
			printf "&a$((i - 1));%.0s" {1..10}
			echo '">'
		done
		echo ']>'
		sed '1d; s,<name>web,<name>\&a20;,' web.xml
	} >laughs.xml
	fails_with 1 "laughs.xml: " timeout 20 "$DRYDOCK" df -d laughs.xml
	{
		printf '<domain>%.0s' {1..3000}
	} >deep.xml
	fails_with 1 "deep.xml: not well-formed XML" drydock df -d deep.xml
}

@test "libvirt is asked for a domain by name and by UUID" {
	libvirt one two
	[ "$(drydock cat -c "$uri" -d two /etc/hostname)" = guest ]
	uuid=$(sed -n 's,.*<uuid>\(.*\)</uuid>,\1,p' libvirt-one.xml)
	[ "$(drydock volumes --json -c "$uri" -d "$uuid" | json -r '.[0].image')" = one ]
	fails_with 1 'libvirt knows no domain "three"' drydock df -c "$uri" -d three
	fails_with 1 "libvirt at nowhere:///: " drydock df -c nowhere:/// -d three
}

@test "without libvirt's client library that is said in one sentence" {
	requires "${CC:-cc}" ldd
	! is_sanitized || skip "a sanitized program takes no preloaded library"
	cat >none.c <<-'EOF'
		#include <stddef.h>
		void *dlopen(const char *name, int flags);
		void *dlopen(const char *name, int flags) { (void)name; (void)flags; return NULL; }
	EOF
	"${CC:-cc}" -shared -fPIC -o none.so none.c
	LD_PRELOAD=$T/none.so fails_with 1 "libvirt's client library (libvirt.so.0) is not installed" "$DRYDOCK" df -d web
	[ "$(wc -l <<<"$stderr")" = 1 ]
	LD_PRELOAD=$T/none.so fails_with 1 "libvirt's client library (libvirt.so.0) is not installed" "$COMPAT/virt-df"
}

@test "the peers' names take domains too" {
	[ "$("$COMPAT/virt-cat" -d web.xml /etc/hostname)" = guest ]
	[ "$("$COMPAT/virt-ls" -d web.xml /boot)" = "$("$COMPAT/virt-ls" -a g.img /boot)" ]
	[ "$("$COMPAT/virt-filesystems" -d web.xml)" = "$("$COMPAT/virt-filesystems" -a g.img)" ]
	"$COMPAT/virt-df" -d web.xml | grep -q '^web:/dev/sda1 '
	"$COMPAT/virt-df" -d web.xml --uuid --csv | grep -q '^6695eb01-f6a4-8304-79aa-[0-9a-f]*,/dev/sda1,'
	fails_with 1 "virt-df: no/such.xml: " "$COMPAT/virt-df" -d no/such.xml
}

@test "virt-df without a guest shows all that libvirt knows, by name" {
	libvirt one two three
	"$COMPAT/virt-df" -c "$uri" >out
	[ "$(sed 1d out | cut -d: -f1 | uniq | xargs)" = "one three two" ]
	"$COMPAT/virt-df" -c "$uri" -P 1 --one-per-guest >out1
	same out1 out
	"$COMPAT/virt-df" -c "$uri" --csv --uuid | sed 1d | cut -d, -f1 | uniq >uuids
	[ "$(wc -l <uuids)" = 3 ]
	"$COMPAT/virt-df" -c "$uri" two | grep -q '^two:/dev/sda2 '
	# One that cannot be opened does not hide the others.
	sed -i "s,$T/g.qcow2,$T/gone.qcow2," libvirt-three.xml
	run --separate-stderr "$COMPAT/virt-df" -c "$uri"
	[ "$status" = 1 ]
	[[ $stderr == *gone.qcow2* ]]
	[ "$(sed 1d <<<"$output" | cut -d: -f1 | uniq | xargs)" = "one two" ]
}

@test "what a domain names is opened, and then the process is confined" {
	[[ $(drydock df -v --confine=best -d web.xml 2>&1) == *"confined: "* ]] || [[ $(drydock df -v -d web.xml 2>&1) == *"not confined"* ]]
	requires qemu-img
	mkdir disks elsewhere
	mv g.qcow2 elsewhere/base.qcow2
	qemu-img create -q -f qcow2 -b "$T/elsewhere/base.qcow2" -F qcow2 disks/g.qcow2
	domain web "$T/disks/g.qcow2" qcow2 >web.xml
	fails_with 1 base.qcow2 drydock df -d web.xml
	drydock df --allow-backing=elsewhere -d web.xml | grep -q /boot
}
