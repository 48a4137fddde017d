/* PHP in a value: functions by name and by family, calls of what a value names, superglobals, settings of the
 * interpreter, serialized objects, names of files that a server would run.
 */
#ifndef PH_SCAN_PHP_H
#define PH_SCAN_PHP_H

#include "ph_scan_lex.h"

enum { H_LOUD = 16, H_QUIET, H_CALL, H_VARIABLE, H_SETTING, H_OBJECT };     /* beside those of ph_scan_program.h */

/* The word begins with one of the space-separated stems. */
static int ph_begins_any(const ph_lexer *x, const ph_tok *t, const char *stems) {
    const uint8_t *word = x->p + t->at;
    for (const char *s = stems; *s;) {
        uint32_t k = 0;
        while (s[k] > ' ' && k < t->len && (uint8_t)s[k] == word[k]) {
            k++;
        }
        if (s[k] <= ' ') {
            return 1;
        }
        s += k + strcspn(s + k, " ");
        s += *s == ' ';
    }
    return 0;
}

/* Functions of PHP's extensions, by what their names begin with (PHP manual, function reference); stems that other
 * languages or SQL use as well go on until they are PHP's. */
static int ph_php_family(const ph_lexer *x, const ph_tok *t) {
    static const char *const stems[128] = {
        ['a'] = "apache_ apc_ apcu_ array_ch array_col array_com array_cou array_diff array_fill_ array_filter array_flip "
            "array_inter array_is array_key array_map array_merge array_multi array_pad array_po array_prod array_push "
            "array_rand array_red array_rev array_search array_shift array_sl array_sp array_sum array_u array_values "
            "array_walk",
        ['b'] = "base64_",
        ['c'] = "call_user class_ex class_impl class_uses connection_ab connection_st convert_cyr convert_uu create_func "
            "ctype_ cubrid_ curl_",
        ['d'] = "date_create date_default date_parse date_sun db2_ dba_ dbase_ dbx_ debug_ba debug_print debug_zval dio_ "
            "disk_free disk_total dns_check dns_get",
        ['e'] = "eio_ enchant_ error_cl error_get error_log error_rep exif_",
        ['f'] = "fam_ fann_ fastcgi_ fbird_ fbsql_ fdf_ file_ex file_get file_put filter_has filter_id filter_in filter_var "
            "finfo_ forward_static ftp_ func_get function_ex",
        ['g'] = "get_browser get_called get_cfg get_class_m get_class_v get_current_user get_decl get_def get_ext get_html "
            "get_incl get_loaded get_magic get_meta get_object_vars get_parent_class get_req get_resource_ gmp_ gnupg_ "
            "grapheme_ gzip_",
        ['h'] = "htmlspecialchars html_entity htmlentities hash_algos hash_file hash_final hash_hmac hash_init hash_pbk hash_up headers_list headers_sent highlight_ "
            "http_build http_resp",
        ['i'] = "ibase_ iconv_ ifx_ image_type imagick_ imap_ inet_ntop inet_pton ingres_ ini_ interface_ex is_call is_count "
            "is_exec is_iter is_num is_read is_res is_scalar is_sub is_upl is_writ iterator_app iterator_co",
        ['l'] = "ldap_ libxml_ lzf_",
        ['m'] = "mailparse_ mb_ mcrypt_ mdecrypt_ method_ex mhash_ mime_cont move_upl msql_ mssql_ mt_get mt_rand mt_sr "
            "mysql_ mysqli_ mysqlnd_",
        ['n'] = "ncurses_ nl2br nl_lang",
        ['o'] = "ob_ oci_ odbc_ opcache_ openal_ openssl_",
        ['p'] = "parse_ini parse_str pcntl_ pdf_ pg_ php_ phpdbg_ posix_ preg_ print_r proc_ property_ex pspell_",
        ['q'] = "quoted_print",
        ['r'] = "radius_ readline_ register_shut register_tick restore_err restore_exc rrd_ runkit7_ runkit_",
        ['s'] = "strip_tags stripsl stripcsl str_pad sapi_ sem_ session_ set_error set_exc set_file set_incl set_magic set_time shell_exec shm_ shmop_ "
            "show_source simplexml_ snmp2_ snmp3_ snmp_ sodium_ spl_ sqlite3_ sqlite_ sqlsrv_ ssdeep_ ssh2_ str_get "
            "str_irep str_rep str_rot str_shuf str_split str_word stream_b stream_co stream_f stream_get stream_is "
            "stream_re stream_s stream_w substr_co substr_rep swoole_ sybase_ sys_get",
        ['t'] = "tidy_ timezone_ token_get token_name trader_ trait_ex trigger_error",
        ['u'] = "uopz_ utf8_",
        ['v'] = "var_dump var_export variant_",
        ['w'] = "wddx_ win32_ wincache_",
        ['x'] = "xattr_ xdiff_ xml_ xmlrpc_ xmlwriter_",
        ['y'] = "yaml_ yaz_",
        ['z'] = "zend_ zip_",
    };
    const char *some = stems[x->p[t->at] & 127];
    return some && memchr(x->p + t->at, '_', t->len) && ph_begins_any(x, t, some);
}

/* Where the brackets that open at i are closed again, within ten tokens; 0: they are not. */
static int ph_bracket(const ph_tok *t, int i) {
    uint8_t open = t[i].type, close = open == '[' ? ']' : '}';
    for (int j = i + 1, deep = 1; j < i + 10 && t[j].type != TK_END; j++) {
        deep += t[j].type == open ? 1 : t[j].type == close ? -1 : 0;
        if (!deep) {
            return j;
        }
    }
    return 0;
}

/* The brackets at i close, and the statement with them: (..); */
static int ph_ends_call(const ph_tok *t, int i) {
    for (int j = i + 1; j < i + 20 && t[j].type != TK_END; j++) {
        if (t[j].type == ')' && t[j + 1].type == ';') {
            return 1;
        }
    }
    return 0;
}

/* One of PHP's functions with letters before it: what a value is glued to. */
static int ph_php_glued(const ph_lexer *x, const ph_tok *t) {
    for (uint32_t cut = 1; t->len < 32 && cut + 9 <= t->len; cut++) {
        uint32_t slot;
        const uint8_t *rest = x->p + t->at + cut;
        if (rest[-1] != '_' && x->words->all[ph_word_find(x->words, rest, t->len - cut, &slot)].kinds & K_PHP) {
            return 1;
        }
    }
    return 0;
}

/* $f(, $$f(, $f{0}(, $f['a'][0](, ${'f'}(, ${f . g}: a variable that is called, or named by an expression. */
static int ph_variable(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i + 1, sure = 0;
    while (t[j].type == '$' && j < i + 4) {
        j++;
    }
    if (t[j].type == '{') {
        int end = ph_bracket(t, j), named = t[j + 1].type == '@' || (ph_quote(t[j + 1].type) && !ph_quote(t[j + 2].type));
        if (!end) {
            return 0;
        }
        return named || (i == 0 && ((t[j].flags & F_SPACE && t[j + 1].type == TK_WORD) || (t[end + 1].type == '(' && ph_ends_call(t, end + 1))));
    }
    if (t[j].type != TK_WORD || t[j].flags & F_SPACE) {
        return 0;
    }
    const uint8_t *name = x->p + t[j].at;
    for (uint32_t k = 0; k < t[j].len; k++) {
        sure |= name[k] == '_' || ph_digit(name[k]);      /* $3 is a price, $AAPL (Apple) a share */
    }
    j++;
    for (int part = 0; part < 6; part++) {
        int end = (t[j].type == '[' && t[j + 1].type != ']') || (t[j].type == '{' && t[j + 1].type == TK_NUM) ? ph_bracket(t, j) : 0;
        end = t[j].type == '-' && t[j + 1].type == '>' && t[j + 2].type == TK_WORD ? j + 2 : end;
        if (!end) {
            break;
        }
        j = end + 1;
        sure = 1;
    }
    if (t[j].type == '(') {
        return !(t[j].flags & F_SPACE) || sure || t[j].flags & (F_COMMENT | F_LINE) || ph_quote(t[j + 1].type);
    }
    if ((t[j].type == '/' && t[j + 1].type == '/') || t[j].type == '#') {
        for (int k = j + 1; k < j + 10 && t[k].type != TK_END; k++) {
            if (t[k].flags & F_LINE) {
                return t[k].type == '(';                      /* a comment stands between */
            }
        }
    }
    return 0;
}

/* A::$f(, ('f')(, ['f'][0](, "f"(, ("f"."g")(: calls of what a value names (PHP manual, variable functions). */
static int ph_called_by_name(const ph_lexer *x, const ph_tok *t, int i) {
    uint8_t c = t[i].type;
    uint32_t runs = K_PHP | K_CMD | K_TOOL;
    if (t[i + 1].type != '(') {
        return 0;
    }
    if (i > 1 && ph_ends_call(t, i + 1) && (c == ')' || (c == ']' && t[i - 1].type == TK_NUM) || (ph_quote(c) && t[i - 1].type == TK_WORD && t[i - 2].type == c && !(t[i + 1].flags & F_SPACE)))) {
        return 1;
    }
    if (ph_quote(c)) {                                        /* "f"( and 'f'.'g'( */
        return i > 1 && t[i - 1].type == TK_WORD && t[i - 2].type == c && !(t[i + 1].flags & F_SPACE)
            && (t[i - 1].kinds & K_PHP || (i > 2 && t[i - 3].type == '.'));
    }
    if (c == ')' && i > 1) {
        int quoted = i > 3 && ph_quote(t[i - 1].type) && t[i - 2].type == TK_WORD && t[i - 3].type == t[i - 1].type
            && (t[i - 4].type == '(' || t[i - 4].type == '.');
        int joined = i > 3 && t[i - 1].type == TK_WORD && t[i - 2].type == '.' && t[i - 3].type == ')' && (t[i + 2].type == '@' || ph_quote(t[i + 2].type));
        int element = i > 4 && t[i - 1].type == ']' && t[i - 2].type == TK_NUM && t[i - 3].type == '[' && t[i - 4].type == ']';
        return quoted || joined || element
            || (i == 2 && t[1].type == TK_WORD && t[1].kinds & runs && t[0].type == '(' && (ph_quote(t[i + 2].type) || t[i + 2].type == '@' || t[i + 2].type == '$'));
    }
    if (c == '}') {                                           /* (..){0}( */
        return i > 3 && t[i - 1].type == TK_NUM && t[i - 1].len == 1 && x->p[t[i - 1].at] == '0' && t[i - 2].type == '{'
            && (t[i - 3].type == ')' || t[i - 3].type == ']');
    }
    return c == ']' && i > 3 && t[i - 1].type == TK_NUM && t[i - 2].type == '['
        && (t[i - 3].type == ']' || t[i - 3].type == ')' || t[i - 3].type == '}');
}

/* session.save_path=, open_basedir=: what php -d or a .user.ini would set (PHP manual, list of directives). */
static int ph_php_setting(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *b = &t[i + 2];
    if (t[i + 1].type == '.' && b->type == TK_WORD && !(b->flags & F_SPACE) && t[i + 3].type == '=') {
        int under = memchr(x->p + b->at, '_', b->len) != NULL;
        return (under && ph_is_any(x, &t[i], "apc assert bcmath cgi cli_server com curl dba exif fastcgi ffi filter gd hard highlight "
                "ibase iconv imagick imap intl ldap mail mbstring mcrypt memcache memcached mssql mysql mysqli mysqlnd oci8 odbc "
                "opcache openssl pcre pdo_odbc pdo_mysql pgsql phar phpdbg runkit session soap sqlite3 suhosin swoole sysvshm tidy "
                "uploadprogress uopz url_rewriter user_ini wincache xdebug xhprof xmlrpc yaml yaz zend zlib"))
            || (ph_is(x, &t[i], "date") && ph_is(x, b, "timezone")) || (ph_is(x, &t[i], "phar") && ph_is(x, b, "readonly"))
            || (ph_is(x, &t[i], "assert") && ph_is_any(x, b, "active bail callback exception warning"))
            || (ph_is(x, &t[i], "ffi") && ph_is_any(x, b, "enable preload")) || (ph_is(x, &t[i], "mail") && ph_is(x, b, "log"))
            || (ph_is(x, &t[i], "opcache") && ph_is_any(x, b, "enable jit preload")) || (ph_is(x, &t[i], "zend") && ph_is(x, b, "assertions"))
            || (ph_is(x, &t[i], "openssl") && ph_is_any(x, b, "cafile capath")) || (ph_is(x, &t[i], "arg_separator") && ph_is_any(x, b, "input output"));
    }
    if (t[i + 1].type != '=' || !memchr(x->p + t[i].at, '_', t[i].len)) {      /* most: the list is long */
        return t[i + 1].type == '=' && ph_is(x, &t[i], "precision");
    }
    return ph_is_any(x, &t[i], "allow_url_fopen allow_url_include open_basedir disable_functions disable_classes "
        "auto_append_file auto_prepend_file auto_detect_line_endings auto_globals_jit default_mimetype default_socket_timeout "
        "display_startup_errors doc_root docref_ext docref_root enable_post_data_reading error_log error_reporting expose_php "
        "unserialize_max_depth unserialize_callback_func display_errors error_prepend_string error_append_string memory_limit "
        "ignore_repeated_errors ignore_repeated_source ignore_user_abort implicit_flush internal_encoding log_errors "
        "max_execution_time max_file_uploads max_input_nesting_level max_input_time max_input_vars max_multipart_body_parts "
        "post_max_size upload_max_filesize file_uploads include_path extension_dir sendmail_path sendmail_from sys_temp_dir "
        "output_buffering output_encoding realpath_cache_size realpath_cache_ttl register_argc_argv register_long_arrays "
        "report_memleaks request_order safe_mode safe_mode_gid safe_mode_exec_dir safe_mode_include_dir smtp_port track_errors "
        "upload_tmp_dir user_dir variables_order short_open_tag register_globals magic_quotes_gpc magic_quotes_runtime "
        "magic_quotes_sybase output_handler "
        "enable_dl serialize_precision html_errors input_encoding default_charset user_ini_filename log_errors_max_len zend_extension");
}

/* O:4:"Name":1:{ wherever it stands: what unserialize() makes an object of. */
static int ph_php_object(const ph_tok *t, int i) {
    int j = i + 2;
    j += t[j].type == '+';
    if (t[i].len != 1 || t[i + 1].type != ':' || t[j].type != TK_NUM || t[j + 1].type != ':' || t[j + 2].type != '"') {
        return 0;
    }
    for (int k = j + 3; k < j + 16 && t[k].type != TK_END; k++) {
        if (t[k].type == '"') {
            return t[k + 1].type == ':' && t[k + 2].type == TK_NUM && t[k + 3].type == ':' && t[k + 4].type == '{';
        }
    }
    return 0;
}

/* shell.jsp, a.phtml..: a header that names an upload which the server would run. */
static int ph_upload_name(const uint8_t *p, size_t n) {
    static const char *const ends[] = {"php", "phtml", "phar", "pht", "phps", "pgif", "shtml", "jsp", "jspx", "jspf", "jspa", "jsw", "jsv", "jhtml",
        "asp", "aspx", "ashx", "asmx", "ascx", "asa", "cer", "cdx", "cfm", "cfml", "cfc", "htaccess", NULL};
    size_t end = n, dot, name;
    while (end && (ph_space(p[end - 1]) || p[end - 1] == '.')) {
        end--;
    }
    for (dot = end; dot && p[dot - 1] != '.' && end - dot < 10; dot--) {
    }
    for (name = dot; name < end && ph_space(p[name]); name++) {   /* a. phtml */
    }
    if (dot < 2 || p[dot - 1] != '.' || n > 120 || p[0] == '/' || memchr(p, ':', n) || memchr(p, '?', n) || memchr(p, '=', n) || memchr(p, ',', n)) {
        return 0;
    }
    char last[12];
    size_t k = 0;
    for (; name + k < end && k < sizeof last - 1; k++) {
        last[k] = (char)ph_fold(p[name + k]);
    }
    k -= k == 4 && memcmp(last, "php", 3) == 0 && ph_digit((uint8_t)last[3]);    /* php3 to php8 */
    last[k] = 0;
    for (const char *const *e = ends; *e; e++) {
        if ((*e)[0] == last[0] && strcmp(*e, last) == 0) {
            return 1;
        }
    }
    return 0;
}

static __attribute__((noinline)) void ph_php_word(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t d = t[i + 1].type;
    uint32_t k = t[i].kinds;
    if (d == '(') {
        int loud = k & K_PHP ? memchr(x->p + t[i].at, '_', t[i].len) || ph_is_any(x, &t[i], "fputcsv fgetcsv filegroup fileatime filectime "
                "fileinode filemtime fileowner fileperms getlastmod getmygid getmyinode getmypid getmyuid phpcredits fgetss readgzfile "
                "phpinfo system passthru popen unserialize gzinflate readfile usort fsockopen scandir phpversion assert "
                "unpack bzdecompress pfsockopen gzdeflate") : !v->prose && ph_php_family(x, &t[i]);
        int named = v->prose && (t[i + 2].type == ')' || (t[i + 2].type == TK_NUM && t[i + 3].type == ')'))
            && !ph_at(x->p, x->n, t[i].at, "php");            /* what a sentence calls system() */
        int quiet = !loud && (k & K_PHP || ph_role(x, &t[i]) & R_PHP);
        loud |= !k && !quiet && !v->prose && ph_php_glued(x, &t[i]);
        int apart = t[i + 1].flags & (F_COMMENT | F_LINE), space = t[i + 1].flags & F_SPACE;
        int first = i == 0 && !v->prose, given = ph_quote(t[i + 2].type) || t[i + 2].type == '$';
        int led = !v->prose && i && t[i - 1].type > TK_CMT && memchr("=,(;{&|!", t[i - 1].type, 8);
        if (loud || quiet) {
            unsigned points = named ? 10 : t[i + 1].flags & F_COMMENT || (first && (loud || apart || given)) || (led && given) ? 60 : !loud ? 20
                : space && !ph_at(x->p, x->n, t[i].at, "phpinfo") && !memchr(x->p + t[i].at, '_', t[i].len) ? 30 : 60;
            ph_once(v, PH_S_CODE, seen, loud ? H_LOUD : H_QUIET, points, "php-function", t[i].at);
        }
    }
    if (i == 0 && d == '[' && ph_is_any(x, &t[i], "_get _post _request _server _cookie _session _files _env _conf")) {
        ph_once(v, PH_S_CODE, seen, H_VARIABLE, 60, "php-variable", t[i].at);
    }
    if (k & K_PHPX && (d == '[' || d == '=' || (i && t[i - 1].type == '$') || ph_at(x->p, x->n, t[i].at, "php_value"))) {
        ph_once(v, PH_S_CODE, seen, H_VARIABLE, 60, d == '=' ? "php-setting" : "php-variable", t[i].at);
    } else if (i == 0 && ph_php_setting(x, t, i)) {
        ph_once(v, PH_S_CODE, seen, H_SETTING, 60, "php-setting", t[i].at);
    } else if (d == ':' && ph_php_object(t, i) && memchr("oc", x->p[t[i].at], 2)) {
        ph_once(v, PH_S_CODE, seen, H_OBJECT, 80, "php-object", t[i].at);
    }
}

static __attribute__((noinline)) void ph_php_mark(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    if (c == '$' && d == TK_WORD && ph_is_any(x, &t[i + 1], "_get _post _request _server _cookie _session _files _env _globals "
            "http_cookie_vars http_env_vars http_get_vars http_post_files http_post_vars http_server_vars http_session_vars "
            "http_request_vars php_errormsg http_response_header argv argc")) {
        ph_once(v, PH_S_CODE, seen, H_VARIABLE, 60, "php-variable", t[i].at);
    } else if (v->prose || v->where == PH_W_HEADER) {
        return;
    } else if (c == '$' ? ph_variable(x, t, i) : ph_called_by_name(x, t, i)) {
        ph_once(v, PH_S_CODE, seen, H_CALL, 60, "call-by-name", t[i].at);
    } else if (c == ':' && d == ':' && t[i + 2].type == '$' && t[i + 3].type == TK_WORD && t[i + 4].type == '(') {
        ph_once(v, PH_S_CODE, seen, H_CALL, 60, "call-by-name", t[i].at);
    } else if (c == '@' && d == TK_WORD && t[i + 2].type == '(' && !(t[i + 1].flags & F_SPACE) && (t[i + 1].kinds & K_PHP || ph_is_any(x, &t[i + 1],
               "eval exec mail file unlink"))) {
        ph_once(v, PH_S_CODE, seen, H_CALL, 60, "silent-call", t[i].at);
    } else if (c == '<' && d == '?' && ph_is(x, &t[i + 2], "xml") && (t[i + 3].type == ':' || t[i + 3].type == ';' || ph_is_any(x, &t[i + 3], "echo print eval system"))) {
        ph_once(v, PH_S_CODE, seen, H_CALL, 60, "php-tag", t[i].at);
    } else if ((c == '[' || c == '{') && v->where != PH_W_JSON && ph_is(x, &t[i + 1 + (d == '/')], "php")
               && t[i + 2 + (d == '/')].type == (c == '[' ? ']' : '}')) {
        ph_once(v, PH_S_CODE, seen, H_CALL, 60, "php-tag", t[i].at);
    }
}

static inline void ph_php(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t d = t[i + 1].type;
    if (t[i].type != TK_WORD) {
        ph_php_mark(x, t, i, seen, v);
    } else if (d == '(' || i == 0 || t[i].kinds & K_PHPX || (d == ':' && t[i].len == 1)) {
        ph_php_word(x, t, i, seen, v);
    }
}
#endif
