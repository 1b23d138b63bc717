/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_DMA_H
#define GUEST_DMA_H

int guest_dma(const char *text, char **copy_of_it);

#endif /* GUEST_DMA_H */
