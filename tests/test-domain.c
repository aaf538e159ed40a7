/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"
#include "tools/domain.h"

static struct err e;
static struct domain d;

static int
parse(const char *xml)
{
	return domain_parse(xml, strlen(xml), &d, &e);
}

static void
disks_and_what_is_behind_them_are_found(void **state)
{
	(void)state;
	assert_ok(parse("<domain type='kvm' id='3'><name>web&amp;1</name>"
			"<memory unit='KiB'>2097152</memory><devices>"
			"<disk type='file' device='disk'>"
			"<driver name='qemu' type='qcow2'/>"
			"<source file='/images/web.qcow2' index='2'/>"
			"<backingStore type='file' index='3'>"
			"<format type='raw'/><source file='/images/base.raw'/>"
			"<backingStore/></backingStore>"
			"<target dev='vda' bus='virtio'/></disk>"
			"<disk type='block' device='disk'>"
			"<driver name='qemu' type='raw'/>"
			"<source dev='/dev/vg/data'/><readonly/></disk>"
			"</devices></domain>"),
		  &e);
	assert_string_equal(d.name, "web&1");
	assert_int_equal(d.memory_bytes, 2147483648);
	assert_int_equal(d.nlayers, 3);
	assert_string_equal(d.layers[0].path, "/images/web.qcow2");
	assert_string_equal(d.layers[0].format, "qcow2");
	assert_true(d.layers[0].active);
	assert_string_equal(d.layers[1].path, "/images/base.raw");
	assert_string_equal(d.layers[1].format, "raw");
	assert_false(d.layers[1].active);
	assert_string_equal(d.layers[2].path, "/dev/vg/data");
	assert_false(d.layers[2].active);
	domain_free(&d);
}

static void
what_is_no_image_of_this_host_is_passed_over(void **state)
{
	(void)state;
	assert_ok(parse("<domain><devices>"
			"<disk type='file' device='cdrom'>"
			"<driver type='raw'/><source file='/a.iso'/></disk>"
			"<disk type='network' device='disk'>"
			"<driver type='raw'/><source protocol='rbd' "
			"name='pool/x'/></disk>"
			"<disk type='file' device='disk'>"
			"<source file='/unnamed-format'/></disk>"
			"<disk type='file' device='disk'><driver type='raw'/>"
			"<source file='relative'/></disk>"
			"<disk type='file'><driver type='raw'/>"
			"<source file='/default-is-disk'/></disk>"
			"</devices></domain>"),
		  &e);
	assert_int_equal(d.nlayers, 1);
	assert_string_equal(d.layers[0].path, "/default-is-disk");
	domain_free(&d);
	assert_ok(parse("<domain/>"), &e);
	assert_int_equal(d.nlayers, 0);
}

static void
nonsense_is_refused(void **state)
{
	static const char bomb[] =
		"<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>"
		"<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
		"<domain><name>&x;</name></domain>";

	(void)state;
	assert_err(parse(""), &e, ERR_CORRUPT);
	assert_err(parse("<domain"), &e, ERR_CORRUPT);
	/* Entities are not looked up: nothing of a file gets in. */
	if (parse(bomb) == 0) {
		assert_string_equal(d.name, "");
		domain_free(&d);
	}
}

static void
there_are_not_endlessly_many(void **state)
{
	static char xml[64 << 10];
	size_t n = (size_t)sprintf(xml, "<domain><devices>");

	(void)state;
	for (int i = 0; i <= DOMAIN_LAYERS_MAX; i++)
		n += (size_t)sprintf(xml + n,
				     "<disk><driver type='raw'/>"
				     "<source file='/%d'/></disk>",
				     i);
	sprintf(xml + n, "</devices></domain>");
	/* The VM may move all the same. */
	assert_ok(parse(xml), &e);
	assert_int_equal(d.nlayers, DOMAIN_LAYERS_MAX);
	domain_free(&d);
}

/* libvirt's own test driver: a VM that lives in this process. */
static void
one_that_is_to_come_must_be_paused(void **state)
{
	virConnectPtr conn = virConnectOpen("test:///default");
	virDomainPtr dom = conn ? virDomainLookupByName(conn, "test") : NULL;
	uint8_t uuid[VIR_UUID_BUFLEN];

	(void)state;
	assert_non_null(dom);
	assert_int_equal(virDomainGetUUID(dom, uuid), 0);
	assert_ok(domain_look_up("test:///default", uuid, false, &d, &e), &e);
	assert_string_equal(d.name, "test");
	domain_free(&d);
	assert_err(domain_look_up("test:///default", uuid, true, &d, &e), &e,
		   ERR_USAGE);
	assert_non_null(strstr(e.text, "not paused"));
	assert_int_equal(virDomainSuspend(dom), 0);
	assert_ok(domain_look_up("test:///default", uuid, true, &d, &e), &e);
	domain_free(&d);
	uuid[0] ^= 1;
	assert_err(domain_look_up("test:///default", uuid, true, &d, &e), &e,
		   ERR_SYSTEM);
	virDomainFree(dom);
	virConnectClose(conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_and_what_is_behind_them_are_found),
		cmocka_unit_test(what_is_no_image_of_this_host_is_passed_over),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(there_are_not_endlessly_many),
		cmocka_unit_test(one_that_is_to_come_must_be_paused),
	};

	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
