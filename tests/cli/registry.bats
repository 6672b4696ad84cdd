# SPDX-License-Identifier: GPL-2.0-or-later
# The Windows registry: of a hive that hivex wrote, beside what its own tools read; and of a guest.
load helpers
load windows

# A hive of all kinds of values.
kinds()
{
	make_hive "$1" <<-'EOF'
		[Zed]
		str=sz:héllo
		@=sz:def
		dw=dword:42
		be=be:42
		q=qword:1099511627776
		multi=multi:a|b
		none=hex(0):
		bin=hex(3):0102
		exp=expand:%x%
		odd=hex(65537):7a7a
		dw3=hex(4):616263
		half=hex(1):6100620
		q"\=hex(1):61006200
		[abc]
		[Midé]
		[Zed\below]
		long=hex(3):000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
	EOF
}

@test "list tells the values of a key and the names of its subkeys" {
	kinds k.hive
	[ "$(drydock registry list --hive k.hive)" = "$(printf '\\\n    abc\\\n    Midé\\\n    Zed\\')" ]
	drydock registry list --hive k.hive zed >out
	grep -qxF '    str    REG_SZ    héllo' out
	grep -qxF '    (default)    REG_SZ    def' out
	grep -qxF '    be    REG_DWORD_BIG_ENDIAN    42' out
	grep -qxF '    q    REG_QWORD    1099511627776' out
	grep -qxF '    multi    REG_MULTI_SZ    a\0b' out
	grep -qxF '    odd    REG_0x10001    7a7a' out
	grep -qxF '    dw3    REG_DWORD    616263' out
	grep -qxF '    below\' out
}

@test "get prints what hivexget prints" {
	requires hivexget
	kinds k.hive
	for name in str dw be q exp; do
		[ "$(drydock registry get --hive k.hive '\Zed' $name)" = "$(hivexget k.hive '\Zed' $name)" ]
	done
	[ "$(drydock registry get --hive k.hive ZED @)" = def ]
	[ "$(drydock registry get --hive k.hive Zed multi --json | json -c .value)" = '["a","b"]' ]
	[ "$(drydock registry get --hive k.hive Zed bin --json | json -c '[.name,.type,.data]')" = '["bin","REG_BINARY","0102"]' ]
}

@test "what is not there is told" {
	kinds k.hive
	fails_with 1 'there is no key "No\Such"' drydock registry list --hive k.hive 'No\Such'
	fails_with 1 'there is no value "no"' drydock registry get --hive k.hive Zed no
	fails_with 1 'no default value' drydock registry get --hive k.hive abc @
	fails_with 2 'get takes KEY NAME' drydock registry get --hive k.hive Zed
	fails_with 2 'none of get, list' drydock registry put --hive k.hive Zed x
	fails_with 1 'No such file' drydock registry list --hive none.hive
}

@test "an export is what hivexregedit makes of it again" {
	requires hivexregedit
	kinds k.hive
	# The importer takes what is not ASCII for bytes: such a text would come out longer.
	drydock registry export --hive k.hive | sed 's/é/e/' >all.reg
	make_hive again.hive <<<''
	hivexregedit --merge again.hive all.reg
	hivexregedit --export k.hive '\' | sed 's/,e9,/,65,/; s/'$'\xe9''/e/' >wanted
	hivexregedit --export again.hive '\' >got
	diff wanted got
	[ "$(grep -c '\\$' all.reg)" -gt 0 ] # long rows are folded
}

@test "an export in UTF-16 says the same, as Windows writes it" {
	requires iconv
	kinds k.hive
	drydock registry export --hive k.hive --prefix 'HKEY_USERS\x' >utf-8
	drydock registry export --hive k.hive --prefix 'HKEY_USERS\x' --encoding utf-16 >utf-16
	[ "$(head -c 2 utf-16 | od -An -tx1)" = " ff fe" ]
	iconv -f utf-16 -t utf-8 utf-16 | tr -d '\r' | diff utf-8 -
	[ "$(iconv -f utf-16 -t utf-8 utf-16 | grep -c $'\r$')" = "$(wc -l <utf-8)" ]
	grep -qxF '[HKEY_USERS\x\Zed\below]' utf-8
}

@test "names and texts of a hive forge no lines and reach no terminal raw" {
	make_hive evil.hive <<<$'[bad\033[31m]\nna\033me=sz:te\033xt\n[fine]\nname=sz:te\033xt\nna\033me=sz:x'
	for action in list\ -R list\ -R\ --json export find\ te; do
		# shellcheck disable=SC2086 # words
		drydock registry $action --hive evil.hive >out 2>err || :
		run ! grep -q $'\033' out err
		[ -s out ]
	done
	fails_with 1 'is left out: its name holds a control character' drydock registry export --hive evil.hive
	drydock registry export --hive evil.hive fine 2>/dev/null | grep -qF '"name"=hex(1):74,00,65,00,1b'
}

@test "find looks in names and data, and says when there is nothing" {
	kinds k.hive
	[ "$(drydock registry find --hive k.hive BELOW)" = 'Zed\below' ]
	[ "$(drydock registry find --in data --hive k.hive 1099511627776 --json | json -c '.[] | [.match,.key,.name]')" = \
		'["data","Zed","q"]' ]
	[ "$(drydock registry find --in names -x --hive k.hive bin --json | json -c '.[] | [.match,.key,.data]')" = \
		'["name","Zed","0102"]' ]
	run -1 drydock registry find --hive k.hive nowhere
	run -1 drydock registry find --in keys --hive k.hive héllo
}

@test "everything of a hive is in the JSON of list -R, as hivexml has it" {
	requires hivexml
	kinds k.hive
	[ "$(drydock registry list -R --json --hive k.hive | json '[.[].values[]] | length')" = \
		"$(hivexml k.hive | grep -o '<value ' | wc -l)" ]
	[ "$(drydock registry list -R --json --hive k.hive | json 'length')" = "$(hivexml k.hive | grep -o '<node ' | wc -l)" ]
}

@test "a hive that is damaged, or none, is a sentence" {
	kinds k.hive
	head -c 5000 k.hive >cut.hive
	fails_with 1 'cut.hive: its bins of' drydock registry list --hive cut.hive
	printf hello >none.hive
	fails_with 1 'too few' drydock registry list --hive none.hive
	truncate -s 10G none.hive
	fails_with 1 'not a registry hive' drydock registry list --hive none.hive
	fails_with 1 'd' drydock registry list --hive .
}

@test "the registry of a guest: hives by their roots, users by name and SID, the alias of the control set" {
	windows_hives
	windows_disk w.img
	[ "$(drydock registry list w.img)" = "$(printf 'HKEY_LOCAL_MACHINE\n    SAM\\\n    SOFTWARE\\\n    SYSTEM\\')" ]
	[ "$(drydock registry list w.img HKU)" = "$(printf 'HKEY_USERS\n    S-1-5-21-1-2-3-1001\\')" ]
	[ "$(drydock registry get w.img 'hklm\software\microsoft\windows nt\currentversion' productname)" = "Windows 10 Pro" ]
	[ "$(drydock registry get w.img 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' Hostname)" = WINBOX ]
	for user in ann S-1-5-21-1-2-3-1001; do
		[ "$(drydock registry get w.img "HKU\\$user\\Software\\X" a)" = b ]
	done
	[ "$(drydock registry get w.img:/Users/Ann/NTUSER.DAT 'Software\X' a)" = b ]
	[ "$(drydock registry get -a w.img 'HKLM\SYSTEM\Select' Current)" = 1 ]
	drydock registry find w.img 7-zip | grep -qxF '    DisplayName    REG_SZ    7-Zip 23.01 (x64)'
	fails_with 2 'nobody is logged in' drydock registry list w.img 'HKCU\Software'
	fails_with 2 'begins with HKEY_LOCAL_MACHINE' drydock registry list w.img 'Software'
	fails_with 1 'no key "HKLM\SECURITY"' drydock registry list w.img 'HKLM\SECURITY'
}

@test "inspect tells of Windows what its registry says" {
	windows_hives
	windows_disk w.img
	drydock inspect --json w.img | json '.[0].systems[0]' >out
	[ "$(json -c '[.type,.distro,.product_name,.product_variant,.build_id,.arch,.hostname,.timezone,.osinfo,.major_version]' <out)" = \
		'["windows","windows","Windows 11 Pro","Client","22631","x86_64","WINBOX","W. Europe Standard Time","win11",10]' ]
	[ "$(json -c '.windows | [.systemroot,.current_control_set,.software_hive,.edition,.display_version,.update_revision,.installed]' <out)" = \
		'["/Windows","ControlSet001","/Windows/System32/config/SOFTWARE","Professional","23H2",3007,1700000000]' ]
	[ "$(json -c '.windows | [.group_policy,.firewall]' <out)" = '[true,{"private":true,"public":false}]' ]
	[ "$(json -c '[.windows.drives[] | [.letter,.volume]]' <out)" = '[["C","/dev/sda1"],["D",null]]' ]
	[ "$(json -c '[.windows.virtual_drivers[] | [.name,.start,.file]]' <out)" = \
		'[["viostor","boot",true],["netkvm","manual",false]]' ]
	[ "$(json -c '[.windows.services, [.windows.accounts[] | [.name,.rid,.disabled]]]' <out)" = \
		'[["Spooler"],[["Administrator",500,true],["Ann",1001,false]]]' ]
	[ "$(json -c .warnings <out)" = '[]' ]
	drydock inspect w.img | grep -qE '^ +drives +C: /dev/sda1$'
}

@test "programs of single users are packages, and a hive of one that is nonsense is told" {
	windows_hives
	make_hive NTUSER.DAT <<-'EOF'
		[Software\Microsoft\Windows\CurrentVersion\Uninstall\Editor]
		DisplayName=sz:Editor (User)
		DisplayVersion=sz:1.85.1
	EOF
	windows_disk w.img
	[ "$(drydock inspect --json --packages w.img | json -c '[.[0].systems[0].packages[] | select(.id == "Editor") | [.name,.version,.arch]]')" = \
		'[["Editor (User)","1.85.1",null]]' ]
	echo nonsense >NTUSER.DAT
	windows_disk w.img
	run --separate-stderr drydock inspect --json --packages w.img
	[[ $stderr == *"NTUSER.DAT"* ]]
	[[ $output == *"Old Tool"* ]]
}

@test "Windows is found in the folders that it was installed to long ago" {
	windows_hives
	windows_disk w.img
	for folder in WINNT WIN32 WIN; do
		MTOOLS_SKIP_CHECK=1 mren -i w.img@@1M "$([ -n "${last-}" ] && echo "::/$last" || echo ::/Windows)" "$folder"
		last=$folder
		[ "$(drydock inspect --json --packages w.img | jq -c '.[0].systems[0] | [.product_name, .windows.systemroot, (.packages | length)]')" = \
			"[\"Windows 11 Pro\",\"/$folder\",3]" ]
	done
}

@test "the programs of Windows are packages, each once" {
	windows_hives
	windows_disk w.img
	[ "$(drydock inspect --json --packages w.img | json -c '[.[0].systems[0].packages[] | [.name,.version,.arch,.vendor,.installed,.location]]')" = \
		'[["7-Zip 23.01 (x64)","23.01","x86_64","Igor Pavlov",1706659200,"C:\\Program Files\\7-Zip"],["Hidden MSI","2.5","x86_64",null,null,null],["Old Tool","1.0","i386",null,null,null]]' ]
	[ "$(drydock inspect --json --packages w.img | json -c '[.[0].systems[0].packages[].id]')" = \
		'["7-Zip","00000000000000000000000000000001","{12345678-9ABC-DEF0-1122-334455667788}"]' ]
	[ "$(drydock inspect --sbom cyclonedx w.img | json -r '.components[] | select(.name == "Old Tool").purl')" = \
		'pkg:generic/windows/Old%20Tool@1.0?arch=i386' ]
}

@test "a hive of the guest that is nonsense is one warning, and the rest is told" {
	windows_hives
	head -c 100000 /dev/zero | tr '\0' x >SOFTWARE
	windows_disk w.img
	drydock inspect --json w.img >out 2>err
	[ "$(json -c '.[0].systems[0] | [.hostname,.product_name,(.warnings|length)]' <out)" = '["WINBOX",null,1]' ]
	grep -q 'warning: /Windows/System32/config/SOFTWARE: it is not a registry hive' err
	drydock registry list w.img 'HKLM\SYSTEM' >/dev/null
	fails_with 1 'config/SOFTWARE: it is not a registry hive' drydock registry list w.img 'HKLM\SOFTWARE'
}

@test "a hive whose last write was not completed is told" {
	windows_hives
	# The first of the two numbers goes up, and so does the checksum's third word.
	perl -e 'open F,"+<:raw","SYSTEM"; read F,$h,512; @w=unpack("L<128",$h); $w[1]++; $w[127]=0; $w[127]^=$_ for @w[0..126];
		seek F,0,0; print F pack("L<128",@w)'
	windows_disk w.img
	drydock inspect w.img 2>err >/dev/null
	grep -q 'SYSTEM: it was not written to its end' err
	run -0 --separate-stderr drydock registry get w.img 'HKLM\SYSTEM\Select' Current
	[[ $stderr == *"not written to its end"* ]]
}

@test "a hive whose last write was not completed is shown with what its log holds, while that is right" {
	windows_hives
	make_hive NEWER <<-'EOF'
		[Select]
		Current=dword:1
		[ControlSet001\Services\Tcpip\Parameters]
		Hostname=sz:RENAMED
	EOF
	perl "$BATS_TEST_DIRNAME/make_hive_log.pl" SYSTEM NEWER SYSTEM.LOG1
	run -0 --separate-stderr drydock registry get --hive SYSTEM 'ControlSet001\Services\Tcpip\Parameters' Hostname
	[ "$output" = RENAMED ]
	[ -z "$stderr" ]
	windows_disk w.img
	run -0 --separate-stderr drydock registry get w.img 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' Hostname
	[ "$output" = WINBOX ]
	[[ $stderr == *"SYSTEM: it was not written to its end"* ]]
	MTOOLS_SKIP_CHECK=1 mcopy -i w.img@@1M SYSTEM.LOG1 ::/Windows/System32/config/
	run -0 --separate-stderr drydock registry get w.img 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' Hostname
	[ "$output" = RENAMED ]
	[ -z "$stderr" ]
	[ "$(drydock inspect --json w.img | jq -r '.[0].systems[0].hostname')" = RENAMED ]
	[ "$(drydock registry get w.img:/Windows/System32/config/SYSTEM 'ControlSet001\Services\Tcpip\Parameters' Hostname)" = RENAMED ]
	# A bit of the record.
	printf '\1' | dd of=SYSTEM.LOG1 bs=1 seek=1000 conv=notrunc status=none
	MTOOLS_SKIP_CHECK=1 mcopy -o -i w.img@@1M SYSTEM.LOG1 ::/Windows/System32/config/
	run -0 --separate-stderr drydock registry get w.img 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' Hostname
	[ "$output" = WINBOX ]
	[[ $stderr == *"SYSTEM: it was not written to its end, and its log is damaged"* ]]
}

@test "virt-cat takes paths of Windows, and finds the volume of a letter" {
	windows_hives
	make_hive SYSTEM <<-'EOF'
		[Select]
		Current=dword:1
		[MountedDevices]
		\DosDevices\C:=hex(3):785634120000100000000000
		\DosDevices\D:=hex(3):785634120000300200000000
		\DosDevices\E:=hex(3):efbeadde0000100000000000
	EOF
	windows_disk w.img
	truncate -s 1M data.img
	mkfs.vfat data.img >/dev/null
	echo music >a.txt
	MTOOLS_SKIP_CHECK=1 mcopy -i data.img a.txt ::/
	truncate -s 37M w.img
	printf 'label: dos\nlabel-id: 0x12345678\nstart=2048,size=67584,type=c\nstart=71680,size=2048,type=c\n' | sfdisk -q w.img
	dd if=data.img of=w.img bs=1M seek=35 conv=notrunc status=none
	run -0 "$COMPAT/virt-cat" -a w.img 'D:\A.TXT'
	[ "$output" = music ]
	# The system's volume is the root again behind it.
	"$COMPAT/virt-cat" -a w.img d:a.txt 'c:\windows\system32\config\system' '\Windows\System32\config\SYSTEM' >out
	{ cat a.txt SYSTEM SYSTEM; } | cmp - out
	fails_with 1 "drive 'e:' not found" "$COMPAT/virt-cat" -a w.img 'E:\x'
	fails_with 1 "path must start with a / character" "$COMPAT/virt-cat" -a w.img -m /dev/sda1 'C:\x'
}

@test "virt-win-reg prints what the peer prints, and exits as it does" {
	local golden=$BATS_TEST_DIRNAME/golden/win-reg name arguments status failed=0

	windows_hives
	windows_disk w.img
	PATH=$COMPAT:$PATH
	while IFS='|' read -r name arguments; do
		status=0
		sh -c "virt-win-reg --format raw w.img $arguments" >out 2>err </dev/null || status=$?
		echo "exit status $status" >>out
		diff -u "$golden/$name.out" out || failed=1
		if [ -e "$golden/$name.err" ]; then
			diff -u "$golden/$name.err" err || failed=1
		else
			[ ! -s err ] || failed=1
		fi
	done <"$golden/cases"
	[ $failed = 0 ]
}

@test "virt-win-reg takes its options anywhere" {
	windows_hives
	windows_disk w.img
	PATH=$COMPAT:$PATH
	[ "$(virt-win-reg w.img 'HKLM\SYSTEM\Select' Current --form raw)" = 1 ]
	fails_with 255 'no libvirt domain name or disk image given' virt-win-reg --merge
	printf 'x\n' >bad.reg
	fails_with 255 'bad.reg: line 1: it begins neither a key nor a value' virt-win-reg w.img --merge bad.reg
	fails_with 255 'strings are kept in UTF-16LE or in ASCII' virt-win-reg --encoding x --merge w.img
	fails_with 2 'Unknown option: bad' virt-win-reg --bad w.img
	fails_with 255 'no libvirt domain name or disk image given' virt-win-reg
	fails_with 255 'disks of libvirt domains cannot be looked up' virt-win-reg no-such 'HKLM\SYSTEM'
	head -c 1M /dev/zero >zero.img
	fails_with 255 'No operating system could be detected' virt-win-reg zero.img 'HKLM\SYSTEM'
	[ "$(virt-win-reg --short-options)" = "$(printf '%s\n' -c -d '-?')" ]
}

@test "virt-win-reg prints a whole hive as hivexregedit does" {
	requires hivexregedit
	windows_hives
	windows_disk w.img
	hivexregedit --export --prefix 'HKEY_LOCAL_MACHINE\SYSTEM' SYSTEM '\' | tail -n +3 >wanted
	"$COMPAT/virt-win-reg" w.img 'HKLM\SYSTEM' | diff wanted -
	hivexregedit --export --prefix 'HKEY_USERS\ann' NTUSER.DAT '\' | tail -n +3 >wanted
	"$COMPAT/virt-win-reg" w.img 'HKU\ann' | diff wanted -
}

@test "set, delete and merge change a hive, and hivexregedit reads what they made" {
	requires hivexregedit
	kinds k.hive
	drydock registry set --hive k.hive 'Zed\new key' 'a name' 'text é'
	drydock registry set --hive k.hive 'Zed\new key' @ 7 --type dword
	drydock registry set --hive k.hive 'Only\Key'
	drydock registry delete --hive k.hive zed STR
	drydock registry delete --hive k.hive 'Zed\below'
	drydock registry delete --hive k.hive 'no such' key
	printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKLM\\X\\abc]\r\n"m"=hex(7):61,00,\\\r\n  00,00,00,00\r\n"q"=hex(b):01,00,00,00,00,00,00,00\r\n[-HKLM\\X\\Midé]\r\n' |
		iconv -t UTF-16 >m.reg
	drydock registry merge --hive k.hive --prefix 'HKLM\X' m.reg
	hivexregedit --export k.hive '\' >out
	grep -qxF '[\Zed\new key]' out
	grep -qxF '@=dword:00000007' out
	grep -qxF '"a name"=hex(1):74,00,65,00,78,00,74,00,20,00,e9,00,00,00' out
	grep -qxF '[\Only\Key]' out
	grep -qxF '"m"=hex(7):61,00,00,00,00,00' out
	grep -qxF '"dw"=dword:0000002a' out
	! grep -q '"str"\|below\|Mid' out
}

@test "a hive that holds all of it already is not written" {
	requires hivexregedit
	kinds k.hive
	sha256sum k.hive >sum
	drydock registry set --hive k.hive zed DW 42 --type dword
	drydock registry delete --hive k.hive none
	sha256sum -c --quiet sum
	[ "$(drydock registry set -n --hive k.hive zed dw 43 --type dword)" = "k.hive would change" ]
	sha256sum -c --quiet sum
}

@test "a change that makes no sense leaves the hive as it is" {
	requires hivexregedit
	kinds k.hive
	sha256sum k.hive >sum
	fails_with 2 'is no number of 4 bytes' drydock registry set --hive k.hive Zed x y --type dword
	fails_with 2 'set takes KEY' drydock registry set --hive k.hive Zed x
	printf '[Zed]\n"x"=dword:xyz\n' >m.reg
	fails_with 1 'm.reg: line 2: a dword has one to eight hexadecimal digits' drydock registry merge --hive k.hive m.reg
	fails_with 1 'a whole hive is not removed' drydock registry delete --hive k.hive '\'
	fails_with 2 'go with set, delete and merge' drydock registry list --hive k.hive --dry-run
	printf 'no hive' >n.hive
	fails_with 1 'too few for a registry hive' drydock registry set --hive n.hive Zed
	fails_with 1 'No such file' drydock registry set --hive none.hive Zed
	sha256sum -c --quiet sum
	[ -z "$(find . -name '.*drydock*')" ]
}

@test "what the logs of a hive hold is in it when it is changed" {
	requires hivexget
	make_hive SYSTEM <<-'EOF'
		[Key]
		name=sz:WINBOX
	EOF
	make_hive NEWER <<-'EOF'
		[Key]
		name=sz:RENAMED
	EOF
	perl "$BATS_TEST_DIRNAME/make_hive_log.pl" SYSTEM NEWER SYSTEM.LOG1
	mv SYSTEM.LOG1 kept
	sha256sum SYSTEM >sum
	fails_with 1 'start its system and shut it down once' drydock registry set --hive SYSTEM Key other x
	sha256sum -c --quiet sum
	mv kept SYSTEM.LOG1
	drydock registry set --hive SYSTEM Key other x
	# Its own tools know nothing of logs; and for ours they are older now.
	[ "$(hivexget SYSTEM Key name)" = RENAMED ]
	[ "$(hivexget SYSTEM Key other)" = x ]
	run -0 --separate-stderr drydock registry get --hive SYSTEM Key other
	[ "$output" = x ]
	[ -z "$stderr" ]
}
