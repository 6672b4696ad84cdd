# shellcheck shell=bash disable=SC2034 # a reason is for those who source this
# SPDX-License-Identifier: GPL-2.0-or-later
#
# changed.bash - guests that are customized and sysprepped, and what has become of them.  Sourced by guests.bash.
#
#   on DISK TOOL OPTION...      what the tool says and does to a copy of DISK.img: what came, went and has other modes, owners and
#                               targets, and the lines of files that differ
#   templates                   things of the host for operations to take, in the folder h

# What each path is, but for its times and a folder's size; and what files hold.
changes_of()
{
	"$BUILD/drydock" find -l -f raw "$1:/" | awk '{
		mode = $1; uid = $3; gid = $4
		$1 = $2 = $3 = $4 = $5 = $6 = $7 = ""
		sub(/^ +\//, "")
		print $0 "\t" mode " " uid ":" gid
	}' | sort >"$2.modes"
	"$BUILD/drydock" hash -f raw "$1:/" | awk '{ sum = $1; $1 = ""; sub(/^ /, ""); print $0 "\t" sum }' | sort >"$2.sums"
}

changes()
{
	local path
	changes_of "$1" old
	changes_of x.img new
	diff old.modes new.modes | sed -n 's/^[<>] /&/p' | LC_ALL=C sort -t ' ' -k 2
	sort old.sums new.sums | uniq -u | cut -f 1 | uniq | while IFS= read -r path; do
		printf -- '--- %s\n' "$path"
		case $path in *random-seed) continue ;; esac
		"$BUILD/drydock" cat -f raw "$1:/$path" >old.file 2>/dev/null || :
		"$BUILD/drydock" cat -f raw "x.img:/$path" >new.file 2>/dev/null || :
		diff -a old.file new.file | grep -a '^[<>\\]' | head -n 60
	done
	rm -f old.* new.*
}

on()
{
	local disk=$1.img tool=$2

	cp "$disk" x.img
	shift 2
	"$tool" -a x.img "$@" </dev/null >told 2>told.err
	echo "status $?"
	sed -E 's/^\[ *[0-9.]+\] //' told
	[ ! -s told.err ] || echo "and a sentence about what is wrong"
	changes "$disk"
	rm -f x.img told told.err
}

templates()
{
	rm -rf h
	mkdir -p h/tree/sub h/tree/empty
	printf 'one\n' >h/tree/one
	printf '\0\1\2' >h/tree/sub/bytes
	ln -s one h/tree/link
	printf 'uploaded\n' >h/file
	printf '#!/bin/sh\necho "script in $(cat /etc/hostname)" >/srv/script\n' >h/script
	printf 'secret\nsecond\n' >h/password
	printf 'ssh-ed25519 AAAAfile of a file\n' >h/key.pub
	printf '# all of it\nwrite /srv/listed:a \\\n   b\nmkdir /srv/by-list\n\nappend-line /srv/note:listed\n' >h/commands
	chmod -R go-w h
	chmod 640 h/file
}

# What operations look at, of a system that has a shell.
system_files()
{
	local b

	have busybox || return 1
	rm -rf t/bin/ls
	cp "$(command -v busybox)" t/bin/busybox
	for b in sh cat ls id true false touch echo chmod chown mkdir rm; do ln -s busybox t/bin/$b; done
	printf 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\nnosh:x:1001:1001::/srv/nosh:/bin/false\n' |
		file etc/passwd
	printf 'root:*:19000:0:99999:7:::\nann:$6$salt$hash:19000:0:99999:7:::\nnosh:!:19000::::::\n' | file etc/shadow
	printf 'root:x:0:\nann:x:1000:\nnosh:x:1001:\n' | file etc/group
	printf '127.0.0.1\tlocalhost\n127.0.1.1\tguest1.example.org\tguest1\n::1 localhost ip6-localhost\n' | file etc/hosts
	printf 'key\n' | file etc/ssh/sshd_config
	printf 'TZif2 of Berlin\n' | file usr/share/zoneinfo/Europe/Berlin
	printf 'TZif2 of UTC\n' | file usr/share/zoneinfo/Etc/UTC
	ln -s /usr/share/zoneinfo/Etc/UTC t/etc/localtime
	printf 'seed\n' | file var/lib/systemd/random-seed
	mkdir -p t/etc/systemd/system t/home/ann t/srv/nosh t/dev t/proc t/sys t/usr/lib/systemd t/var/tmp
	cp t/bin/busybox t/usr/lib/systemd/systemd
	truncate -s 4k t/usr/lib/systemd/systemd
	printf 'first\nsecond\nthird cdrom cdrom\n' | file srv/note
	printf 'no newline' | file srv/open
	printf 'x\n' | file srv/tree/a
	printf 'y\n' | file srv/tree/sub/b
	ln -s a t/srv/tree/link
	printf '1\n' | file srv/many/1.tmp
	printf '2\n' | file srv/many/2.tmp
	printf '3\n' | file srv/many/3.keep
}

# Owners and modes, where they matter, are given within the filesystem, as who makes it need not be root.
# owned FILE <"PATH UID GID MODE"...
owned()
{
	local path uid gid mode

	while read -r path uid gid mode; do
		printf 'sif %s uid %s\nsif %s gid %s\n' "$path" "$uid" "$path" "$gid"
		[ -z "$mode" ] || printf 'sif %s mode %s\n' "$path" "$mode"
	done | debugfs -w -f - "$1" >/dev/null 2>&1
}

system_owned()
{
	owned "$1" <<-END
		/etc/shadow 0 42 0100640
		/home/ann 1000 1000 040700
		/srv/nosh 1001 1001 040755
		/tmp 0 0 041777
		/var/tmp 0 0 041777
	END
}

guest_template()
{
	debian_files
	system_files || return 1
	printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' $A | file etc/fstab
	echo Etc/UTC | file etc/timezone
	fs root.fs 14M $A root && system_owned root.fs && one_partition template.img root.fs
}

fedora_files()
{
	tree
	file etc/os-release <<-'END'
		NAME="Fedora Linux"
		VERSION="38 (Server Edition)"
		ID=fedora
		VERSION_ID=38
		PRETTY_NAME="Fedora Linux 38 (Server Edition)"
	END
	echo 'Fedora release 38 (Thirty Eight)' | file etc/fedora-release
	ln -s fedora-release t/etc/redhat-release
	echo 'guest1' | file etc/hostname
	elf t/usr/bin/ls 2 76
}

guest_templatef()
{
	fedora_files
	system_files || return 1
	rm t/etc/localtime
	ln -s ../usr/share/zoneinfo/Etc/UTC t/etc/localtime
	mkdir -p t/etc/sysconfig/network-scripts
	printf 'UUID=%s / ext4 defaults 0 1\n' $A | file etc/fstab
	printf 'ZONE="Etc/UTC"\nUTC=true\n' | file etc/sysconfig/clock
	printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' | file etc/selinux/config
	fs root.fs 14M $A root && system_owned root.fs && one_partition templatef.img root.fs
}

# A system before systemd: RHEL 6.
guest_templateo()
{
	tree
	echo 'Red Hat Enterprise Linux Server release 6.10 (Santiago)' | file etc/redhat-release
	printf 'NETWORKING=yes\nHOSTNAME=old.example.com\n' | file etc/sysconfig/network
	elf t/usr/bin/ls 2 76
	system_files || return 1
	rm -r t/etc/systemd t/usr/lib/systemd
	mkdir -p t/etc/rc.d/rc2.d t/etc/rc.d/rc3.d t/etc/rc.d/rc5.d t/etc/rc.d/init.d
	ln -s rc.d/init.d t/etc/init.d
	ln -s rc.d/rc2.d t/etc/rc2.d
	ln -s rc.d/rc3.d t/etc/rc3.d
	ln -s rc.d/rc5.d t/etc/rc5.d
	printf 'UUID=%s / ext4 defaults 0 1\n' $A | file etc/fstab
	fs root.fs 14M $A root && system_owned root.fs && one_partition templateo.img root.fs
}

# ---- what a machine has gathered, for sysprep ----

# used PATH...: a file each
used()
{
	local path

	for path; do printf 'of this machine\n' | file "$path"; done
}

# Something for each operation, and beside it what stays.
used_files()
{
	# abrt-data backup-files bash-history blkid-tab
	used var/spool/abrt/ccpp-1/coredump var/spool/abrt/last etc/a~ etc/sub/b.bak root/c~ srv/d.bak var/lib/e~ usr/f~ home/ann/g~ \
		root/.bash_history home/ann/.bash_history srv/nosh/.bash_history home/other/.bash_history var/run/blkid.tab \
		var/run/blkid.tab.old etc/blkid/blkid.tab etc/blkid.tab etc/blkid.tab.old etc/sub/keep.txt tmp/h~
	# ca-certificates crash-data cron-spool
	used etc/pki/CA/certs/mine.crt etc/pki/CA/private/mine.key etc/pki/CA/crl/x etc/pki/CA/newcerts/y etc/pki/tls/private/own.key \
		etc/pki/tls/certs/own.crt etc/pki/tls/certs/ca-bundle.crt etc/pki/tls/certs/ca-bundle.trust.crt etc/pki/tls/certs/cab.crt \
		etc/pki/tls/certs/make.sh etc/ssl/certs/a.pem etc/ssl/private/b.key usr/local/share/ca-certificates/mine.crt \
		var/crash/127.0.0.1-now/vmcore var/crash/one var/log/dump/1 var/spool/cron/root var/spool/cron/crontabs/ann \
		var/spool/cron/tabs/ann var/spool/cron/atjobs/a var/spool/cron/atjobs/.SEQ var/spool/cron/atspool/b var/spool/cron/lastrun/c \
		var/spool/at/d var/spool/at/.SEQ var/spool/at/spool/e var/spool/atjobs/f var/spool/atjobs/.SEQ var/spool/atspool/g
	# dhcp-client-state dhcp-server-state dovecot-data firewall-rules ipa-client kerberos-data kerberos-hostkeytab
	used var/lib/dhclient/dhclient.leases var/lib/dhcp/dhclient.eth0.leases var/lib/dhcp/sub/x var/lib/NetworkManager/a.lease \
		var/lib/NetworkManager/timestamps var/lib/dhcpcd/b.lease var/lib/dhcpd/dhcpd.leases var/lib/dovecot/instances \
		etc/sysconfig/iptables etc/sysconfig/ip6tables etc/firewalld/services/mine.xml etc/firewalld/zones/public.xml \
		etc/firewalld/firewalld.conf etc/ipa/ca.crt etc/ipa/default.conf var/lib/ipa-client/sysrestore/s \
		var/lib/ipa-client/pki/p var/kerberos/krb5kdc/principal var/kerberos/krb5kdc/principal.ok var/kerberos/krb5kdc/.k5.REALM \
		var/kerberos/krb5kdc/kdc.conf var/lib/krb5kdc/principal etc/krb5.keytab etc/krb5.conf
	# logfiles
	used var/log/syslog var/log/syslog.1 var/log/messages var/log/messages-2020 var/log/boot.log var/log/sub/other.log var/log/wtmp \
		var/log/btmp.1 var/log/lastlog var/log/dmesg var/log/dmesg.0 var/log/journal/0123/system.journal var/log/apt/history.log \
		var/log/apt/term.log var/log/audit/audit.log var/log/installer/status var/log/httpd/access_log var/log/apache2/error_log \
		var/log/apache2/error_log-1 var/log/cups/access_log.1 var/log/secure var/log/maillog var/log/mail/info var/log/cron \
		var/log/tuned/tuned.log var/log/libvirt/qemu/a.log var/log/kern.keep var/log/anaconda/x var/log/anaconda.syslog \
		var/log/glusterfs/glusterfs.log var/log/ntpstats/a var/log/sa/sa01 var/log/gdm/0 var/log/ceph/c.log var/log/debug \
		var/log/aptitude var/log/xferlog var/log/rhsm/r root/anaconda-ks.cfg root/install.log root/install.log.syslog \
		root/original-ks.cfg root/anaconda-post.log root/initial-setup-ks.cfg var/cache/fontconfig/f var/cache/gdm/g var/cache/man/h \
		var/lib/logrotate.status var/lib/logrotate/status var/lib/AccountService/users/u var/lib/fprint/v var/named/data/named.run \
		etc/Pegasus/a.cnf etc/Pegasus/b.crt var/log/squid/access.log var/log/ConsoleKit/history var/log/firewalld \
		var/log/grubby_prune_debug var/log/lightdm/l.log var/log/exim4/mainlog var/log/chrony/m.log var/log/BackupPC/LOG \
		var/log/faillog var/log/tallylog var/log/ppp/connect-errors var/log/setroubleshoot/s.log var/log/spooler \
		var/log/jetty/jetty-console.log var/log/ntp var/log/libvirt/libvirtd.log var/log/libvirt/libxl/x.log \
		var/log/libvirt/lxc/y.log var/log/libvirt/uml/z.log var/log/glusterfs/a-glusterd.vol.log
	# machine-id mail-spool net-* pacct-log package-manager-cache
	printf '0123456789abcdef0123456789abcdef\n' | file etc/machine-id
	printf '0123456789abcdef0123456789abcdef\n' | file var/lib/dbus/machine-id
	used var/spool/mail/ann var/mail/root var/account/pacct var/account/pacct-1.gz var/account/pacct.0 var/log/account/pacct \
		var/log/account/pacct.1.gz var/cache/apt/archives/a.deb var/cache/apt/archives/partial/b.deb var/cache/apt/archives/lock \
		var/cache/apt/pkgcache.bin var/cache/apt/srcpkgcache.bin var/cache/dnf/x/y var/cache/yum/z var/cache/zypp/w \
		var/cache/zypper/v etc/NetworkManager/system-connections/wifi.nmconnection etc/NetworkManager/system-connections/keep
	printf 'DEVICE=eth0\nHWADDR=52:54:00:00:00:01\nHOSTNAME=me\nDHCP_HOSTNAME=me\nONBOOT=yes\n' |
		file etc/sysconfig/network-scripts/ifcfg-eth0
	printf 'DEVICE=lo\n' | file etc/sysconfig/network-scripts/ifcfg-lo
	# pam-data passwd-backups puppet-data-log rh-subscription-manager rhn-systemid rpm-db samba-db-log
	used var/run/console/a var/run/faillock/b var/run/sepermit/c var/lib/faillock/d etc/passwd- etc/shadow- etc/group- etc/gshadow- \
		etc/subuid- etc/subgid- var/log/puppet/a.log var/lib/puppet/ssl/b.pem var/lib/puppet/state/c etc/pki/consumer/cert.pem \
		etc/pki/entitlement/1.pem var/lib/rhsm/r etc/sysconfig/rhn/systemid etc/sysconfig/rhn/osad-auth.conf \
		etc/sysconfig/rhn/up2date var/lib/rpm/__db.001 var/lib/rpm/Packages var/log/samba/old/a var/log/samba/log.smbd \
		var/lib/samba/secrets.tdb var/lib/samba/private/passdb.tdb var/lib/samba/private/sub/x var/cache/samba/y \
		var/cache/samba/msg/z
	# smolt-uuid ssh-* sssd-db-log tmp-files udev-persistent-net utmp yum-uuid
	used etc/sysconfig/hw-uuid etc/smolt/uuid etc/smolt/hw-uuid etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_rsa_key.pub \
		root/.ssh/id_rsa home/ann/.ssh/authorized_keys srv/nosh/.ssh/known_hosts home/other/.ssh/config var/log/sssd/a \
		var/lib/sss/db/cache.ldb var/lib/sss/mc/keep tmp/file tmp/.hidden tmp/dir/file var/tmp/x var/tmp/.y/z \
		etc/udev/rules.d/70-persistent-net.rules etc/udev/rules.d/99-mine.rules var/run/utmp var/lib/yum/uuid \
		var/lib/yum/history/h root/.zsh_history
}

# Where the peer looks for which numbers are those of people, and what it runs for certificates.
used_programs()
{
	printf '# UID_MIN 1\nUID_MIN\t\t 1000\nUID_MAX 60000\nSYS_UID_MIN 100\n' | file etc/login.defs
	printf '#!/bin/sh\necho "$0 $*" >>/srv/certificates\n' | file "$1"
	chmod 755 "t/$1"
}

# More accounts than the template's: one of the system, one that comes from elsewhere.
used_accounts()
{
	printf 'sys:x:500:500::/var/lib/sys:/bin/false\nbob:x:1002:1002::/home/bob:/bin/sh\n' >>t/etc/passwd
	printf 'nobody:x:65534:65534::/nonexistent:/bin/false\n' >>t/etc/passwd
	printf 'sys:!:19000::::::\nbob:$1$x$y:19000:0:99999:7:::\nnobody:*:19000::::::\n' >>t/etc/shadow
	printf 'sys:x:500:\nbob:x:1002:ann\nwheel:x:10:root,ann,bob\nnogroup:x:65534:\n' >>t/etc/group
	printf 'root:*::\nann:!::\nwheel:!::ann,bob\n' | file etc/gshadow
	printf 'ann:100000:65536\nbob:165536:65536\n' | file etc/subuid
	printf 'ann:100000:65536\nbob:165536:65536\n' | file etc/subgid
	used home/bob/file
}

guest_used()
{
	debian_files
	system_files || return 1
	used_files
	used_accounts
	used_programs usr/sbin/update-ca-certificates
	printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' $A | file etc/fstab
	fs root.fs 16M $A root -N 2048 && system_owned root.fs && one_partition used.img root.fs
}

guest_usedf()
{
	fedora_files
	system_files || return 1
	used_files
	used_accounts
	used_programs usr/bin/update-ca-trust
	printf 'UUID=%s / ext4 defaults 0 1\n' $A | file etc/fstab
	fs root.fs 16M $A root -N 2048 && system_owned root.fs && one_partition usedf.img root.fs
}

export -f changes changes_of on templates
