/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Object files of policies, read without trust: mg_elf_init() checks what the
 * other functions rely on.
 */
#ifndef _MEMGATE_ELF_H
#define _MEMGATE_ELF_H

#include <elf.h>

#include "internal.h"

struct mg_elf {
	const unsigned char *data;
	size_t size;
	unsigned int nr_sections;
	const Elf64_Shdr *sections;	/* a copy, aligned */
	const char *names;		/* of sections */
	unsigned int symtab;		/* 0 if there is none */
	const char *strings;		/* of symbols */
	size_t nr_symbols;
};

/* A whole file, to be freed; what is wrong with it in words. */
int mg_read_object(const char *path, void **data, size_t *size);
int mg_check_object(const void *data, size_t size, const char *path);

int mg_elf_init(struct mg_elf *elf, const void *data, size_t size);
void mg_elf_exit(struct mg_elf *elf);

const char *mg_elf_section_name(const struct mg_elf *elf, unsigned int nr);
/* The number of a section, or 0. */
unsigned int mg_elf_section(const struct mg_elf *elf, const char *name);
/* What is in it; NULL if it has nothing in the file. */
const void *mg_elf_bytes(const struct mg_elf *elf, unsigned int nr,
			 size_t *size);
bool mg_elf_symbol(const struct mg_elf *elf, size_t nr, Elf64_Sym *symbol);
const char *mg_elf_symbol_name(const struct mg_elf *elf, const Elf64_Sym *s);
bool mg_elf_find_symbol(const struct mg_elf *elf, const char *name,
			Elf64_Sym *symbol);
/* The symbol to which a place in a section is relocated. */
bool mg_elf_target(const struct mg_elf *elf, unsigned int section,
		   uint64_t offset, Elf64_Sym *symbol);

#endif /* _MEMGATE_ELF_H */
