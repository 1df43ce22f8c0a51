/* SPDX-License-Identifier: BSD-2-Clause */
/* See core/firmware.h. */
#include "core/firmware.h"

struct firmware_efi firmware_efi;
