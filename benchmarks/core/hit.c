/* Asks a direct answer many times: what the server does, without the server. */
#include "ph_direct.h"

static ph_direct_text text(const char *at, size_t len) { return (ph_direct_text){at, len}; }

/* How many of `count` asks were answered. `fields`: name, value, name, value... */
long ask_many(const ph_direct *direct, const char *path, size_t path_len, const char *const *fields,
              const size_t *lengths, size_t n_fields, const char *body, size_t body_len, long count) {
    ph_direct_ask ask = {.path = text(path, path_len), .body = text(body, body_len),
                         .n_fields = n_fields};
    ph_direct_answer answer;
    long answered = 0;
    for (size_t i = 0; i < n_fields; i++) {
        ask.field[i].name = text(fields[2 * i], lengths[2 * i]);
        ask.field[i].value = text(fields[2 * i + 1], lengths[2 * i + 1]);
    }
    for (long i = 0; i < count; i++) {
        answered += direct->answer(direct->self, &ask, &answer);
    }
    return answered;
}
