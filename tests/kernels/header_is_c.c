/* Compiled as C99: shows that the header of the kernels is C. */
#include "rais_kernels.h"

int32_t rais_test_abi_version(void) { return rais_abi_version() == RAIS_ABI_VERSION; }
