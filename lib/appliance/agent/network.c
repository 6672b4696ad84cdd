/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.c - the network of a machine that was given one: QEMU's own, which is the same in each of them and asks nobody.
 *
 *	10.0.2.15/24	the machine		10.0.2.2	the way out		10.0.2.3	who knows names
 */
#include "agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr address(const char *text)
{
	union {
		struct sockaddr_in in;
		struct sockaddr any;
	} a = { .in = { .sin_family = AF_INET } };

	inet_pton(AF_INET, text, &a.in.sin_addr);
	return a.any;
}

static int interface_up(int sock, const char *name, const char *addr, const char *mask)
{
	struct ifreq r = { .ifr_addr = address(addr) };

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (ioctl(sock, SIOCSIFADDR, &r) < 0)
		return errno;
	r.ifr_netmask = address(mask);
	if (ioctl(sock, SIOCSIFNETMASK, &r) < 0)
		return errno;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(sock, SIOCSIFFLAGS, &r) < 0 ? errno : 0;
}

int network_begin(struct agent *a)
{
	const struct rtentry way = { .rt_dst = address("0.0.0.0"), .rt_genmask = address("0.0.0.0"),
				     .rt_gateway = address("10.0.2.2"), .rt_flags = RTF_UP | RTF_GATEWAY };
	int rc = modules_load(a, "net"), sock;

	if (rc)
		return rc;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return errno;
	rc = interface_up(sock, "lo", "127.0.0.1", "255.0.0.0");
	if (rc == 0)
		rc = interface_up(sock, "eth0", "10.0.2.15", "255.255.255.0");
	if (rc == 0 && ioctl(sock, SIOCADDRT, &way) < 0)
		rc = errno;
	close(sock);
	return rc;
}
