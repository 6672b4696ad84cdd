# SPDX-License-Identifier: GPL-2.0-or-later
# drydock log: what guests have written down, beside journalctl where it can read it.
load helpers
load guest

remote=/lib/systemd/systemd-journal-remote

setup()
{
	make_folder
	requires mke2fs
	mkdir -p t/etc t/bin t/usr t/var/log
	printf 'ID=debian\nVERSION_ID="12"\n' >t/etc/os-release
}

# guest_of FILE: the tree in t becomes a guest.
guest_of()
{
	mke2fs -q -F -t ext4 -d t "$1" 64M
}

# export_entries SEED N: entries of several boots and units in systemd's export format.
export_entries()
{
	awk -v seed="$1" -v n="$2" 'BEGIN {
		srand(seed)
		t = 1700000000 + seed
		split("ssh cron init", units)
		split("emerg hello long two-lines", kinds)
		long = sprintf("%1500s", "x"); gsub(/ /, "long ", long)
		for (i = 0; i < n; i++) {
			t += 1 + int(rand() * 5)
			boot = int(i * 3 / n)
			printf "__REALTIME_TIMESTAMP=%d%06d\n", t, seed * 1000 + i
			printf "__MONOTONIC_TIMESTAMP=%d%06d\n", t - 1699999000 + boot, seed * 1000 + i
			printf "_BOOT_ID=%032d\n_HOSTNAME=web\nPRIORITY=%d\n", 1000 + boot, int(rand() * 8)
			unit = units[1 + int(rand() * 3)]
			if (unit == "init") printf "SYSLOG_IDENTIFIER=systemd\n_PID=1\nUNIT=ssh.service\n_SYSTEMD_UNIT=init.scope\n"
			else printf "_COMM=%s\n_PID=%d\n_SYSTEMD_UNIT=%s.service\n", unit, 100 + i, unit
			printf "MESSAGE=%s %d%s\n\n", kinds[1 + int(rand() * 4)], i, rand() < 0.2 ? long : ""
		}
	}'
}

make_journals()
{
	requires journalctl
	[ -x "$remote" ] || skip "systemd-journal-remote is not installed"
	J=t/var/log/journal/0123456789abcdef0123456789abcdef
	mkdir -p "$J"
	export_entries 1 300 | "$remote" -o "$J/system.journal" - 2>/dev/null
	export_entries 2 300 | SYSTEMD_JOURNAL_COMPACT=0 "$remote" -o "$J/user-1000.journal" - 2>/dev/null
	export_entries 3 200 | SYSTEMD_JOURNAL_KEYED_HASH=0 "$remote" --compress=no -o "$J/system@old.journal" - 2>/dev/null
	guest_of g.img
}

@test "the journal is shown as journalctl shows it" {
	make_journals
	for args in "" "-n 7" "-b 0" "-b -1" "-b 1" "-u ssh" "-p err" "-b -2 -u cron -p 4 -n 5" "-u init.scope" \
		"-b 00000000000000000000000000001001"; do
		# shellcheck disable=SC2086 # words
		journalctl -D "$J" -o short-iso --utc -q -a --no-pager $args >theirs
		# shellcheck disable=SC2086
		drydock log --utc --source journal $args g.img >ours
		[ -s theirs ]
		same theirs ours
	done
	journalctl -D "$J" -o short-iso --utc -q -a --no-pager --since '2023-11-14 22:20' --until '2023-11-14 22:25' >theirs
	drydock log --utc --since '2023-11-14 22:20' --until 2023-11-14T22:25:00Z g.img >ours
	[ -s theirs ]
	same theirs ours
}

@test "every field of the journal is in JSON" {
	make_journals
	requires jq
	journalctl -D "$J" -o json -q --no-pager --all |
		jq -cS 'to_entries | map(select(.key | startswith("__") | not)) | map([.key, .value]) | sort' >theirs
	drydock log --json g.img | jq -cS '.fields | map([.name, .value]) | sort' >ours
	# journalctl takes the boot from the entry's head.
	same theirs ours
	drydock log --json g.img | jq -r '[.usec, .boot] | join(" ")' >ours
	journalctl -D "$J" -o json -q --no-pager | jq -r '[.__REALTIME_TIMESTAMP, ._BOOT_ID] | join(" ")' >theirs
	same theirs ours
}

@test "a journal that was not closed, and one with a hole in it, are read as far as they are whole" {
	make_journals
	cp "$J/system.journal" whole
	drydock log --source journal g.img | wc -l >before
	printf '\1' | dd of="$J/system.journal" bs=1 seek=16 conv=notrunc status=none
	guest_of g.img
	run --separate-stderr drydock log g.img
	[ "${#lines[@]}" = "$(cat before)" ]
	[ -z "$stderr" ]
	# The fields of some entries are gone.
	off=$(grep -abo 'MESSAGE=hello' "$J/system.journal" | sed -n 9p | cut -d: -f1)
	dd if=/dev/zero of="$J/system.journal" bs=1 seek="$off" count=3000 conv=notrunc status=none
	guest_of g.img
	run --separate-stderr drydock log g.img
	[ "$status" = 0 ]
	[ "${#lines[@]}" -gt 700 ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "drydock: g.img: warning: /var/log/journal/"*"system.journal: "* ]]
}

make_text_guest()
{
	mkdir -p t/var/log/apt
	cat >t/var/log/syslog <<-'EOF'
		2023-11-14T22:13:20.000001+00:00 web sshd[77]: first
		2023-11-14T22:13:24+00:00 web evil: red ESC[31m and ESC]0;title BEL C:\dir	tab
	EOF
	sed -i "s/ESC/$(printf '\033')/g; s/BEL/$(printf '\007')/" t/var/log/syslog
	echo '2023-11-14T22:13:19Z web sshd[77]: rotated' | gzip >t/var/log/syslog.2.gz
	echo '2023-11-14 22:13:22 status installed x:amd64 1.0' >t/var/log/dpkg.log
	guest_of g.img
}

@test "all logs are one stream by time, and nothing in it reaches the terminal raw" {
	make_text_guest
	drydock log g.img | golden "$BATS_TEST_DIRNAME/golden/log-text.out"
	[ "$(drydock log -n 1 --source packages,syslog g.img)" = "$(drydock log g.img | tail -n 1)" ]
	[ "$(drydock log --source packages g.img)" = "2023-11-14T22:13:22+0000 dpkg: status installed x:amd64 1.0" ]
	[ "$(drydock log -u sshd --since 22:13 g.img)" = "" ]
	[ "$(drydock log -u sshd --until '2023-11-14 22:13:20' g.img)" = "2023-11-14T22:13:19+0000 web sshd[77]: rotated" ]
	[ "$(TZ=EST5 drydock log --until '2023-11-14 17:13:20' g.img)" = "2023-11-14T17:13:19-0500 web sshd[77]: rotated" ]
	[ "$(TZ=EST5 drydock log --utc --until 2023-11-14T22:13:20Z g.img)" = "2023-11-14T22:13:19+0000 web sshd[77]: rotated" ]
	drydock log --json g.img | json '[.source, .file, .time, .usec, .host, .identifier, .pid, .message, .image]' |
		golden "$BATS_TEST_DIRNAME/golden/log-json.out"
}

@test "several guests in one call, one of which is none" {
	make_text_guest
	cp g.img h.img
	run -1 --separate-stderr drydock log -n 1 g.img none.img h.img
	[ "${lines[0]}" = "==> g.img <==" ]
	[ "${lines[2]}" = "==> h.img <==" ]
	[[ $stderr == *none.img* ]]
	drydock log --json g.img h.img | json -s 'map(.image) | unique == ["g.img", "h.img"]' | grep -qx true
}

@test "a log that cannot be read is named, and the rest is shown" {
	make_text_guest
	echo '2023-11-14T22:13:18Z web a: cut off' | xz | head -c 50 >t/var/log/syslog.3.xz
	mkdir -p t/var/log/journal/x
	head -c 5000 /dev/zero >t/var/log/journal/x/evil.journal
	ln -s loop t/var/log/loop
	ln -s ../../../etc/shadow t/var/log/auth.log
	guest_of g.img
	run -0 --separate-stderr drydock log g.img
	[ "${#lines[@]}" = 4 ]
	[ "${#stderr_lines[@]}" = 2 ]
	[[ $stderr == *"warning: /var/log/syslog.3.xz: what is compressed by xz there is cut off"* ]]
	[[ $stderr == *"warning: /var/log/journal/x/evil.journal: it is no journal"* ]]
}

@test "options that make no sense are told" {
	make_text_guest
	fails_with 2 "not a time" drydock log --since tomorow g.img
	fails_with 2 "not a time" drydock log --until 2023-13-01 g.img
	fails_with 2 "not a priority" drydock log -p loud g.img
	fails_with 2 "not a source" drydock log --source journal,sysloge g.img
	fails_with 1 "there is no boot -1 among the 0" drydock log -b -1 g.img
	fails_with 2 "neither the ID nor the number" drydock log -b last g.img
	fails_with 2 "name an image" drydock log
}

# windows_guest FILE: a Windows whose System.evtx has the two records of the fuzzer's seed.
windows_guest()
{
	local logs=t/Windows/System32/winevt/Logs

	rm -r t
	mkdir -p "$logs" t/Windows/System32/config
	printf MZ >t/Windows/System32/cmd.exe
	truncate -s $((4096 + 65536)) "$logs/System.evtx"
	while read -r at bytes; do
		# shellcheck disable=SC2059 # escapes are meant
		printf "$bytes" | dd of="$logs/System.evtx" bs=1 seek="$at" conv=notrunc status=none
	done <<-'EOF'
		0 ElfFile
		38 \3\0\0\20\1
		120 \1
		4096 ElfChnk
	EOF
	dd if="$TOP/tests/fuzz/corpus/evtx/service" of="$logs/System.evtx" bs=512 seek=9 conv=notrunc status=none
	echo old >t/Windows/System32/config/SysEvent.Evt
	guest_of "$1"
}

@test "the event logs of Windows, as text, as JSON and under the name virt-log" {
	windows_guest w.img
	run -0 --separate-stderr drydock log w.img
	[ "${#lines[@]}" = 2 ]
	[ "${lines[0]}" = "2023-11-14T22:13:21+0000 PC Service Control Manager[77]: 7036: param1=Windows Update, ab, cd" ]
	[ "$stderr" = "drydock: w.img: warning: /Windows/System32/config/SysEvent.Evt: event logs of Windows XP and before are not read" ]
	[ "$(drydock log -p warning w.img 2>/dev/null)" = "" ]
	[ "$(drydock log -u 'Service*' -n 1 w.img 2>/dev/null)" = "${lines[1]}" ]
	drydock log --json w.img 2>/dev/null | json '[.source, .priority, (.fields | map(select(.name == "Computer"))[0].value)]' >facts
	[ "$(head -n 1 facts)" = '["evtx",6,"PC"]' ]
	run -0 --separate-stderr "$COMPAT/virt-log" -a w.img
	[ "${lines[0]}" = '<?xml version="1.1" encoding="utf-8" standalone="yes" ?>' ]
	[[ $output == *"<Events>"*'<Data Name="param1">Windows Update</Data>'*'<Data Name="param1">a&lt;b&gt;&amp;</Data>'*"</Events>" ]]
	rm t/Windows/System32/winevt/Logs/System.evtx
	guest_of w.img
	fails_with 1 "Windows Event Log file (/Windows/System32/winevt/Logs/System.evtx) not found" "$COMPAT/virt-log" -a w.img
}
