#include "sim/sim_ids.h"

static const char HEX[] = "0123456789abcdef";

/* splitmix64: any seed is a good seed. */
uint64_t sim_ids_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static char *hex_digits(char *out, uint64_t value, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++) {
		*out++ = HEX[value & 15];
		value >>= 4;
	}
	return out;
}

void sim_ids_make(struct sim *sim, const char *prefix, char out[SIM_ID_SIZE])
{
	size_t n = strlen(prefix);

	if (n > 12)
		n = 12;
	memcpy(out, prefix, n);
	out = hex_digits(out + n, sim_ids_next(&sim->random), 16);
	out = hex_digits(out, sim_ids_next(&sim->random), 16);
	*out = '\0';
}

void sim_ids_uuid(uint64_t *state, char out[SIM_UUID_SIZE])
{
	uint64_t high = sim_ids_next(state);
	uint64_t low = sim_ids_next(state);

	out = hex_digits(out, high, 8);
	*out++ = '-';
	out = hex_digits(out, high >> 32, 4);
	*out++ = '-';
	*out++ = '4';
	out = hex_digits(out, high >> 48, 3);
	*out++ = '-';
	*out++ = HEX[8 + (low & 3)];
	out = hex_digits(out, low >> 2, 3);
	*out++ = '-';
	out = hex_digits(out, low >> 14, 12);
	*out = '\0';
}
