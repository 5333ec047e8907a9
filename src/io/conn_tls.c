/*
 * One TLS connection: an SSL object between the connection's queue and its socket. The two meet in
 * a BIO of ours without storage: OpenSSL reads from the bytes that have just come, and what it
 * writes goes to a piece of memory that all connections share, from where the kernel takes it
 * before anything else happens. Only what the kernel does not take is kept for the connection.
 */
#include "base/limits.h"
#include "io/conn_internal.h"
#include "io/tls_server.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

enum {
	RECORD_BYTES = 16384, /* of plaintext: the most that a record holds */
	RECORDS = 4,	      /* sealed at a time */
	RECORD_EXTRA = 256,
	WIRE_BYTES = RECORDS * (RECORD_BYTES + RECORD_EXTRA),
};

struct conn_tls {
	struct conn *conn;
	struct tls_server *server; /* NULL: we are the client, and have on_handshake */
	void (*on_handshake)(void *arg, const char *error);
	void *handshake_arg;
	SSL *ssl;
	struct sv in;	      /* what came and was not read yet; borrowed for the call */
	struct buf unread;    /* what is left of it when the owner stopped reading */
	struct buf sealed;    /* records that wait for the ones in flight */
	struct buf flight;    /* records that libuv has */
	struct deferred more; /* goes on with unread */
	struct timer timer;   /* of the handshake; then of the farewell to who failed it */
	bool begun;	      /* a first byte came */
	bool open;	      /* the handshake is over */
	bool reading;	      /* as the owner wants it */
	bool ended;	      /* close_notify came, and the owner knows */
	bool failed;	      /* no TLS any more: what comes is thrown away */
};

/* What OpenSSL has just written, of one connection; empty whenever others may run. */
static _Thread_local struct {
	char *bytes; /* the loop's, WIRE_BYTES of them */
	size_t used;
} wire;

/* --- records out --- */

/* The kernel is busy with earlier ones. */
static void keep_wire(struct conn_tls *t, size_t sent)
{
	buf_add(&t->sealed, wire.bytes + sent, wire.used - sent);
	wire.used = 0;
}

static void add_to_wire(struct conn_tls *t, const char *bytes, size_t n)
{
	assert(n <= WIRE_BYTES - wire.used);
	if (!wire.used)
		wire.bytes = loop_scratch(t->conn->loop, LOOP_SCRATCH_WIRE, WIRE_BYTES);
	memcpy(wire.bytes + wire.used, bytes, n);
	wire.used += n;
}

static void fly(struct conn_tls *t)
{
	uv_buf_t vec;

	buf_move(&t->sealed, &t->flight);
	buf_init(&t->sealed, LIMIT_TLS_SEALED_BYTES);
	vec = uv_buf_init(t->flight.data, (unsigned)t->flight.len);
	(void)conn_raw_write(t->conn, &vec, 1, t->flight.len);
}

/* To the kernel, as far as it takes it. */
static void ship(struct conn_tls *t)
{
	struct conn *c = t->conn;
	size_t sent = 0;

	if (c->state == CONN_CLOSING) {
		wire.used = 0;
		return;
	}
	if (wire.used && !c->writing && !t->sealed.len) {
		uv_buf_t vec = uv_buf_init(wire.bytes, (unsigned)wire.used);
		int n = uv_try_write(&c->uv.stream, &vec, 1);

		if (n < 0 && n != UV_EAGAIN) {
			wire.used = 0;
			conn_close_now(c, CONN_END_PEER);
			return;
		}
		sent = n > 0 ? (size_t)n : 0;
		c->sent_bytes += sent;
	}
	keep_wire(t, sent);
	if (buf_error(&t->sealed))
		conn_close_now(c, CONN_END_LIMIT);
	else if (t->sealed.len && !c->writing)
		fly(t);
}

size_t conn_tls_pending(const struct conn *c)
{
	return c->tls->sealed.len + c->tls->flight.len;
}

void conn_tls_written(struct conn *c)
{
	buf_fini(&c->tls->flight);
}

/* --- the BIO --- */

static int on_bio_read(BIO *bio, char *out, size_t size, size_t *ret)
{
	struct conn_tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!t->in.n) {
		BIO_set_retry_read(bio);
		return 0;
	}
	*ret = size < t->in.n ? size : t->in.n;
	memcpy(out, t->in.p, *ret);
	t->in = sv_from(t->in, *ret);
	return 1;
}

static int on_bio_write(BIO *bio, const char *bytes, size_t n, size_t *ret)
{
	struct conn_tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*ret = n;
	if (n > WIRE_BYTES - wire.used)
		keep_wire(t, 0);
	if (n > WIRE_BYTES)
		buf_add(&t->sealed, bytes, n);
	else
		add_to_wire(t, bytes, n);
	return 1;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* One for all connections and threads, never freed. */
static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
	assert(bio_method);
	BIO_meth_set_read_ex(bio_method, on_bio_read);
	BIO_meth_set_write_ex(bio_method, on_bio_write);
	BIO_meth_set_ctrl(bio_method, on_bio_ctrl);
}

static BIO *new_bio(struct conn_tls *t)
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
	BIO *bio;

	CRYPTO_THREAD_run_once(&once, make_bio_method);
	bio = BIO_new(bio_method);
	assert(bio);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- failures --- */

/* The owner has heard nothing yet. The peer gets our last bytes and a FIN, and a moment to read
 * them: closing with unread bytes would be a RST, which can destroy them on their way. */
static void say_farewell(struct conn_tls *t)
{
	struct conn *c = t->conn;

	t->failed = true;
	ship(t);
	if (c->state != CONN_OPEN) {
		conn_close_now(c, CONN_END_ERROR);
		return;
	}
	conn_shutdown_after_write(c);
	conn_raw_read_start(c);
	timer_start(&t->timer, LIMIT_LINGER_IDLE_MS);
}

/* Why the server was not accepted, or why there was no TLS. */
static const char *client_reason(const struct conn_tls *t, const char *reason)
{
	long verdict = SSL_get_verify_result(t->ssl);

	if (verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	return reason ? reason : "the server does not speak TLS";
}

/* Our alert is sent, and the dialer hears why. */
static void fail_client(struct conn_tls *t, const char *reason)
{
	struct conn *c = t->conn;

	t->failed = true;
	ship(t);
	conn_close_now(c, CONN_END_ERROR);
	t->on_handshake(t->handshake_arg, client_reason(t, reason));
}

static void fail(struct conn_tls *t)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	if (!t->open && !t->server) {
		fail_client(t, reason);
		return;
	}
	if (!t->open) {
		say_farewell(t);
		tls_server_refused(t->server, t->conn->peer, reason ? reason : "not TLS");
		return;
	}
	ship(t); /* the alert */
	conn_close_now(t->conn, CONN_END_ERROR);
}

static void on_timer(struct timer *timer)
{
	struct conn_tls *t = CONTAINER_OF(timer, struct conn_tls, timer);

	if (t->failed) {
		conn_close_now(t->conn, CONN_END_ERROR);
		return;
	}
	tls_server_refused(t->server, t->conn->peer, "the handshake did not end in time");
	conn_close_now(t->conn, CONN_END_TIMEOUT);
}

/* A record begins with a byte below 0x20, a request with a letter. */
static bool is_plain_http(char first)
{
	return (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
}

static void refuse_plain_http(struct conn_tls *t)
{
#define REFUSAL                                                                    \
	"{\"error\":{\"message\":\"This port speaks TLS: use https://\",\"type\":" \
	"\"invalid_request_error\",\"param\":null,\"code\":\"tls_required\"}}"
	struct buf answer;

	buf_init(&answer, KIB(1));
	buf_addf(&answer,
		"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		sizeof(REFUSAL) - 1, REFUSAL);
	add_to_wire(t, answer.data, answer.len);
	buf_fini(&answer);
	say_farewell(t);
	tls_server_refused(t->server, t->conn->peer, "plain HTTP");
#undef REFUSAL
}

/* --- records in --- */

static void note_handshake(struct conn_tls *t)
{
	t->open = true;
	timer_stop(&t->timer);
	if (t->conn->queued)
		loop_defer(t->conn->loop, &t->conn->flush);
	if (t->server)
		return;
	ship(t);
	if (t->conn->state == CONN_OPEN)
		t->on_handshake(t->handshake_arg, NULL);
}

static void tell_end(struct conn_tls *t)
{
	struct conn *c = t->conn;

	t->ended = true;
	ship(t);
	if (c->state != CONN_OPEN)
		return;
	if (c->ops->on_eof)
		c->ops->on_eof(c);
	else
		conn_close_now(c, CONN_END_PEER);
}

/* What a read that gave nothing means. */
static void note_no_bytes(struct conn_tls *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		tell_end(t);
		break;
	default:
		fail(t);
	}
}

static bool may_read(const struct conn_tls *t)
{
	return t->conn->state == CONN_OPEN && t->reading && !t->ended && !t->failed;
}

static void read_records(struct conn_tls *t)
{
	struct conn *c = t->conn;
	char *plain = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN, RECORD_BYTES);

	assert(!wire.used);
	while (may_read(t)) {
		int n;

		ERR_clear_error();
		n = t->open ? SSL_read(t->ssl, plain, RECORD_BYTES) : SSL_do_handshake(t->ssl);
		if (n <= 0) {
			note_no_bytes(t, n);
			break;
		}
		if (!t->open) {
			note_handshake(t);
			continue;
		}
		ship(t);
		if (may_read(t))
			c->ops->on_read(c, sv_make(plain, (size_t)n));
	}
	ship(t);
}

static void consume(struct conn_tls *t, struct sv bytes)
{
	t->in = bytes;
	read_records(t);
	/* Bounded: while something is kept, nothing is read from the socket. */
	if (t->in.n && t->conn->state == CONN_OPEN && !t->ended && !t->failed)
		buf_add_sv(&t->unread, t->in);
	t->in = SV_NONE;
	if (buf_error(&t->unread))
		conn_close_now(t->conn, CONN_END_LIMIT);
}

void conn_tls_feed(struct conn *c, struct sv bytes)
{
	struct conn_tls *t = c->tls;

	if (t->failed || t->ended)
		return;
	if (!t->begun && is_plain_http(bytes.p[0])) {
		refuse_plain_http(t);
		return;
	}
	t->begun = true;
	consume(t, bytes);
}

void conn_tls_end(struct conn *c)
{
	struct conn_tls *t = c->tls;

	enum conn_end why = t->server ? CONN_END_PEER : CONN_END_CUT;

	if (!t->ended)
		conn_close_now(c, t->failed ? CONN_END_ERROR : why);
}

static void on_more(struct deferred *d)
{
	struct conn_tls *t = CONTAINER_OF(d, struct conn_tls, more);
	struct buf kept;

	buf_move(&t->unread, &kept);
	buf_init(&t->unread, LIMIT_READ_CHUNK_BYTES);
	consume(t, buf_sv(&kept));
	buf_fini(&kept);
	if (may_read(t) && !t->unread.len)
		conn_raw_read_start(t->conn);
}

void conn_tls_read_start(struct conn *c)
{
	struct conn_tls *t = c->tls;

	t->reading = true;
	if (t->unread.len)
		loop_defer(c->loop, &t->more);
	else
		conn_raw_read_start(c);
}

void conn_tls_read_stop(struct conn *c)
{
	c->tls->reading = false;
	loop_undefer(&c->tls->more);
	conn_raw_read_stop(c);
}

/* --- the queue --- */

static bool seal(struct conn_tls *t)
{
	struct conn *c = t->conn;
	char *scratch = loop_scratch(c->loop, LOOP_SCRATCH_SEAL, RECORD_BYTES);

	assert(!wire.used);
	for (int i = 0; i < RECORDS && c->queued; i++) {
		struct sv front = conn_queue_front(c, scratch, RECORD_BYTES);

		ERR_clear_error();
		if (SSL_write(t->ssl, front.p, (int)front.n) != (int)front.n) {
			fail(t);
			return false;
		}
		conn_queue_take(c, front.n);
	}
	return true;
}

void conn_tls_flush(struct conn *c)
{
	struct conn_tls *t = c->tls;

	while (c->state != CONN_CLOSING && !c->writing) {
		if (t->sealed.len) {
			fly(t);
		} else if (!c->queued) {
			return;
		} else if (!t->open) {
			if (c->state == CONN_FINISHING)
				conn_close_now(c, c->why);
			return; /* note_handshake() flushes */
		} else if (seal(t)) {
			ship(t);
		}
	}
}

bool conn_tls_say_end(struct conn *c)
{
	struct conn_tls *t = c->tls;

	if (t->open && !t->failed && !(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)) {
		ERR_clear_error();
		SSL_shutdown(t->ssl);
		ship(t);
	}
	return c->state != CONN_CLOSING && !c->writing && !conn_tls_pending(c);
}

/* Nothing of an answer is missing, so the peer may know that this is the proper end. */
static bool is_end_proper(const struct conn_tls *t)
{
	return t->open && t->ended && !t->failed && !t->conn->writing && !t->conn->queued &&
	       !conn_tls_pending(t->conn);
}

void conn_tls_closing(struct conn *c)
{
	struct conn_tls *t = c->tls;

	timer_stop(&t->timer);
	loop_undefer(&t->more);
	if (is_end_proper(t) && !(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)) {
		uv_buf_t vec;

		ERR_clear_error();
		SSL_shutdown(t->ssl);
		vec = uv_buf_init(wire.bytes, (unsigned)wire.used);
		(void)uv_try_write(&c->uv.stream, &vec, 1);
	}
	wire.used = 0;
}

/* --- life --- */

static struct conn_tls *tls_new(struct conn *c, SSL *ssl)
{
	struct conn_tls *t = mem_zalloc(sizeof(*t));
	BIO *bio = new_bio(t);

	t->conn = c;
	t->ssl = ssl;
	SSL_set_bio(t->ssl, bio, bio);
	buf_init(&t->unread, LIMIT_READ_CHUNK_BYTES);
	buf_init(&t->sealed, LIMIT_TLS_SEALED_BYTES);
	t->more.fn = on_more;
	timer_init(&t->timer, c->loop, on_timer);
	c->tls = t;
	return t;
}

void conn_tls_new(struct conn *c, struct tls_server *server)
{
	struct conn_tls *t = tls_new(c, tls_server_ssl(server));

	t->server = server;
	SSL_set_accept_state(t->ssl);
	timer_start(&t->timer, tls_server_handshake_timeout_ms(server));
}

void conn_tls_connect(
	struct conn *c, SSL *ssl, void (*on_handshake)(void *arg, const char *error), void *arg)
{
	struct conn_tls *t = tls_new(c, ssl);

	t->on_handshake = on_handshake;
	t->handshake_arg = arg;
	t->begun = true; /* a server that speaks plainly is OpenSSL's to find out */
	SSL_set_connect_state(ssl);
	conn_tls_read_start(c);
	read_records(t);
}

void conn_tls_free(struct conn *c)
{
	struct conn_tls *t = c->tls;

	/* OpenSSL would not resume a session whose connection ended without a close_notify. */
	if (!t->server && t->open && !t->failed)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	ERR_clear_error();
	buf_fini(&t->unread);
	buf_fini(&t->sealed);
	buf_fini(&t->flight);
	free(t);
	c->tls = NULL;
}
