/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzzer without the fuzzing: gives every file of the directory REPLAY to LLVMFuzzerTestOneInput(), in the order of their
 * names, so that what was once found or reached stays in the tests. Its output is that of a test with one case.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void replay(const char *name)
{
    static uint8_t input[INPUT_MAX];
    char path[512];
    uint8_t *exact;
    size_t size;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", REPLAY, name);
    f = fopen(path, "rb");
    if (!f)
        exit(1);
    size = fread(input, 1, sizeof(input), f);
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one is the one that ended it */
    exact = malloc(size ? size : 1); /* ASan sees a byte too many */
    for (size_t i = 0; i < size; i++)
        exact[i] = input[i];
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(void)
{
    struct dirent **list;
    int n = scandir(REPLAY, &list, NULL, alphasort), done = 0;

    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.') {
            replay(list[i]->d_name);
            done++;
        }
        free(list[i]);
    }
    if (n < 0 || !done)
        return 1;
    free(list);
    printf("%d inputs\n[       OK ] %s\n", done, REPLAY);
    return 0;
}
