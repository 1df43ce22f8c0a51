/* SPDX-License-Identifier: BSD-2-Clause */
/* Drivers, which come with the initrds of dom0 and of the guest, in the order to load them; and the devices that they bring. */

#include "macro.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static FILE *find_order(char *directory, size_t room)
{
    struct utsname kernel;
    char path[200];
    FILE *order;

    snprintf(directory, room, "/modules");
    if ((order = fopen("/modules/order", "r")))
        return order;
    uname(&kernel);
    snprintf(directory, room, "/modules/%s", kernel.release);
    snprintf(path, sizeof(path), "%s/order", directory);
    return fopen(path, "r");
}

int load_drivers(void)
{
    char directory[100], name[80], path[200];
    FILE *order = find_order(directory, sizeof(directory));
    int fd;

    if (!order)
        return 0;
    while (fgets(name, sizeof(name), order)) {
        name[strcspn(name, "\n")] = 0;
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_RDONLY);
        need(fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0, path);
        close(fd);
    }
    fclose(order);
    return 1;
}

void wait_for(const char *device)
{
    struct stat s;
    int i;

    for (i = 0; stat(device, &s) && i < 1000; i++)
        usleep(10000);
    need(i < 1000, device);
}
