// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * An ELF reader for objects of clang -target bpf that may be anything else:
 * nothing is read at an offset that was not compared with the file's size.
 */
#include "elf.h"

#ifndef EM_BPF
#define EM_BPF	247
#endif

static bool is_inside(const struct mg_elf *elf, uint64_t offset, uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

/* A section that holds texts, of which the last one ends. */
static const char *strings_of(const struct mg_elf *elf, unsigned int nr)
{
	const Elf64_Shdr *s = elf->sections + nr;

	if (nr >= elf->nr_sections || s->sh_type != SHT_STRTAB ||
	    !s->sh_size || elf->data[s->sh_offset + s->sh_size - 1])
		return NULL;
	return (const char *)elf->data + s->sh_offset;
}

static bool has_name(const struct mg_elf *elf, unsigned int strings,
		     uint32_t offset)
{
	return offset < elf->sections[strings].sh_size;
}

static int check_sections(struct mg_elf *elf, const Elf64_Ehdr *e)
{
	const Elf64_Shdr *s;
	unsigned int i;

	for (i = 0; i < elf->nr_sections; i++) {
		s = elf->sections + i;
		if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL &&
		    !is_inside(elf, s->sh_offset, s->sh_size))
			return -EINVAL;
	}
	elf->names = strings_of(elf, e->e_shstrndx);
	if (!elf->names)
		return -EINVAL;
	for (i = 0; i < elf->nr_sections; i++)
		if (!has_name(elf, e->e_shstrndx, elf->sections[i].sh_name))
			return -EINVAL;
	return 0;
}

static int check_symbols(struct mg_elf *elf)
{
	unsigned int i, strings;
	const Elf64_Shdr *s;
	Elf64_Sym symbol;
	size_t nr;

	for (i = 1; i < elf->nr_sections && !elf->symtab; i++)
		if (elf->sections[i].sh_type == SHT_SYMTAB)
			elf->symtab = i;
	if (!elf->symtab)
		return 0;
	s = elf->sections + elf->symtab;
	strings = s->sh_link;
	elf->strings = strings_of(elf, strings);
	if (!elf->strings || s->sh_entsize != sizeof(symbol))
		return -EINVAL;
	elf->nr_symbols = s->sh_size / sizeof(symbol);
	for (nr = 0; mg_elf_symbol(elf, nr, &symbol); nr++)
		if (!has_name(elf, strings, symbol.st_name))
			return -EINVAL;
	return 0;
}

/* -EINVAL: no object of BPF for this machine's byte order, or a broken one. */
int mg_elf_init(struct mg_elf *elf, const void *data, size_t size)
{
	Elf64_Shdr *sections;
	Elf64_Ehdr e;

	memset(elf, 0, sizeof(*elf));
	elf->data = data;
	elf->size = size;
	if (size < sizeof(e))
		return -EINVAL;
	memcpy(&e, data, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_ident[EI_DATA] != ELFDATA2LSB || e.e_type != ET_REL ||
	    e.e_machine != EM_BPF || e.e_shentsize != sizeof(*sections) ||
	    !e.e_shnum ||
	    !is_inside(elf, e.e_shoff, (uint64_t)e.e_shnum * sizeof(*sections)))
		return -EINVAL;
	sections = calloc(e.e_shnum, sizeof(*sections));
	if (!sections)
		return -ENOMEM;
	memcpy(sections, elf->data + e.e_shoff,
	       e.e_shnum * sizeof(*sections));
	elf->sections = sections;
	elf->nr_sections = e.e_shnum;
	if (!check_sections(elf, &e) && !check_symbols(elf))
		return 0;
	mg_elf_exit(elf);
	return -EINVAL;
}

void mg_elf_exit(struct mg_elf *elf)
{
	free((void *)elf->sections);
	memset(elf, 0, sizeof(*elf));
}

const char *mg_elf_section_name(const struct mg_elf *elf, unsigned int nr)
{
	return nr < elf->nr_sections ? elf->names + elf->sections[nr].sh_name :
				       "";
}

unsigned int mg_elf_section(const struct mg_elf *elf, const char *name)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sections; i++)
		if (!strcmp(mg_elf_section_name(elf, i), name))
			return i;
	return 0;
}

const void *mg_elf_bytes(const struct mg_elf *elf, unsigned int nr,
			 size_t *size)
{
	const Elf64_Shdr *s = elf->sections + nr;

	if (!nr || nr >= elf->nr_sections || s->sh_type == SHT_NOBITS ||
	    s->sh_type == SHT_NULL || !s->sh_size)
		return NULL;
	*size = s->sh_size;
	return elf->data + s->sh_offset;
}

bool mg_elf_symbol(const struct mg_elf *elf, size_t nr, Elf64_Sym *symbol)
{
	if (nr >= elf->nr_symbols)
		return false;
	memcpy(symbol, elf->data + elf->sections[elf->symtab].sh_offset +
	       nr * sizeof(*symbol), sizeof(*symbol));
	return true;
}

const char *mg_elf_symbol_name(const struct mg_elf *elf, const Elf64_Sym *s)
{
	return elf->strings + s->st_name;
}

bool mg_elf_find_symbol(const struct mg_elf *elf, const char *name,
			Elf64_Sym *symbol)
{
	size_t nr;

	for (nr = 0; mg_elf_symbol(elf, nr, symbol); nr++)
		if (!strcmp(mg_elf_symbol_name(elf, symbol), name))
			return true;
	return false;
}

static bool target_in(const struct mg_elf *elf, const Elf64_Shdr *relocations,
		      uint64_t offset, Elf64_Sym *symbol)
{
	const unsigned char *at = elf->data + relocations->sh_offset;
	size_t i, nr = relocations->sh_size / sizeof(Elf64_Rel);
	Elf64_Rel rel;

	for (i = 0; i < nr; i++) {
		memcpy(&rel, at + i * sizeof(rel), sizeof(rel));
		if (rel.r_offset == offset)
			return mg_elf_symbol(elf, ELF64_R_SYM(rel.r_info),
					     symbol);
	}
	return false;
}

bool mg_elf_target(const struct mg_elf *elf, unsigned int section,
		   uint64_t offset, Elf64_Sym *symbol)
{
	const Elf64_Shdr *s;
	unsigned int i;

	for (i = 1; i < elf->nr_sections; i++) {
		s = elf->sections + i;
		if (s->sh_type == SHT_REL && s->sh_info == section &&
		    s->sh_entsize == sizeof(Elf64_Rel) &&
		    target_in(elf, s, offset, symbol))
			return true;
	}
	return false;
}
