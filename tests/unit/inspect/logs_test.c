/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logs_test.c - text logs of syslog and package managers, records of logins, time zones, and how all are merged. */
#include "testing.h"

#include "alloc.h"
#include "logs.h"
#include "tree.h"
#include "zone.h"

#include <inttypes.h>
#include <string.h>

struct told {
	struct strbuf text, failed;
};

/* "seconds host identifier[pid]<priority>: message"; the scripts are run in the guest's /var/log */
static int on_entry(void *arg, const struct log_entry *ent, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%" PRId64 " ", ent->usec / 1000000);
	if (ent->host)
		strbuf_printf(&t->text, "%s ", ent->host);
	strbuf_puts(&t->text, ent->identifier ? ent->identifier : "-");
	if (ent->pid)
		strbuf_printf(&t->text, "[%s]", ent->pid);
	if (ent->priority >= 0)
		strbuf_printf(&t->text, "<%d>", ent->priority);
	strbuf_printf(&t->text, ": %.60s\n", ent->message);
	if (strlen(ent->message) > ent->message_len)
		ck_abort_msg("a message of %zu bytes, not %zu", strlen(ent->message), ent->message_len);
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->failed, "%s: %s\n", path, why->msg);
	return 0;
}

static const struct log_query everything = { .max_priority = -1 };

static void tells_of(const struct log_query *q, const char *script, const char *wanted, const char *failed)
{
	struct told t = { STRBUF_INIT, STRBUF_INIT };
	const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &t };
	char whole[2800];
	struct vfs *v;

	snprintf(whole, sizeof whole, "mkdir -p var/log; cd var/log\n%s\ncd ../..", script);
	v = tree(whole);
	ok(log_walk(v, q, &w, &e));
	ck_assert_str_eq(t.text.s, wanted);
	ck_assert_str_eq(t.failed.s, failed);
	strbuf_free(&t.text);
	strbuf_free(&t.failed);
	vfs_free(v);
}

static void tells(const char *script, const char *wanted)
{
	tells_of(&everything, script, wanted, "");
}

START_TEST(syslog_lines_are_read_in_both_ways_of_writing_the_time)
{
	tells("cat >syslog <<'X'\n"
		  "2023-11-14T23:13:20.123456+01:00 web sshd[77]: Accepted key\n"
		  "<34>2023-11-14T22:13:21Z web kernel: [    0.1] up\n"
		  "  more of it\n"
		  "2023-11-14T22:13:22Z web words without a tag\n"
		  "X\ncat >auth.log <<'X'\nNov 14 22:13:23 web sudo:  ann : TTY=pts/0\nX\n"
		  "touch -d '2023-11-15 UTC' auth.log; echo no >kern.log",
	      "1700000000 web sshd[77]: Accepted key\n1700000001 web kernel<2>: [    0.1] up\n1700000001 -:   more of it\n"
	      "1700000002 web -: words without a tag\n1700000003 web sudo:  ann : TTY=pts/0\n");
}
END_TEST

START_TEST(years_that_are_not_written_are_found)
{
	tells("printf 'Dec 31 23:59:59 web a: old\\nJan  1 00:00:01 web a: new\\nDec 31 23:59:59 web a: late\\n' >messages\n"
		  "touch -d '2022-01-01 00:00:02 UTC' messages\n"
		  "printf 'Feb 29 12:00:00 web a: leap\\n' | gzip >messages.1.gz; touch -d '2020-03-01 UTC' messages.1.gz",
	      "1582977600 web a: leap\n1640995199 web a: old\n1640995201 web a: new\n1640995199 web a: late\n");
}
END_TEST

START_TEST(rotated_files_are_read_from_the_oldest_on_whatever_they_are_compressed_by)
{
	tells("l() { echo \"2023-11-14T22:13:2$1Z h p: $1\"; }\n"
		  "l 9 >messages; l 8 >messages.0; l 7 >messages.1; l 6 | gzip >messages.2.gz; l 5 | xz >messages.10.xz\n"
		  "l 4 | zstd -q >messages-20231114.zst; { l 2 | gzip; l 3 | gzip; } >messages-20231113-1699833600\n"
		  "l 1 >messages-20231113; l 0 >messages.old; l 0 >messagesx",
	      "1700000001 h p: 1\n1700000002 h p: 2\n1700000003 h p: 3\n1700000004 h p: 4\n1700000005 h p: 5\n"
	      "1700000006 h p: 6\n1700000007 h p: 7\n1700000008 h p: 8\n1700000009 h p: 9\n");
}
END_TEST

START_TEST(what_is_damaged_is_told_and_the_rest_is_read)
{
	tells_of(&everything,
		 "l() { echo \"2023-11-14T22:13:2$1Z h p: $1\"; }\n"
		     "l 3 >syslog; l 1 | xz | head -c 40 >syslog.3.xz\n"
		     "{ l 1; l 2; } | gzip >syslog.2.gz; printf x | dd of=syslog.2.gz bs=1 seek=60 conv=notrunc\n"
		     "printf 'BZh91AY' >syslog.1.bz2",
		 "1700000001 h p: 1\n1700000002 h p: 2\n1700000003 h p: 3\n",
		 "/var/log/syslog.3.xz: what is compressed by xz there is cut off\n"
		 "/var/log/syslog.2.gz: what is compressed by gzip there is damaged\n"
		 "/var/log/syslog.1.bz2: logs that are compressed by bzip2 are not read\n");
}
END_TEST

START_TEST(a_bomb_and_a_hole_are_not_read_to_their_ends)
{
	tells_of(&everything,
		 "head -c 200M /dev/zero | xz -1 >syslog.1.xz; truncate -s 100G syslog\n"
		     "printf '2023-11-14T22:13:20Z h p: end\\n' >>syslog; truncate -s 1T syslog",
		 "1700000000 h p: end\n", "/var/log/syslog.1.xz: more comes out of it than 256 times its size\n");
}
END_TEST

START_TEST(lines_that_are_too_long_are_cut)
{
	tells("{ printf '2023-11-14T22:13:20Z h p: '; head -c 300000 /dev/zero | tr '\\0' x\n"
		  "printf '\\n2023-11-14T22:13:21Z h p: next\\n\\0\\0\\0002023-11-14T22:13:22Z h p: behind NULs'; } >syslog",
	      "1700000000 h p: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
	      "1700000001 h p: next\n1700000002 h p: behind NULs\n");
}
END_TEST

START_TEST(package_managers_tell_what_they_did)
{
	tells("mkdir apt zypp\n"
		  "echo '2023-11-14 22:13:20 status installed zlib1g:amd64 1:1.2.13' >dpkg.log\n"
		  "printf '\\nStart-Date: 2023-11-14  22:13:21\\nCommandline: apt install x\\nInstall: x:amd64 (1.0)\\n"
		  "End-Date: 2023-11-14  22:13:22\\n' >apt/history.log\n"
		  "echo '2023-11-14T23:13:23+0100 SUBDEBUG Installed: zlib-1.x86_64' >dnf.rpm.log\n"
		  "echo '2023-11-14T22:13:24+0000 [77] ERROR no such thing' >dnf5.log\n"
		  "printf '# 2023-11-14 22:13:25 zlib-1.rpm installed ok\\n# Additional\\n' >zypp/history\n"
		  "echo '2023-11-14 22:13:26|install|zlib|1.3|x86_64|' >>zypp/history\n"
		  "echo '[2023-11-14T22:13:27+0000] [ALPM] installed zlib (1.3-1)' >pacman.log\n"
		  "printf 'Running `apk add at x` at 2023-11-14 22:13:28\\n(1/1) Installing zlib (1.3.1-r0)\\n' >apk.log\n"
		  "echo 'Nov 14 22:13:29 Installed: zlib-1.x86_64' >yum.log; touch -d '2023-12-01 UTC' yum.log",
	      "1700000000 dpkg: status installed zlib1g:amd64 1:1.2.13\n1700000001 apt: Commandline: apt install x\n"
	      "1700000001 apt: Install: x:amd64 (1.0)\n1700000003 dnf<6>: Installed: zlib-1.x86_64\n"
	      "1700000004 dnf5[77]<3>: no such thing\n1700000005 zypp: zlib-1.rpm installed ok\n1700000005 zypp: # Additional\n"
	      "1700000006 zypp: install|zlib|1.3|x86_64|\n1700000007 pacman: [ALPM] installed zlib (1.3-1)\n"
	      "1700000008 apk: Running `apk add at x` at 2023-11-14 22:13:28\n"
	      "1700000008 apk: (1/1) Installing zlib (1.3.1-r0)\n1700000009 yum: Installed: zlib-1.x86_64\n");
}
END_TEST

START_TEST(audit_and_cloud_init_have_logs_too)
{
	tells("mkdir audit\n"
	      "echo 'type=LOGIN msg=audit(1700000000.250:77): pid=1 res=failed' >audit/audit.log\n"
	      "echo 'type=LOGIN msg=audit(17000000001234567890.250:77): no time' >>audit/audit.log\n"
	      "echo '2023-11-14 22:13:21,500 - util.py[WARNING]: no network' >cloud-init.log",
	      "1700000000 audit: type=LOGIN msg=audit(1700000000.250:77): pid=1 res=failed\n"
	      "1700000000 audit: type=LOGIN msg=audit(17000000001234567890.250:77): no time\n"
	      "1700000001 cloud-init<4>: util.py[WARNING]: no network\n");
}
END_TEST

/* put OFFSET: its input goes into the record at that place */
#define RECORD                                                                                                         \
	"record() { head -c $1 /dev/zero >r; }; put() { dd of=r bs=1 seek=$1 conv=notrunc status=none; }\n"             \
	"le() { printf \"\\\\$(printf %03o $(($1 & 255)))\\\\$(printf %03o $(($1 >> 8 & 255)))"                         \
	"\\\\$(printf %03o $(($1 >> 16 & 255)))\\\\$(printf %03o $(($1 >> 24 & 255)))\"; }\n"

START_TEST(logins_and_boots_are_read_and_those_that_failed)
{
	tells(RECORD "record 384; le 2 | put 0; printf 6.1.0 | put 76; le 1700000000 | put 340; cat r >>wtmp\n"
			 "record 384; le 7 | put 0; le 77 | put 4; printf pts/0 | put 8; printf ann | put 44\n"
			 "printf 192.0.2.1 | put 76; le 1700000001 | put 340; cat r >>wtmp\n"
			 "record 384; le 8 | put 0; le 77 | put 4; printf pts/0 | put 8; le 1700000002 | put 340; cat r >>wtmp\n"
			 "record 384; le 9999 | put 0; le 1700000003 | put 340; cat r >>wtmp; printf cut >>wtmp\n"
			 "record 400; le 6 | put 0; le 78 | put 4; printf root | put 44; printf ssh:notty | put 8\n"
			 "le 1700000003 | put 344; cat r >btmp; rm r",
	      "1700000000 wtmp: boot of Linux 6.1.0\n1700000001 wtmp[77]: login of ann on pts/0 from 192.0.2.1\n"
	      "1700000002 wtmp[77]: logout on pts/0\n1700000003 btmp[78]: failed login of root on ssh:notty\n");
}
END_TEST

START_TEST(only_what_is_wanted_is_given)
{
	static const char script[] = "cat >syslog <<'X'\n"
					 "<30>2023-11-14T22:13:20Z h sshd[1]: a\n<27>2023-11-14T22:13:21Z h cron: b\n"
					 "<31>2023-11-14T22:13:22Z h sshd: c\nX\necho '2023-11-14 22:13:23 d' >dpkg.log";
	const char *const units[] = { "ssh*.service" };
	struct log_query q = { .max_priority = -1, .units = units, .nunits = 1 };

	tells_of(&q, script, "1700000000 h sshd[1]<6>: a\n1700000002 h sshd<7>: c\n", "");
	q = (struct log_query){ .max_priority = 6 };
	tells_of(&q, script, "1700000000 h sshd[1]<6>: a\n1700000001 h cron<3>: b\n", "");
	q = (struct log_query){ .max_priority = -1, .has_since = true, .has_until = true, .since = 1700000001000000,
				.until = 1700000002000000 };
	tells_of(&q, script, "1700000001 h cron<3>: b\n1700000002 h sshd<7>: c\n", "");
	q = (struct log_query){ .max_priority = -1, .sources = 1 << LOG_PACKAGES };
	tells_of(&q, script, "1700000003 dpkg: d\n", "");
}
END_TEST

START_TEST(local_times_are_those_of_the_guest)
{
	/* By the rule behind the last change: zic of today writes no changes to come. */
	tells("cat >z <<'X'\nRule E 1996 max - Mar lastSun 1:00u 1:00 S\nRule E 1996 max - Oct lastSun 1:00u 0 -\n"
	      "Zone T 1:00 E CE%sT\nX\nzic -b slim -d . z; mv T ../../etc/localtime; rm z\n"
	      "printf '2023-07-01 12:00:00 a\\n2023-12-01 12:00:00 b\\n2023-10-29 02:30:00 c\\n' >dpkg.log",
	      "1688205600 dpkg: a\n1701428400 dpkg: b\n1698539400 dpkg: c\n");
}
END_TEST

START_TEST(zones_that_lie_are_none)
{
	char bytes[200] = { 0 };
	struct zone z;
	size_t len = 0;

	/* Two heads that count one type each, which is zeros, as UTC is. */
	for (size_t at = 0; at <= 50; at += 50) {
		memcpy(bytes + at, "TZif2", 5);
		bytes[at + 39] = 1;
	}
	len = 100;
	ck_assert(zone_parse(bytes, len, &z));
	ck_assert_int_eq(zone_offset(&z, 0), 0);
	zone_free(&z);
	for (size_t i = 0; i < len; i++)
		ck_assert(!zone_parse(bytes, i, &z));
	memset(bytes + 50 + 20, 0xff, 24);
	ck_assert(!zone_parse(bytes, len, &z));
	memset(bytes + 20, 0xff, 24);
	ck_assert(!zone_parse(bytes, len, &z));
}
END_TEST

TEST_MAIN("logs", syslog_lines_are_read_in_both_ways_of_writing_the_time, years_that_are_not_written_are_found,
	  rotated_files_are_read_from_the_oldest_on_whatever_they_are_compressed_by, what_is_damaged_is_told_and_the_rest_is_read,
	  a_bomb_and_a_hole_are_not_read_to_their_ends, lines_that_are_too_long_are_cut, package_managers_tell_what_they_did,
	  audit_and_cloud_init_have_logs_too, logins_and_boots_are_read_and_those_that_failed, only_what_is_wanted_is_given,
	  local_times_are_those_of_the_guest, zones_that_lie_are_none)
