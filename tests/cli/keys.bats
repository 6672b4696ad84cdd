# SPDX-License-Identifier: GPL-2.0-or-later
#
# keys.bats - encrypted volumes of guests, and every way to give their keys.  The encrypted disks are made without a kernel's
# help: cryptsetup writes the headers, qemu-img the data behind them, and cryptsetup turns one into version 2.
load helpers
load guest

# luks FILE CONTENT PASSPHRASE: a LUKS 1 volume of that content.
luks()
{
	printf %s "$3" >pass
	truncate -s $(($(size_of "$2") + (2 << 20))) "$1"
	cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 "$1" pass
	qemu-img convert -n --object secret,id=k,file=pass --image-opts --target-image-opts driver=raw,file.filename="$2" \
		driver=luks,file.filename="$1",key-secret=k
}

# to_luks2 FILE: makes version 2 of it, with Argon2.
to_luks2()
{
	cryptsetup convert -q --type luks2 "$1"
	cryptsetup luksConvertKey -q --key-file pass --pbkdf argon2id --pbkdf-memory 64 --pbkdf-parallel 4 \
		--pbkdf-force-iterations 4 "$1"
}

luks_uuid()
{
	cryptsetup luksUUID "$1"
}

# A guest whose root is plain and whose /home, on sda2, is not (g.img, "home pass"), and a whole encrypted disk (e.img, "root pass").
setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	for tool in cryptsetup qemu-img mke2fs sfdisk; do
		command -v $tool >/dev/null || return 0
	done
	mkdir -p home/ann root/etc root/bin root/home
	echo letter >home/ann/letter
	mke2fs -q -t ext4 -d home -L home home.fs 4M
	luks home.luks home.fs "home pass"
	to_luks2 home.luks
	echo '/dev/mapper/cryptohome /home ext4 defaults 0 2' >root/etc/fstab
	echo "cryptohome UUID=$(luks_uuid home.luks) none luks,discard" >root/etc/crypttab
	mke2fs -q -t ext4 -d root -L root root.fs 4M
	truncate -s 16M g.img
	sfdisk -q g.img <<-EOF
		label: gpt
		start=2048,size=8192
		start=10240,size=20480
	EOF
	dd if=root.fs of=g.img bs=512 seek=2048 conv=notrunc status=none
	dd if=home.luks of=g.img bs=512 seek=10240 conv=notrunc status=none
	luks e.img root.fs "root pass"
	touch made
}

setup()
{
	make_folder
	requires cryptsetup qemu-img mke2fs sfdisk setsid
	cp "$BATS_FILE_TMPDIR"/{g.img,e.img,home.luks} .
}

# Away from the terminal of who runs the tests.
alone()
{
	setsid -w "$DRYDOCK" "$@" </dev/null
}

# opens IMAGE SELECTOR...: the letter in /home can be read with these keys.
opens()
{
	local image=$1 keys=() s
	shift
	for s; do
		keys+=(--key "$s")
	done
	run -0 alone cat "${keys[@]}" "$image:/home/ann/letter"
	[ "$output" = letter ]
}

@test "a key opens a volume by its name, the guest's name for it, its UUID, or all" {
	for name in /dev/sda2 sda2 /dev/vda2 nvme0n1p2 "$(luks_uuid home.luks)" all; do
		opens g.img "$name:key:home pass"
	done
	opens g.img "sda1:key:x" "all:key:y" "sda2:key:home pass"
}

@test "a key file is taken as it is, and without its newline" {
	printf 'home pass' >with
	printf 'home pass\n' >without
	printf 'other\nhome pass' >two-lines
	opens g.img sda2:file:with
	opens g.img sda2:file:without
	run -0 --separate-stderr alone ls --key sda2:file:two-lines g.img:/
	[[ $stderr == *"/dev/sda2 is encrypted, and no key that was given opens it"* ]]
	cryptsetup luksAddKey -q --key-file with --pbkdf pbkdf2 --pbkdf-force-iterations 1000 home.luks two-lines
	dd if=home.luks of=g.img bs=512 seek=10240 conv=notrunc status=none
	opens g.img sda2:file:two-lines
	fails_with 1 "unable to read nothing" alone ls --key sda2:file:nothing g.img:/
}

@test "fstab names a volume as the guest's crypttab does, and its filesystem by UUID" {
	run -0 --separate-stderr alone ls -v --key 'sda2:key:home pass' g.img:/home/ann
	[ "$output" = letter ]
	[[ $stderr == *"/dev/mapper/luks-$(luks_uuid home.luks) is mounted on /home"* ]]
	run -0 alone ls -m /dev/mapper/cryptsda2 --key 'sda2:key:home pass' g.img:/ann
	run -0 alone ls -m LABEL=home --key 'sda2:key:home pass' g.img:/ann
}

@test "what stays locked is told, and why" {
	run -0 --separate-stderr alone ls -v g.img:/home
	[ "$output" = "" ]
	[[ $stderr == *"/dev/sda2 is encrypted; --key gives its passphrase"* ]]
	[[ $stderr == *"fstab: /home (/dev/mapper/cryptohome) is not mounted: /dev/sda2 is encrypted, and was not opened"* ]]
	[ "$(grep -c 'sda2 is encrypted;' <<<"$stderr")" = 1 ]
	fails_with 1 "the volumes are: /dev/sda (crypto_LUKS, locked); --key gives the passphrase" alone ls e.img:/
	fails_with 1 "/dev/sda is encrypted, and no key that was given opens it" alone ls --key all:key:no e.img:/
	fails_with 1 "/dev/sda2 is encrypted, and was not opened" alone ls -m sda2 g.img:/
	run -0 --separate-stderr alone ls -v --key sda1:key:x g.img:/
	[[ $stderr == *"a key was given for /dev/sda1, which is no LUKS volume"* ]]
}

@test "volumes and df show what a key opens" {
	run -0 alone volumes --json --key 'all:key:home pass' g.img
	[ "$(json '.[0].volumes[]|[.name,.scheme,.filesystem.type,.locked]' <<<"$output")" = "[\"/dev/sda1\",\"gpt\",\"ext4\",null]
[\"/dev/sda2\",\"gpt\",\"crypto_LUKS\",null]
[\"/dev/mapper/luks-$(luks_uuid home.luks)\",\"luks\",\"ext4\",null]" ]
	run -0 alone volumes --json g.img
	[ "$(json '.[0].volumes[]|[.name,.locked]' <<<"$output")" = '["/dev/sda1",null]
["/dev/sda2",true]' ]
	run -0 alone df --key 'all:key:home pass' g.img
	[[ $output == *"/dev/mapper/luks-$(luks_uuid home.luks)"*/home* ]]
}

@test "a whole disk may be encrypted, whether its format is given or not" {
	run -0 alone ls --key 'all:key:root pass' e.img:/etc
	[ "$output" = "crypttab
fstab" ]
	run -0 alone ls -f luks --key 'all:key:root pass' e.img:/etc
	run -0 alone ls -f raw --key 'all:key:root pass' e.img:/etc
	drydock convert -q -f raw -O qcow2 e.img e.qcow2
	run -0 alone ls --key 'all:key:root pass' e.qcow2:/etc
}

@test "passphrases come from standard input, a line for each volume without a key" {
	[ "$(printf 'home pass\nrest\n' | { "$DRYDOCK" cat --keys-from-stdin g.img:/home/ann/letter; cat; })" = "letter
rest" ]
	[ "$(printf 'wrong\nroot pass\n' | "$DRYDOCK" volumes --keys-from-stdin -a g.img -a e.img | grep -c ext4)" = 2 ]
	[ "$(printf 'root pass\n' | "$DRYDOCK" volumes --key 'sda2:key:home pass' --keys-from-stdin -a g.img -a e.img | grep -c ext4)" = 3 ]
	run -0 --separate-stderr "$DRYDOCK" ls -v --keys-from-stdin g.img:/ </dev/null
	[[ $stderr == *"/dev/sda2 is encrypted; --key"* ]]
}

# type_to COMMAND...: runs it at a terminal of its own; what it shows is in ./shown.  say LINE: when it has asked (once more).
type_to()
{
	requires script
	mkfifo keyboard
	asked=0
	env --default-signal=INT script -qefc "$*" shown <keyboard >/dev/null 2>&1 &
	typist=$!
	exec 8>keyboard
}

say()
{
	local i

	asked=$((asked + 1))
	for ((i = 0; i < 100; i++)); do
		[ "$(grep -c 'Passphrase for\|Enter key' shown 2>/dev/null)" -ge $asked ] && break
		sleep 0.1
	done
	sleep 0.2 # it has asked; now it reads
	printf '%s\n' "$1" >&8
}

done_typing()
{
	wait "$typist"
	local status=$?
	exec 8>&-
	return $status
}

@test "a passphrase is asked for at the terminal, and not shown" {
	type_to "$DRYDOCK" cat g.img:/home/ann/letter
	say "home pass"
	done_typing
	grep -q 'Passphrase for /dev/sda2 of g.img: ' shown
	grep -q '^letter' shown
	run ! grep 'home pass' shown
}

@test "--echo-keys shows it; three wrong ones are enough" {
	type_to "$DRYDOCK" ls --echo-keys g.img:/
	say one
	say two
	say three
	done_typing
	grep -q 'Passphrase for /dev/sda2 of g.img: three' shown
	[ "$(grep -c 'No key slot opens with that' shown)" = 2 ]
	grep -q 'no key that was given opens it' shown
	grep -q '^home' shown
}

@test "Enter leaves a volume locked; a key that was given is not asked for" {
	type_to "$DRYDOCK" ls g.img:/
	say ""
	done_typing
	grep -q '^home' shown
	[ "$(grep -c 'Passphrase for' shown)" = 1 ]
	rm keyboard shown
	type_to "$DRYDOCK" ls --key sda2:key:wrong g.img:/
	done_typing
	run ! grep 'Passphrase for' shown
}

@test "the terminal is itself again when the question is broken off" {
	requires script stty
	type_to "trap : INT; '$DRYDOCK' ls g.img:/; echo status \$?; stty -a"
	say "$(printf 'ho\003')"
	done_typing || :
	grep -q 'status 130' shown
	grep -qE '(^|[ ;])echo([ ;]|$)' shown
}

@test "a selector that is none is refused, and no message repeats a passphrase" {
	for bad in "" x : sda2 sda2: sda2:key sda2:word:hidden :key:hidden sda2:file: sda2:header:; do
		fails_with 2 "NAME:key:PASSPHRASE, NAME:file:PATH or NAME:header:PATH" alone ls --key "$bad" g.img:/
		[[ $stderr != *hidden* ]]
	done
	fails_with 1 "clevis" alone ls --key sda2:clevis g.img:/
	fails_with 2 "needs a value" alone ls --key
}

@test "a passphrase is taken out of the list of processes" {
	requires debugfs
	truncate -s 4M big
	head -c 2M /dev/urandom >content
	dd if=g.img of=root.fs bs=512 skip=2048 count=8192 status=none
	debugfs -w -R 'write content /big' root.fs >/dev/null 2>&1
	dd if=root.fs of=g.img bs=512 seek=2048 conv=notrunc status=none
	mkfifo pipe
	"$DRYDOCK" cat --key "sda2:key:home pass" g.img:/big >pipe 2>err &
	reader=$!
	exec 7<pipe
	head -c 1000 <&7 >/dev/null
	run -0 tr '\0' ' ' <"/proc/$reader/cmdline"
	[[ $output == *"sda2:key:*********"* ]]
	exec 7<&-
	wait $reader || :
}

@test "a header in a file of its own opens a volume that has none" {
	printf 'home pass' >pass
	cryptsetup luksHeaderBackup -q home.luks --header-backup-file header
	dd if=/dev/zero of=g.img bs=512 seek=10240 count=4096 conv=notrunc status=none
	run -0 --separate-stderr alone ls -v --key "sda2:key:home pass" g.img:/home
	[[ $stderr == *"a key was given for /dev/sda2, which is no LUKS volume"* ]]
	opens g.img sda2:header:header "sda2:key:home pass"
	run -0 alone ls -m LABEL=home --key sda2:header:header --key "sda2:key:home pass" g.img:/ann
	fails_with 1 "nothing" alone ls --key sda2:header:nothing g.img:/
	run -0 --separate-stderr alone ls -v --key sda2:header:pass g.img:/
	[[ $stderr == *"the file given as its header is none"* ]]
}

@test "peers' names take the same keys, and inspection fails where a volume stays locked" {
	[ "$("$COMPAT/virt-cat" -a g.img --key '/dev/sda2:key:home pass' /home/ann/letter)" = letter ]
	[ "$("$COMPAT/virt-ls" -a g.img --key 'all:key:home pass' /home/ann)" = letter ]
	[ "$(echo 'home pass' | "$COMPAT/virt-ls" -a g.img --keys-from-stdin /home/ann)" = letter ]
	[ "$(echo 'home pass' | setsid -w "$COMPAT/virt-ls" -a g.img /home/ann)" = letter ] # no terminal: standard input
	inner=/dev/mapper/luks-$(luks_uuid home.luks)
	[[ $("$COMPAT/virt-filesystems" -a g.img --key 'all:key:home pass') == *$inner* ]]
	[ "$(setsid -w "$COMPAT/virt-filesystems" -a g.img)" = /dev/sda1 ]
	[[ $("$COMPAT/virt-df" -a g.img --key 'all:key:home pass') == *"g.img:$inner"* ]]
	fails_with 1 "could not find key to open LUKS encrypted /dev/sda2." "$COMPAT/virt-ls" -a g.img --key all:key:no /
	run -1 --separate-stderr setsid -w "$COMPAT/virt-ls" -a g.img / </dev/null
	[ "$stderr" = "virt-ls: could not read key from user" ]
	run -0 setsid -w "$COMPAT/virt-ls" -a g.img -m /dev/sda1 / </dev/null
}

@test "BitLocker is recognised and not opened" {
	truncate -s 1M b.img
	printf '\353\130\220-FVE-FS-' | dd of=b.img conv=notrunc status=none
	run -0 --separate-stderr alone volumes -v b.img
	[[ $output == *BitLocker* ]]
	[[ $stderr == *"/dev/sda is encrypted with BitLocker, which is not opened here"* ]]
	fails_with 1 "no operating system was found; the volumes are: /dev/sda (BitLocker, locked)" alone ls b.img:/
}

@test "images are not changed by any of this" {
	sha256sum g.img e.img >sums
	opens g.img "all:key:home pass"
	alone ls --key all:key:wrong g.img:/
	alone volumes --key "all:key:root pass" e.img
	sha256sum -c sums
}
