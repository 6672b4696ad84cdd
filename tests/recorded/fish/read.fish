# What people ask of a guest that is there, in a script.
list-filesystems
list-devices
list-partitions
inspect-get-roots
inspect-get-type /dev/sda2
inspect-get-distro /dev/sda2
inspect-get-major-version /dev/sda2
inspect-get-product-name /dev/sda2
inspect-get-mountpoints /dev/sda2
inspect-get-hostname /dev/sda2
inspect-get-arch /dev/sda2
inspect-get-package-format /dev/sda2
inspect-get-package-management /dev/sda2
mountpoints
vfs-type /dev/sda2
vfs-label /dev/sda2
vfs-uuid /dev/sda2
blockdev-getsize64 /dev/sda2
part-get-parttype /dev/sda
part-list /dev/sda
cat /srv/note
ls /
ls /srv
is-file /srv/note
is-dir /srv/note
is-symlink /srv/link
readlink /srv/link
exists /none
filesize /srv/note
read-lines /etc/fstab
head-n 1 /etc/fstab
tail-n 1 /etc/fstab
head /srv/note
wc-l /etc/fstab
wc-w /etc/fstab
wc-c /etc/fstab
grep LABEL /etc/fstab
find /srv
checksum md5 /srv/note
checksum sha256 /srv/note
checksum crc /srv/note
echo a  'b c' "d\te"
glob echo /srv/n* /srv/*.none
case-sensitive-path /SRV/Note
realpath /srv/link
stat /srv/note
statns /etc/fstab
-cat /none
cat /srv/note | tr a-z A-Z
!echo host
<! echo "echo from the host"
hexdump /srv/note
file-architecture /bin/ls
strings /srv/note
