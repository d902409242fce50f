/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generated skeleton, which is not held to our warnings. */
#ifndef SHIM6_DATAPATH_BPF_SKELETON_H
#define SHIM6_DATAPATH_BPF_SKELETON_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "shim6.skel.h"
#pragma GCC diagnostic pop

#endif
