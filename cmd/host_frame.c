/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host_frame.h"

#include "io.h"

#include <stdint.h>

struct header {
	uint32_t kind, len;
};

bool host_send(int fd, enum host_frame kind, const void *bytes, size_t len)
{
	const struct header h = { kind, (uint32_t)len };

	return len <= HOST_FRAME_MAX && io_write(fd, &h, sizeof h) == 0 && (len == 0 || io_write(fd, bytes, len) == 0);
}

bool host_receive_bytes(int fd, void *buf, size_t len)
{
	size_t got;

	return len == 0 || (io_read(fd, buf, len, &got) == 0 && got == len);
}

bool host_receive(int fd, enum host_frame *kind, size_t *len)
{
	struct header h;

	if (!host_receive_bytes(fd, &h, sizeof h) || h.len > HOST_FRAME_MAX || h.kind > HOST_END)
		return false;
	*kind = (enum host_frame)h.kind;
	*len = h.len;
	return true;
}
