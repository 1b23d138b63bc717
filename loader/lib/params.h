/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Parameters by the names that a policy's BTF gives to them: which field
 * (field.c), what a text means for its type (values.c, words.c).
 */
#ifndef _MEMGATE_PARAMS_H
#define _MEMGATE_PARAMS_H

#include <bpf/btf.h>

#include "internal.h"

enum mg_kind {
	MG_NONE,			/* cannot be set: a pointer, a float */
	MG_UINT,
	MG_SINT,
	MG_BOOL,
	MG_ENUM,
	MG_FLAGS,			/* an enum whose values are or-ed */
	MG_CLASSES,			/* memgate_classes_t */
	MG_PCI_ADDR,			/* memgate_pci_addr_t */
	MG_PCI_ID,			/* memgate_pci_id_t */
	MG_TEXT,			/* array of char */
	MG_ARRAY,			/* array of anything else */
	MG_STRUCT,			/* or union */
};

/* A place in the parameters, and what it holds. */
struct mg_field {
	enum mg_kind kind;
	uint32_t type_id;		/* no typedef, no const */
	uint32_t bit;			/* from the begin of the parameters */
	uint32_t bits;
	uint32_t nelems;		/* of a text or an array */
	bool flags;			/* MEMGATE_FLAGS: an enum within is */
	uint32_t struct_id;		/* of which it is a member, or 0 */
	int member;
};

/* The parameters, and which of their bytes somebody has named. */
struct mg_bytes {
	uint32_t size;
	unsigned char *data;
	unsigned char *named;
};

/* field.c */
const char *mg_btf_name(const struct btf *btf, uint32_t offset);
int mg_field_find(const struct btf *btf, uint32_t type_id, const char *key,
		  struct mg_field *f);
int mg_field_element(const struct btf *btf, const struct mg_field *array,
		     uint32_t n, struct mg_field *f);
void mg_field_type(const struct btf *btf, const struct mg_field *f, char *buf,
		   size_t size);

/* params.c */
int mg_params_fill(const struct btf *btf, uint32_t type_id,
		   struct mg_bytes *bytes, const char *key, const char *value);
int mg_params_text(const struct btf *btf, uint32_t type_id,
		   const struct mg_bytes *bytes, const char *key, FILE *out);

/* values.c: these note an error in words, without the parameter's name */
int mg_field_put(const struct btf *btf, const struct mg_field *f,
		 struct mg_bytes *bytes, const char *value);
int mg_field_get(const struct btf *btf, const struct mg_field *f,
		 const struct mg_bytes *bytes, FILE *out);
int mg_bad_value(const char *value, const char *what);
int mg_too_large(const char *value, const struct mg_field *f);

/* words.c */
int mg_words_parse(const struct btf *btf, const struct mg_field *f,
		   const char *value, const char *separators, uint64_t *v);
void mg_words_print(const struct btf *btf, const struct mg_field *f,
		    uint64_t v, FILE *out);
bool mg_words_list(const struct btf *btf, const struct mg_field *f, char *buf,
		   size_t size);
bool mg_is_flags(const struct btf *btf, const struct btf_type *t);

#endif /* _MEMGATE_PARAMS_H */
