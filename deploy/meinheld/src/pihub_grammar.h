/* Character classes that requests and responses share. */
#ifndef PIHUB_GRAMMAR_H
#define PIHUB_GRAMMAR_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* RFC 9110, 5.6.2: a token's characters, a bit each. */
static const uint32_t token_bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};

static inline unsigned is_token_char(char c) {
  return token_bits[(unsigned char)c >> 5] >> ((unsigned char)c & 31) & 1;
}

/* reg-name / IP-literal [ ":" port ] (RFC 3986, 3.2.2), without the comma, which would
 * make a list of it. Empty is allowed. */
static inline int is_host(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (!(isalnum(c) || (c && strchr("-._~!$&'()*+;=:[]%", c)))) {
      return 0;
    }
  }
  return 1;
}

#endif
