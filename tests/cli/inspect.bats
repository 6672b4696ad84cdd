# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
}

@test "inspect tells what is installed, and what is mounted where" {
	drydock inspect g.img >out
	[ "$(head -1 out)" = "g.img: /dev/sda2" ]
	grep -q '^  type  *linux' out
	grep -q '^  mounts  */ /dev/sda2 (ext4)' out
}

@test "inspect prints the same facts as JSON" {
	drydock inspect --json g.img >out
	[ "$(json '.[0] | [.image, .systems[0].root, .systems[0].type]' <out)" = '["g.img","/dev/sda2","linux"]' ]
	[ "$(json '.[0].systems[0].mountpoints[0] | [.path, .volume, .type]' <out)" = '["/","/dev/sda2","ext4"]' ]
}

@test "an image without an operating system is an error, and the others are told" {
	truncate -s 1M empty.img
	run --separate-stderr drydock inspect empty.img g.img
	[ "$status" = 1 ]
	[[ $stderr == *"empty.img: no operating system was found"* ]]
	[[ $output == "g.img: /dev/sda2"* ]]
}

@test "what a guest says of itself reaches a terminal quoted" {
	mkdir -p evil/etc evil/bin
	touch evil/etc/fstab
	printf 'ID=debian\nPRETTY_NAME="red \033[31m alert"\n' >evil/etc/os-release
	truncate -s 4M evil.img
	mke2fs -q -F -t ext4 -d evil evil.img
	drydock inspect evil.img >out
	grep -qF 'red \x1b[31m alert' out
	run ! grep -q "$(printf '\033')" out
	drydock inspect --json evil.img >out
	[ "$(json '.[0].systems[0].product_name' <out)" = "$(printf '"red \\u001b[31m alert"')" ]
}
