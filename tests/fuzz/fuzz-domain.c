/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tools/domain.h"

/* Any bytes as the XML that libvirt has of a VM: refused, or a bounded list of
 * files of this host.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct domain d;
	struct err e;

	if (size > 65536)
		return 0;
	if (domain_parse((const char *)data, size, &d, &e) < 0) {
		fuzz_check(e.code != ERR_NONE && e.text[0]);
		return 0;
	}
	fuzz_check(memchr(d.name, '\0', sizeof(d.name)));
	fuzz_check(d.nlayers <= DOMAIN_LAYERS_MAX);
	for (size_t i = 0; i < d.nlayers; i++)
		fuzz_check(d.layers[i].path[0] == '/');
	domain_free(&d);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct fuzz_text seeds[] = {
		{ "chain", "<domain><name>a</name><memory unit='KiB'>9</memory>"
			   "<devices><disk type='file' device='disk'>"
			   "<driver type='qcow2'/><source file='/a' index='2'/>"
			   "<backingStore type='file'><format type='raw'/>"
			   "<source file='/b'/><backingStore/></backingStore>"
			   "</disk></devices></domain>" },
		{ "others",
		  "<domain><name>b</name><memory unit='GiB'>1</memory>"
		  "<devices><disk type='block' device='disk'>"
		  "<source dev='/dev/b'/><readonly/></disk>"
		  "<disk type='network'><source protocol='rbd'/></disk>"
		  "<disk type='file' device='cdrom'><source file='c'/></disk>"
		  "</devices></domain>" },
		{ "entity", "<!DOCTYPE a [<!ENTITY b SYSTEM '/etc/hostname'>"
			    "<!ENTITY c '&b;&b;'>]><domain><name>&c;</name>"
			    "</domain>" },
		{ "cut", "<domain><name>b</name><devices>" },
	};

	return fuzz_seed_text(seeds, ARRAY_LEN(seeds), i, out);
}
