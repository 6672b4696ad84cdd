/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bzimage.h"

#include "testing.h"

#include <lz4.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { KERNEL = 100000, PAYLOAD_AT = 1024 + 64 };

static uint8_t kernel[KERNEL];
static uint8_t image[2 * KERNEL];

static void put32(size_t at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		image[at + (size_t)i] = (uint8_t)(v >> 8 * i);
}

/* An image with one sector of setup behind the first, whose payload has n bytes at PAYLOAD_AT; how long it is. */
static size_t make_image(size_t n)
{
	memset(image, 0, PAYLOAD_AT);
	image[0x1f1] = 1;
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	put32(0x248, PAYLOAD_AT - 1024);
	put32(0x24c, (uint32_t)n);
	return PAYLOAD_AT + n;
}

static void fill_kernel(void)
{
	memcpy(kernel, "\177ELF", 4);
	for (size_t i = 4; i < KERNEL; i++)
		kernel[i] = (uint8_t)(i * i >> 9);
}

static void comes_out(size_t len)
{
	struct err e = ERR_INIT;
	void *out;
	size_t got;

	ok(bzimage_unpack(image, len, &out, &got, &e));
	ck_assert_uint_eq(got, KERNEL);
	ck_assert_mem_eq(out, kernel, KERNEL);
	free(out);
}

static size_t gzip_payload(void)
{
	z_stream z = { .next_in = kernel, .avail_in = KERNEL, .next_out = image + PAYLOAD_AT, .avail_out = KERNEL };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static size_t with_size(size_t n)
{
	put32(PAYLOAD_AT + n, KERNEL);
	return n + 4;
}

START_TEST(kernels_of_every_usual_compression_come_out)
{
	size_t n = 0;

	fill_kernel();
	n = gzip_payload(); /* has its size itself */
	comes_out(make_image(n));

	n = 0;
	ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, kernel, KERNEL, image + PAYLOAD_AT, &n, KERNEL),
			 LZMA_OK);
	comes_out(make_image(with_size(n)));

	n = ZSTD_compress(image + PAYLOAD_AT, KERNEL, kernel, KERNEL, 1);
	ck_assert(!ZSTD_isError(n));
	comes_out(make_image(with_size(n)));

	put32(PAYLOAD_AT, 0x184c2102);
	n = (size_t)LZ4_compress_default((char *)kernel, (char *)image + PAYLOAD_AT + 8, KERNEL, KERNEL);
	put32(PAYLOAD_AT + 4, (uint32_t)n);
	comes_out(make_image(with_size(n + 8)));

	memcpy(image + PAYLOAD_AT, kernel, KERNEL);
	comes_out(make_image(KERNEL));
}
END_TEST

START_TEST(what_is_no_kernel_is_told)
{
	struct err e = ERR_INIT;
	void *out;
	size_t got, len;

	fails(bzimage_unpack("MZ", 2, &out, &got, &e), ERR_UNSUPPORTED);
	fill_kernel();
	len = make_image(gzip_payload());
	image[0x207] = 1;
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_UNSUPPORTED);
	/* bzip2 */
	memcpy(image + PAYLOAD_AT, "BZh91AY&SY", 10);
	fails(bzimage_unpack(image, make_image(with_size(100)), &out, &got, &e), ERR_UNSUPPORTED);
	/* Something that is no ELF file when it is unpacked. */
	kernel[1] = 'e';
	fails(bzimage_unpack(image, make_image(gzip_payload()), &out, &got, &e), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(an_image_that_lies_is_refused)
{
	struct err e = ERR_INIT;
	void *out;
	size_t got, n, len;

	fill_kernel();
	n = gzip_payload();
	len = make_image(n);
	fails(bzimage_unpack(image, len - 1, &out, &got, &e), ERR_CORRUPT);
	put32(0x248, 0xffffffff);
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_CORRUPT);
	make_image(n);
	put32(0x24c, 3);
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_CORRUPT);
	make_image(n);
	put32(PAYLOAD_AT + n - 4, 0xffffffff); /* the size in its last bytes */
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_LIMIT);
	put32(PAYLOAD_AT + n - 4, KERNEL - 1);
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_CORRUPT);
	put32(PAYLOAD_AT, 0x184c2102);
	put32(PAYLOAD_AT + 4, 0x7fffffff);
	put32(PAYLOAD_AT + n - 4, KERNEL);
	fails(bzimage_unpack(image, len, &out, &got, &e), ERR_CORRUPT);
}
END_TEST

TEST_MAIN("bzimage", kernels_of_every_usual_compression_come_out, what_is_no_kernel_is_told, an_image_that_lies_is_refused)
