# SPDX-License-Identifier: GPL-2.0-or-later
# rescue.bats - a shell in a machine with the guest's disks, played at a terminal.
load ../cli/helpers
load guests

PTY=$BUILD/appliance-tests/pty_tool

setup_file()
{
	make_appliance
}

# play COMMAND...: stdin is the play; what was said is in the file `said`.
play()
{
	cat >play
	"$PTY" play "$@" >said 2>why || {
		echo "status $?"
		cat said why
		return 1
	}
}

guest()
{
	needs_machine
	requires mke2fs
	make_tree
	mke2fs -q -t ext4 -d t g.img 32M
}

@test "-i mounts the guest; the terminal's size, signals and escape keys work" {
	guest
	play "$DRYDOCK" rescue -i g.img <<-'END'
		< ><rescue>
		> cat /sysroot/etc/hostname; stty size\r
		< guest
		< 24 80
		size 30 100
		> stty size\r
		< 30 100
		> sh -c "echo wai''ting; exec sleep 1000"\r
		< waiting
		> \x03
		< ^C
		< ><rescue>
		> echo af''ter\r
		< after
		> \x1dh
		< behind the escape key
		> \x1di
		< /dev/sda (ext4) is on /sysroot
		> \x1ds
		< all is written
		> \x1du
		< nothing is mounted
		> ls /sysroot | wc -l\r
		< 0
		> exit\r
		end
	END
}

@test "what is written is thrown away, and with -w it reaches the image" {
	guest
	before=$(sha256sum <g.img)
	play "$DRYDOCK" rescue -m /dev/sda g.img <<-'END'
		< ><rescue>
		> echo changed >/sysroot/etc/hostname; sync; cat /sysroot/etc/hostname\r
		< changed
		< changed
		> exit\r
		end
	END
	[ "$(sha256sum <g.img)" = "$before" ]
	play "$DRYDOCK" rescue -w --format raw -m /dev/sda g.img <<-'END'
		< ><rescue>
		> echo changed >/sysroot/etc/hostname && echo wri''tten\r
		< written
		> exit\r
		end
	END
	[ "$(drydock cat --engine direct g.img:/etc/hostname)" = changed ]
	e2fsck -fn g.img >/dev/null
}

@test "a raw image of no known format is not written to by a guess" {
	needs_machine
	truncate -s 8M g.img
	fails_with 1 "give its format" drydock rescue -w g.img
}

@test "the command is suspended and goes on, and ends at once" {
	guest
	export PS1="host> "
	play bash --norc --noprofile -i <<-END
		< host>
		> "$DRYDOCK" rescue g.img\\r
		< ><rescue>
		> \\x1dz
		< Stopped
		> fg\\r
		> \\r
		< ><rescue>
		> echo a''gain\\r
		< again
		> \\x1dx
		< host>
		> exit\\r
		end
	END
}

@test "another escape key, or none" {
	guest
	play "$DRYDOCK" rescue -e ^a g.img <<-'END'
		< ><rescue>
		> \x01h
		< behind the escape key
		> \x01x
		end
	END
	play "$DRYDOCK" rescue -e none g.img <<-'END'
		< ><rescue>
		> exit\r
		end
	END
	fails_with 2 "the escape key is" drydock rescue -e abc g.img
}

@test "commands from a pipe, and scratch disks" {
	guest
	# The kernel's modules come when mount wants them.
	echo 'ls -d /dev/vdb && mkfs.ext4 -q /dev/vdb && mount /dev/vdb /sysroot && df --output=size /sysroot && umount /sysroot &&
		mkfs.vfat -I /dev/vdb >/dev/null && mount /dev/vdb /sysroot && findmnt -no FSTYPE /sysroot' |
		drydock rescue --scratch 1 g.img >out
	grep -qE '^ *(9|10)[0-9]{6}' out
	grep -qx vfat out
}

@test "--suggest prints commands and starts no machine" {
	guest
	DRYDOCK_APPLIANCE_DIR=$T/nowhere prints "mount /dev/sda /sysroot" drydock rescue --suggest g.img
}

@test "virt-rescue" {
	guest
	play "$COMPAT/virt-rescue" -a g.img -i <<-'END'
		< ><rescue>
		> cat /sysroot/etc/hostname\r
		< guest
		> exit\r
		end
	END
	fails_with 1 "you must specify at least one -a or -d option" "$COMPAT/virt-rescue"
}

@test "an encrypted root is opened by the key that was given, and mounted by -i" {
	needs_machine
	requires mke2fs cryptsetup qemu-img
	make_tree
	mke2fs -q -t ext4 -d t fs.img 16M
	printf secret >pass
	truncate -s 18M g.img
	cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 g.img pass
	qemu-img convert -n --object secret,id=k,file=pass --image-opts --target-image-opts driver=raw,file.filename=fs.img \
		driver=luks,file.filename=g.img,key-secret=k
	echo 'cat /sysroot/etc/hostname; ls /dev/mapper' | drydock rescue -i --key all:key:secret g.img >out
	grep -qx guest out
	grep -q '^luks-' out
}

@test "LVM and MD are made, found again, and mounted by -i and by name" {
	guest
	truncate -s 64M l.img m1.img m2.img
	mke2fs -q -t ext4 -L other other.img 16M
	drydock rescue -w --format raw -a l.img -a m1.img -a m2.img -a g.img -a other.img >out 2>&1 <<-'END' || { cat out; return 1; }
		lvm vgcreate -qq -y vg /dev/vda
		lvm lvcreate -qq -y --noudevsync -Wn -Zn -n root -L 40M vg
		cat /dev/vdd >/dev/vg/root
		mdadm -q --create /dev/md/data --run -l1 -n2 --metadata=1.2 --assume-clean /dev/vdb /dev/vdc
		cat /dev/vde >/dev/md/data && sync
	END
	# By ourselves, and in the machine.
	[ "$(drydock cat --engine direct -a l.img /etc/hostname)" = guest ]
	echo 'cat /sysroot/etc/hostname; grep " /sysroot ext4" /proc/mounts' | drydock rescue -i -a l.img >out
	grep -x guest out
	grep '^/dev/mapper/vg-root' out
	echo 'ls -d /sysroot/lost+found; grep " /sysroot ext4" /proc/mounts; grep -o UU /proc/mdstat' |
		drydock rescue -m /dev/md127 -a m2.img -a m1.img -a l.img >out
	grep -x /sysroot/lost+found out
	grep '^/dev/md127' out
	grep -x UU out
}

@test "QEMU: --network, --smp, --memsize and --append are as they were asked for" {
	guest
	needs_machine tcg
	requires busybox
	busybox httpd --help 2>&1 | grep -q 'Usage' || skip "a busybox without httpd"
	for port in $(shuf -n 20 -i 20000-32000); do
		busybox httpd -f -p "127.0.0.1:$port" -h t/etc 3>&- &
		server=$!
		wait_for eval "! kill -0 $server 2>/dev/null || { : </dev/tcp/127.0.0.1/$port; } 2>/dev/null"
		! kill -0 "$server" 2>/dev/null || break
	done
	drydock rescue --network --smp 2 --memsize 300 --append hello=you g.img >out <<-END
		exec 3<>/dev/tcp/10.0.2.2/$port
		printf 'GET /hostname HTTP/1.0\r\n\r\n' >&3
		cat <&3
		echo "processors: \$(nproc)"
		grep -E 'MemTotal: *2[0-9]{5} kB' /proc/meminfo
		grep -o 'hello=you' /proc/cmdline
		cat /etc/resolv.conf
	END
	kill "$server"
	for line in guest 'processors: 2' 'hello=you' 'nameserver 10.0.2.3'; do grep -x "$line" out; done
	grep MemTotal out
	# And nothing of it where it was not asked for.
	echo 'cat /proc/net/dev; : </dev/tcp/10.0.2.2/1' | drydock rescue g.img >out 2>&1
	! grep eth0 out
}

@test "no appliance: one sentence" {
	truncate -s 1M g.img
	DRYDOCK_APPLIANCE_DIR=$T/nowhere fails_with 1 "is not there" drydock rescue g.img
}
