#include "proto/no_proxy.h"

#include <arpa/inet.h>

struct address {
	size_t bits; /* 32 or 128 */
	unsigned char bytes[sizeof(struct in6_addr)];
};

static bool parse_address(struct sv text, struct address *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(copy) || (text.n && memchr(text.p, '\0', text.n)))
		return false;
	sv_cut(text, copy, sizeof(copy));
	ret->bits = 32;
	if (inet_pton(AF_INET, copy, ret->bytes) == 1)
		return true;
	ret->bits = 128;
	return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}

static bool begin_alike(const struct address *a, const struct address *b, size_t bits)
{
	size_t whole = bits / 8, rest = bits % 8;

	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

/* entry: an address or a network. No bits, or zero, are all of them. */
static bool names_address(struct sv entry, const struct address *host)
{
	struct sv bits_text = entry, address_text = sv_split(&bits_text, '/');
	struct address network;
	uint64_t bits = 0;

	if (!parse_address(address_text, &network) || network.bits != host->bits)
		return false;
	if (bits_text.n && (sv_u64(bits_text, &bits) != 0 || bits > network.bits))
		return false;
	return begin_alike(&network, host, bits ? bits : network.bits);
}

static struct sv without_end_dot(struct sv name)
{
	return sv_ends(name, SV(".")) ? sv_make(name.p, name.n - 1) : name;
}

static bool names_name(struct sv entry, struct sv host)
{
	entry = without_end_dot(entry);
	host = without_end_dot(host);
	if (sv_starts(entry, SV(".")))
		entry = sv_from(entry, 1);
	if (entry.n == 0 || entry.n > host.n || !sv_ieq(sv_from(host, host.n - entry.n), entry))
		return false;
	return entry.n == host.n || host.p[host.n - entry.n - 1] == '.';
}

static bool is_between(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

static struct sv next_entry(struct sv *rest)
{
	struct sv entry;
	size_t n = 0;

	while (rest->n && is_between(rest->p[0]))
		*rest = sv_from(*rest, 1);
	while (n < rest->n && !is_between(rest->p[n]))
		n++;
	entry = sv_make(rest->p, n);
	*rest = sv_from(*rest, n);
	return entry;
}

bool no_proxy_names(struct sv list, struct sv host)
{
	struct address address;
	bool is_address = parse_address(host, &address);
	struct sv entry;

	if (host.n == 0)
		return false;
	if (sv_eq(list, SV("*")))
		return true;
	while ((entry = next_entry(&list)).n) {
		if (is_address ? names_address(entry, &address) : names_name(entry, host))
			return true;
	}
	return false;
}
