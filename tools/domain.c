/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tools/domain.h"

static xmlNode *
child_named(const xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE &&
		    strcmp((const char *)n->name, name) == 0)
			return n;
	return NULL;
}

/* A copy of the attribute, which the caller frees; NULL if there is none. */
static char *
attribute(const xmlNode *node, const char *name)
{
	xmlChar *value = node ? xmlGetProp(node, (const xmlChar *)name) : NULL;
	char *copy = value ? strdup((const char *)value) : NULL;

	xmlFree(value);
	return copy;
}

/* What <source> says, if that is something on this host. */
static char *
source_path(const xmlNode *of)
{
	const xmlNode *source = child_named(of, "source");
	char *path = attribute(source, "file");

	if (!path)
		path = attribute(source, "dev");
	if (path && *path == '/')
		return path;
	free(path);
	return NULL;
}

/* What is too much is not looked into; the VM may move all the same. */
static void
add_layer(struct domain *d, char *path, char *format, bool active)
{
	if (!path || !format || d->nlayers == DOMAIN_LAYERS_MAX) {
		free(path);
		free(format);
		return;
	}
	d->layers[d->nlayers++] = (struct domain_layer){ path, format, active };
}

static void
add_disk(struct domain *d, const xmlNode *disk)
{
	bool active = !child_named(disk, "readonly");

	add_layer(d, source_path(disk),
		  attribute(child_named(disk, "driver"), "type"), active);
	for (const xmlNode *b = child_named(disk, "backingStore"); b;
	     b = child_named(b, "backingStore"))
		add_layer(d, source_path(b),
			  attribute(child_named(b, "format"), "type"), false);
}

static void
add_disks(struct domain *d, const xmlNode *root)
{
	const xmlNode *devices = child_named(root, "devices");

	for (const xmlNode *n = devices ? devices->children : NULL; n;
	     n = n->next) {
		auto_free char *device = NULL;

		if (n->type != XML_ELEMENT_NODE ||
		    strcmp((const char *)n->name, "disk") != 0)
			continue;
		device = attribute(n, "device");
		if (!device || strcmp(device, "disk") == 0)
			add_disk(d, n);
	}
}

/* libvirt always writes memory in KiB. */
static void
set_scalars(struct domain *d, const xmlNode *root)
{
	xmlChar *name = xmlNodeGetContent(child_named(root, "name"));
	xmlChar *memory = xmlNodeGetContent(child_named(root, "memory"));

	if (name)
		strncpy(d->name, (const char *)name, sizeof(d->name) - 1);
	if (memory)
		d->memory_bytes = strtoull((const char *)memory, NULL, 10)
				  << 10;
	xmlFree(name);
	xmlFree(memory);
}

int
domain_parse(const char *xml, size_t len, struct domain *d, struct err *e)
{
	const int flags = XML_PARSE_NONET | XML_PARSE_NOERROR |
			  XML_PARSE_NOWARNING | XML_PARSE_COMPACT;
	xmlDoc *doc = NULL;
	int ret = 0;

	memset(d, 0, sizeof(*d));
	if (len < 16u << 20)
		doc = xmlReadMemory(xml, (int)len, "domain.xml", NULL, flags);
	if (!doc || !xmlDocGetRootElement(doc))
		ret = err_set(e, ERR_CORRUPT, "not the XML of a domain");
	if (ret == 0) {
		set_scalars(d, xmlDocGetRootElement(doc));
		add_disks(d, xmlDocGetRootElement(doc));
	}
	xmlFreeDoc(doc);
	return ret;
}

void
domain_free(struct domain *d)
{
	while (d->nlayers > 0) {
		d->nlayers--;
		free(d->layers[d->nlayers].path);
		free(d->layers[d->nlayers].format);
	}
}

static int
libvirt_failed(const char *what, struct err *e)
{
	const char *why = virGetLastErrorMessage();

	return err_set(e, ERR_SYSTEM, "%s: %.180s", what, why ? why : "failed");
}

static int
look_at(virDomainPtr dom, bool incoming, struct domain *d, struct err *e)
{
	auto_free char *xml = NULL;
	int state = 0, reason = 0;

	if (virDomainGetState(dom, &state, &reason, 0) < 0)
		return libvirt_failed("state of the domain", e);
	if (incoming && state != VIR_DOMAIN_PAUSED)
		return err_set(e, ERR_USAGE,
			       "the VM is not paused at the destination: "
			       "it might run twice");
	xml = virDomainGetXMLDesc(dom, 0);
	if (!xml)
		return libvirt_failed("the domain's XML", e);
	return domain_parse(xml, strlen(xml), d, e);
}

/* libvirt says what goes wrong on stderr, too, unless somebody listens. */
static void
ignore_error(void *arg, virErrorPtr why)
{
	(void)arg;
	(void)why;
}

int
domain_look_up(const char *uri, const uint8_t uuid[16], bool incoming,
	       struct domain *d, struct err *e)
{
	virConnectPtr conn;
	virDomainPtr dom;
	int ret;

	virSetErrorFunc(NULL, ignore_error);
	memset(d, 0, sizeof(*d));
	conn = virConnectOpen(uri);
	if (!conn)
		return libvirt_failed("libvirt", e);
	dom = virDomainLookupByUUID(conn, uuid);
	if (dom)
		ret = look_at(dom, incoming, d, e);
	else
		ret = libvirt_failed("libvirt", e);
	if (dom)
		virDomainFree(dom);
	virConnectClose(conn);
	return ret;
}
