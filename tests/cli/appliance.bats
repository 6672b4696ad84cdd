#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What drydock appliance builds: from this host, by anybody, once, and whole or not at all.
load helpers

setup_file()
{
	AGENT_DIR=$(mktemp -d "${TMPDIR:-/var/tmp}/drydock-agent.XXXXXX")
	chmod 755 "$AGENT_DIR"
	export AGENT_DIR
	for n in 1 2; do
		echo "int main(void) { return $n; }" | ${CC:-cc} -x c -static -o "$AGENT_DIR/agent$n" -
	done
}

teardown_file()
{
	rm -rf "$AGENT_DIR"
}

setup()
{
	make_folder
	[ -x /usr/bin/linux.uml ] || skip "user-mode-linux is not installed"
	export XDG_CACHE_HOME=$T/cache
	unset DRYDOCK_APPLIANCE_DIR
}

build()
{
	drydock appliance build --quiet --agent="$AGENT_DIR/agent1" "$@"
}

@test "a build is found from then on, and a second one has nothing to do" {
	run drydock appliance info
	[ "$status" = 1 ]
	[[ $output == *"drydock appliance build"* ]]
	run -0 drydock appliance build --json --agent="$AGENT_DIR/agent1"
	[[ $output == *'"built": true'* ]]
	run -0 drydock appliance build --agent="$AGENT_DIR/agent1"
	[[ $output == *"was there already"* ]]
	run -0 drydock appliance info
	[[ $output == *"for uml, from /usr/bin/linux.uml"* ]]
	for f in key uml uml.initrd tools.ext4 info.json; do [ -s "cache/drydock/appliance/$f" ]; done
	[ -x cache/drydock/appliance/uml ]
}

@test "what is built twice is the same to the byte" {
	build -o a
	build -o b
	diff -r a b
	cp a/tools.ext4 old
	build -o a --force
	cmp old a/tools.ext4
	run -0 find . -name '.build-*'
	[ -z "$output" ]
}

@test "another agent makes another one, and clean keeps the one in use" {
	build
	first=$(readlink cache/drydock/appliance)
	drydock appliance build --quiet --agent="$AGENT_DIR/agent2"
	second=$(readlink cache/drydock/appliance)
	[ "$first" != "$second" ]
	[ -d "cache/drydock/$first" ]
	run -0 drydock appliance clean
	[ "$output" = "1 removed" ]
	[ ! -e "cache/drydock/$first" ]
	drydock appliance info >/dev/null
	drydock appliance clean --all --quiet
	[ -z "$(ls -A cache/drydock)" ]
}

@test "of two builders at once one builds and the other waits for it" {
	drydock appliance build --json --agent="$AGENT_DIR/agent1" >one &
	pid=$!
	drydock appliance build --json --agent="$AGENT_DIR/agent1" >two
	wait "$pid"
	[ "$(cat one two | grep -c '"built": true')" = 1 ]
	[ "$(cat one two | grep -c '"built": false')" = 1 ]
	[ "$(find cache/drydock -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
}

@test "a builder that is killed leaves nothing that is taken for whole" {
	# After each of the files, up to the one that makes it whole.
	for at in uml uml.initrd tools.ext4 info.json; do
		"$DRYDOCK" appliance build --quiet --agent="$AGENT_DIR/agent1" &
		pid=$!
		for ((i = 0; i < 2000; i++)); do
			[ -z "$(find cache -path "*/.build-*/$at" 2>/dev/null)" ] || break
		done
		kill -STOP "$pid" 2>/dev/null || true
		whole=$(find cache -path '*/appliance-*/key' 2>/dev/null)
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" || true
		if [ -z "$whole" ]; then
			run drydock appliance info
			[ "$status" = 1 ]
		fi
		rm -rf cache/drydock/appliance*
	done
	build
	run -0 find cache -name '.build-*'
	[ -z "$output" ]
	drydock appliance info >/dev/null
}

@test "an ordinary user builds it" {
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	mkdir nobody
	chown 65534:65534 nobody
	run -0 setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$T/nobody" XDG_CACHE_HOME= \
		"$DRYDOCK" appliance build --agent="$AGENT_DIR/agent1"
	[ -s nobody/.cache/drydock/appliance/key ]
	# Root does not start what another user could have written.
	HOME=$T/nobody XDG_CACHE_HOME='' run drydock appliance info
	[ "$status" = 1 ]
	[[ $output == *"belongs to another user"* ]]
}

@test "the image of tools is sound, and each program's libraries are in it" {
	requires e2fsck debugfs readelf
	build -o a
	e2fsck -fn a/tools.ext4
	mkdir tree
	debugfs -R "rdump / tree" a/tools.ext4 >/dev/null 2>&1
	find tree/usr/lib* -name '*.so*' -printf '%f\n' | sort -u >have
	find tree/usr/bin tree/usr/sbin tree/usr/lib* -type f -exec readelf -d {} + 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u >need
	[ -s need ]
	[ -z "$(comm -13 have need)" ]
	for f in sh bash mount; do [ -L "tree/usr/bin/$f" ] || [ -s "tree/usr/bin/$f" ]; done
	# No link leads nowhere.
	find tree -type l -printf '%P %l\n' | while read -r name target; do
		case $target in
		/*) [ -e "tree$target" ] || [ -L "tree$target" ] || { echo "$name -> $target"; exit 1; } ;;
		esac
	done
}

@test "every module of the list is there, behind those that it needs" {
	requires cpio debugfs
	build -o a
	mkdir root
	(cd root && cpio -idm --quiet <../a/uml.initrd 2>/dev/null) || true
	# What is not in the initramfs is in the image of tools, which is mounted there.
	debugfs -R "rdump / root/tools" a/tools.ext4 >/dev/null 2>&1
	cmp root/init "$AGENT_DIR/agent1"
	[ -x root/init ]
	grep -q '^boot.* /modules/virtio_console.ko' root/modules.list
	[ "$(stat -c %s a/uml.initrd)" -lt 4000000 ]
	grep -qx 'fs-ext4' root/modules.list # built in
	tr ' ' '\n' <root/modules.list | grep '\.ko$' | sort -u | while read -r f; do
		[ -s "root$f" ] || { echo "$f is not there"; exit 1; }
	done
	run -1 grep -q '[^ ]*/vfat.ko .*/fat.ko' root/modules.list
}

@test "what cannot be built is said in one sentence" {
	run drydock appliance build --agent=/nowhere/agent
	[ "$status" = 1 ]
	[ "$output" = "drydock: /nowhere/agent is not there" ]
	echo text >script
	run drydock appliance build --agent=script
	[ "$output" = "drydock: script is not a program" ]
	cp "$(command -v ls)" dynamic
	run drydock appliance build --agent=dynamic
	[ "$output" = "drydock: dynamic is not a static program: nothing in the appliance could load it" ]
	run drydock appliance build --agent="$AGENT_DIR/agent1" --kernel=/boot/vmlinuz-0.0.1-none
	[ "$status" = 1 ]
	[[ $output == *"/boot/vmlinuz-0.0.1-none cannot be read"* ]]
	HOME='' XDG_CACHE_HOME='' run build
	[ "$status" = 1 ]
	[[ $output == *"--output names a folder"* ]]
	run build -o /proc/x
	[ "$status" = 1 ]
	run drydock appliance
	[ "$status" = 2 ]
	run drydock appliance bild
	[ "$status" = 2 ]
	[ -z "$(find . -name '.build-*')" ]
}

@test "a cache that is a file, or may not be written, is an error and no more" {
	mkdir cache
	echo text >cache/drydock
	run build
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
}

@test "a kernel of a package that is not installed is enough" {
	requires dpkg-deb cpio
	modules=$(echo /usr/lib/uml/modules/*)
	mkdir -p pkg/DEBIAN "pkg$modules/kernel/a/b" debs
	printf 'Package: uml\nVersion: 1\nArchitecture: amd64\nMaintainer: n <n@n>\nDescription: d\n' >pkg/DEBIAN/control
	install -D /usr/bin/linux.uml pkg/usr/bin/linux.uml
	# Without the files of depmod, which an installation makes; in other folders, since names are what counts.
	cp "$modules/modules.builtin" "pkg$modules"
	for m in virtio_console virtio_blk fat vfat nls_utf8; do
		cp "$(find "$modules/" -name "$m.ko" | head -n 1)" "pkg$modules/kernel/a/b"
	done
	run build -o a --packages=debs --only-packages
	[ "$output" = "drydock: there is no Debian package in debs" ]
	dpkg-deb -Zxz -z0 --root-owner-group --build pkg debs >/dev/null
	build -o a --packages=debs --only-packages
	run -0 drydock appliance info -o a
	[[ $output == *" vfat"* ]]
	[[ $output != *" iso9660"* ]]
	cmp a/uml /usr/bin/linux.uml
	mkdir root
	(cd root && cpio -idm --quiet <../a/uml.initrd 2>/dev/null) || true
	run -0 grep '^fs-vfat' root/modules.list
	[[ $output == *"/fat.ko "*"/vfat.ko" ]]
	[ "$(find . -name '.build-*')" = "" ]
	head -c 100000 debs/*.deb >short.deb
	mv short.deb debs
	run build -o b --packages=debs --only-packages
	[ "$status" = 1 ]
	[[ ${lines[0]} == "drydock: debs/short.deb: "* ]]
	[ "${#lines[@]}" = 1 ]
	[ "$(find . -name '.build-*')" = "" ]
	[ ! -e b ]
	run build --only-packages
	[ "$output" = "drydock: --only-packages needs --packages" ]
}
