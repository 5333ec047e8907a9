#include "dialect/chat.h"

#include "dialect/chat_answer.h"
#include "proto/sse.h"

static void error(struct turn *t, const struct api_err *err, bool in_stream, struct buf *out)
{
	if (in_stream) {
		buf_add_lit(out, "data: ");
		api_err_write(err, t->now_s, out);
		buf_add_lit(out, "\n\n");
	} else if (err->body.n && api_err_body_fits(err->body)) {
		buf_add_sv(out, err->body);
	} else {
		api_err_write(err, t->now_s, out);
	}
}

static void heartbeat(struct turn *t, struct buf *out)
{
	(void)t;
	sse_encode_comment(out, SV("keepalive"));
}

const struct chat_form chat_form_chat = {
	.id_prefix = SV("chatcmpl-"),
	.whole = SV("chat.completion"),
	.chunk = SV("chat.completion.chunk"),
	.before_delta = SV("{\"index\":0,\"delta\":"),
	.before_text = SV("{\"content\":\""),
	.after_text = SV("\"}"),
	.nothing = SV("{}"),
};

const struct chat_form chat_form_completions = {
	.id_prefix = SV("cmpl-"),
	.whole = SV("text_completion"),
	.chunk = SV("text_completion"),
	.before_delta = SV("{\"index\":0,\"logprobs\":null,\"text\":"),
	.before_text = SV("\""),
	.after_text = SV("\""),
	.nothing = SV("\"\""),
	.plain = true,
};

const struct dialect dialect_chat = {
	.name = "chat",
	.parse = chat_request_parse,
	.begin = chat_answer_begin,
	.on_event = chat_answer_event,
	.finish = chat_answer_finish,
	.error = error,
	.heartbeat = heartbeat,
};

const struct dialect dialect_completions = {
	.name = "completions",
	.parse = completions_request_parse,
	.begin = chat_answer_begin,
	.on_event = chat_answer_event,
	.finish = chat_answer_finish,
	.error = error,
	.heartbeat = heartbeat,
};
