#include "sim/sim_blob.h"

#include "base/b64url.h"
#include "sim/sim_accounts.h"

/* Fernet tokens, which the real blobs look like, begin so. */
#define BLOB_PREFIX SV("gAAAAAB")
enum { BLOB_BYTES = 512, BLOB_FILLER = 72 };

struct blob {
	uint64_t owner;
	uint64_t nonce;
	uint64_t checksum;
	unsigned char filler[BLOB_FILLER]; /* about as long as a real one */
};

static uint64_t owner_of(const struct sim_account *a)
{
	return sv_hash(sv_cstr(a->uuid), SV_HASH_SEED);
}

static uint64_t checksum_of(const struct sim *sim, const struct blob *b)
{
	uint64_t hash = SV_HASH_SEED ^ sim->options.seed;

	hash = sv_hash(sv_make((const char *)&b->owner, sizeof(b->owner)), hash);
	return sv_hash(sv_make((const char *)&b->nonce, sizeof(b->nonce)), hash);
}

void sim_blob_make(struct sim *sim, const struct sim_account *a, struct buf *out)
{
	struct blob b = {.owner = owner_of(a), .nonce = sim_ids_next(&sim->random)};
	uint64_t filler = b.nonce;

	b.checksum = checksum_of(sim, &b);
	for (size_t i = 0; i < BLOB_FILLER; i++)
		b.filler[i] = (unsigned char)sim_ids_next(&filler);
	buf_add_sv(out, BLOB_PREFIX);
	b64url_encode(sv_make((const char *)&b, sizeof(b)), out);
}

enum sim_blob_verdict sim_blob_check(
	const struct sim *sim, const struct sim_account *a, struct sv blob)
{
	enum sim_blob_verdict verdict = SIM_BLOB_GARBAGE;
	struct buf bytes;
	struct blob b;

	if (!sv_starts(blob, BLOB_PREFIX))
		return SIM_BLOB_GARBAGE;
	buf_init(&bytes, BLOB_BYTES);
	if (b64url_decode(sv_from(blob, BLOB_PREFIX.n), &bytes) == 0 && bytes.len == sizeof(b)) {
		memcpy(&b, bytes.data, sizeof(b));
		if (b.checksum == checksum_of(sim, &b))
			verdict = b.owner == owner_of(a) ? SIM_BLOB_OK : SIM_BLOB_OTHER_ACCOUNT;
	}
	buf_fini(&bytes);
	return verdict;
}
