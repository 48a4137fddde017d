/* Calls of libraries that run, load or read something, in Python, Ruby, JavaScript on a server, .NET and Lua; objects that
 * YAML and pickles make; XPath.
 */
#ifndef PH_SCAN_MODULE_H
#define PH_SCAN_MODULE_H

#include "ph_scan_lex.h"

enum { M_CALL = 40, M_OBJECT, M_XPATH };                  /* beside those of ph_scan_line.h */

typedef struct ph_module { const char *names, *calls; } ph_module;

/* Modules and classes that are one name in one of these languages or in several, and what they do. */
static const ph_module ph_modules[] = {
    {"os", "system popen popen2 popen3 spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe execl execle execlp execlpe execv "
        "execve execvp execvpe fork forkpty posix_spawn startfile listdir scandir walk getenv putenv unlink rmdir removedirs kill "
        "execute cmd readfile writefile"},
    {"subprocess commands popen2", "run call popen popen2 popen3 check_call check_output getoutput getstatusoutput"},
    {"pty", "spawn fork"},
    {"pickle cpickle _pickle dill jsonpickle marshal shelve yaml psych oj", "load loads unpickler decode load_all unsafe_load full_load open"},
    {"importlib", "import_module __import__ reload"},
    {"builtins __builtins__ __builtin__", "eval exec open compile getattr __import__"},
    {"shutil", "rmtree move copy copyfile"},
    {"ctypes", "cdll windll"},
    {"process", "spawn kill fork exec daemon clone start dlopen cwd chdir umask exit abort getprocesses"},
    {"io ioutil", "popen read readlines readall readfile sysopen binread binwrite write copy_stream"},
    {"kernel", "exec system open spawn eval fork load require"},
    {"file", "open read readlines binread write delete unlink symlink chmod rename readalltext readallbytes readalllines writealltext writeallbytes"},
    {"dir", "entries glob foreach mkdir"},
    {"open3", "capture2 capture2e capture3 popen2 popen2e popen3 pipeline"},
    {"erb", "new"},
    {"fs fsp", "readfile readfilesync writefile writefilesync readdir readdirsync existssync unlink unlinksync createreadstream "
        "createwritestream appendfile appendfilesync rm rmsync rmdirsync statsync opensync symlinksync"},
    {"vm", "runinnewcontext runinthiscontext runincontext compilefunction script"},
    {"module", "_load createrequire"},
    {"buffer", "from alloc allocunsafe"},
    {"res response", "end send write sendfile writehead"},
    {"reflect", "construct apply defineproperty getownpropertydescriptor"},
    {"activator", "createinstance createinstancefrom"},
    {"assembly", "load loadfrom loadfile loadwithpartialname unsafeloadfrom"},
    {"environment", "exit getenvironmentvariable getenvironmentvariables expandenvironmentvariables failfast"},
    {"exec syscall", "command commandcontext exec forkexec"},
};

/* module.call( or module::call(: token i is the call. */
static int ph_module_call(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i - 2 - (i > 2 && t[i - 1].type == ':' && t[i - 2].type == ':');
    if (j < 0 || (t[i - 1].type != '.' && j != i - 3) || ((t[i].flags | t[i - 1].flags) & F_SPACE && !ph_quote(t[i + 2].type)) || t[j].type != TK_WORD
        || !(ph_role(x, &t[j]) & R_MODULE) || (j && t[j - 1].type == '.')) {
        return 0;
    }
    for (size_t k = 0; k < sizeof ph_modules / sizeof *ph_modules; k++) {
        if (ph_is_listed(x, &t[j], ph_modules[k].names)) {
            return ph_is_listed(x, &t[i], ph_modules[k].calls);
        }
    }
    return 0;
}

/* Namespaces of .NET whose types an honest value does not name. */
static int ph_net_type(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *b = &t[i + 2], *d = &t[i + 4];
    if (!ph_is(x, &t[i], "system") || t[i + 1].type != '.' || b->type != TK_WORD || b->flags & F_SPACE || (i && t[i - 1].type == '.')) {
        return 0;
    }
    if (ph_is_any(x, b, "activator appdomain")) {
        return 1;
    }
    return t[i + 3].type == '.' && d->type == TK_WORD && !(d->flags & F_SPACE) && (ph_is_any(x, b, "reflection windows management workflow "
        "codedom configuration runtime enterpriseservices addin") || (ph_is(x, b, "diagnostics") && ph_is_any(x, d, "process processstartinfo"))
        || (ph_is(x, b, "io") && ph_is_any(x, d, "file directory fileinfo directoryinfo filestream streamreader streamwriter pipes"))
        || (ph_is(x, b, "net") && ph_is_any(x, d, "webclient webrequest httpwebrequest sockets dns"))
        || (ph_is(x, b, "web") && ph_is_any(x, d, "ui configuration security httpruntime hosting"))
        || (ph_is(x, b, "security") && ph_is_any(x, d, "principal claims cryptography"))
        || (ph_is(x, b, "data") && ph_is_any(x, d, "services dataset entity")));
}

/* Files and processes of Node by their functions' own names (Node.js API, fs and child_process). */
static int ph_node_call(const ph_lexer *x, const ph_tok *t, int i) {
    ph_tok name = t[i];
    if (name.len > 6 && ph_at(x->p, x->n, name.at + name.len - 4, "sync")) {
        name.len -= 4;
        return ph_is_any(x, &name, "access appendfile chmod chown close copyfile cp exec execfile exists fchmod fchown fdata fstat ftruncate "
            "futimes lchmod lchown link lstat lutimes mkdir mkdtemp open opendir read readdir readfile readlink readv realpath rename rm "
            "rmdir spawn stat statfs symlink truncate unlink utimes write writefile writev");
    }
    return ph_quote(t[i + 2].type) && ph_is_any(x, &t[i], "appendfile copyfile createreadstream createwritestream execfile fchmod fchown "
        "ftruncate futimes lchmod lutimes mkdtemp readfile readv spawnfile unwatchfile watchfile writefile writev");
}

/* global.process, global['require']: what sees everything. */
static int ph_node_global(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i + 2 + ph_quote(t[i + 2].type);
    return (t[i + 1].type == '.' || t[i + 1].type == '[') && ph_is_any(x, &t[i], "global globalthis") && !(t[i + 1].flags & F_SPACE)
        && ph_is_any(x, &t[j], "process require module constructor mainmodule");
}

/* Functions that are told without a module. */
static int ph_bare_call(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *given = &t[i + 2];
    if (ph_is_any(x, &t[i], "instance_eval class_eval module_eval instance_exec const_get define_method instance_variable_get "
            "__definegetter__ __definesetter__ __lookupgetter__ __lookupsetter__ __subclasses__ __getattribute__ __import__ "
            "runinnewcontext runinthiscontext execfile execfilesync spawnsync check_output createinstance")) {
        return 1;
    }
    if (ph_is_any(x, &t[i], "send public_send __send__")) {
        return given->type == ':' && ph_is_any(x, given + 1, "system exec eval instance_eval open fork spawn constantize class_eval");
    }
    if (ph_is_any(x, &t[i], "execute")) {                   /* Groovy: "id".execute(), ["id"].execute() */
        return i > 3 && t[i - 1].type == '.' && ph_quote(t[i - (t[i - 2].type == ']' ? 3 : 2)].type) && given->type == ')';
    }
    if (ph_is(x, &t[i], "x") && i && t[i - 1].type == '%' && !(t[i].flags & F_SPACE)) {
        return given->kinds & (K_CMD | K_TOOL) || given->type == '/';          /* Ruby and Perl: %x(id) */
    }
    return i == 0 && ph_is_any(x, &t[i], "getattr setattr delattr globals locals breakpoint");
}

/* XPath (W3C, XPath 1.0, 4): functions of a document's own nodes, another document. */
static int ph_xpath(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *given = &t[i + 2];
    int root = (given->type == '/' && t[i + 3].type == '/' && (t[i + 4].type == TK_WORD || t[i + 4].type == '*')) || (given->type == TK_CMT && t[i + 3].type == '[')
        || (given->type == '/' && t[i + 3].type == '*');
    if (root) {
        return ph_is_any(x, &t[i], "count name string substring contains concat sum not boolean number local length translate space with "
            "before after");
    }
    return ph_is_any(x, &t[i], "doc document collection text available") && ph_quote(given->type) && t[i + 3].kinds & K_SCHEME && t[i + 4].type == ':';
}

/* !!python/object/apply:, !ruby/object:, !!java.net.URL: tags that make a loader build objects (YAML 1.2, 6.9). */
static int ph_yaml_tag(const ph_lexer *x, const ph_tok *t, int i) {
    int two = t[i + 1].type == '!';
    const ph_tok *lang = &t[i + 1 + two];
    if ((i && t[i - 1].type != ':' && t[i - 1].type != '[' && t[i - 1].type != ',' && !(t[i].flags & F_SPACE)) || lang->flags & F_SPACE) {
        return 0;
    }
    return (lang[1].type == '/' && ph_is_any(x, lang, "python ruby perl php js")) || (two && lang[1].type == '.' && ph_is_any(x, lang,
        "javax java com org jdk sun net ch groovy") && lang[2].type == TK_WORD);
}

/* cos\nsystem\n: a pickle's oldest words (Python, pickletools). */
static int ph_pickle(const ph_lexer *x, const ph_tok *t, int i) {
    return i == 0 && x->p[t[0].at] == 'c' && t[1].type == TK_WORD && t[1].flags & F_LINE && ph_is_any(x, &t[0], "cos cposix cnt cbuiltins c__builtin__ "
        "c__builtins__ csubprocess ccommands cpty csys cimportlib ctimeit crunpy cplatform") && ph_is_any(x, &t[1], "system popen eval exec getattr "
        "apply check_output call run open execfile compile globals spawn import_module __import__ timeit run_path getoutput modules");
}

static __attribute__((noinline)) void ph_module_asked(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    unsigned points = v->prose ? 30 : 60;
    if (t[i].type != TK_WORD) {
        if (t[i].type == '(' && t[1].type == TK_WORD && t[2].flags & F_LINE && ph_is_any(x, &t[1], "dp0 lp0 dp1 lp1 ios iposix ibuiltins i__builtin__")) {
            ph_once(v, PH_S_CODE, seen, M_OBJECT, 60, "object-tag", t[i].at);   /* a pickle's first mark */
        } else if (t[i].type == '!' && ph_yaml_tag(x, t, i)) {
            ph_once(v, PH_S_CODE, seen, M_OBJECT, points, "yaml-object", t[i].at);
        } else if (t[i].type == ']' && t[i + 1].type == '|' && t[i + 2].type == '/'
                   && (t[i + 3].type == '/' || t[i + 3].type == TK_CMT) && i && ph_quote(t[i - 1].type)) {
            ph_once(v, PH_S_CODE, seen, M_XPATH, points, "xpath", t[i].at);
        }
        return;
    }
    if (t[i + 1].type == '(') {
        if (ph_module_call(x, t, i) || ph_bare_call(x, t, i) || ph_node_call(x, t, i)) {
            ph_once(v, PH_S_CODE, seen, M_CALL, points, "library-call", t[i].at);
        } else if (ph_xpath(x, t, i)) {
            ph_once(v, PH_S_CODE, seen, M_XPATH, points, "xpath", t[i].at);
        }
    }
    if (ph_node_global(x, t, i)) {
        ph_once(v, PH_S_CODE, seen, M_OBJECT, points, "node-object", t[i].at);
    } else if (ph_net_type(x, t, i)) {
        ph_once(v, PH_S_CODE, seen, M_OBJECT, points, "net-type", t[i].at);
    } else if (i == 0 && (ph_pickle(x, t, i) || (ph_is(x, t, "tag") && t[1].type == ':' && ph_is(x, &t[2], "yaml") && t[7].type == ':'
               && ph_is_any(x, &t[8], "python ruby java perl php js")))) {
        ph_once(v, PH_S_CODE, seen, M_OBJECT, 60, "object-tag", t[i].at);
    }
}

static inline void ph_module_at(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    if (c == TK_WORD ? d == '(' || i == 0 || (d == '.' && t[i].kinds & K_PHP) || (x->p[t[i].at] == 'g' && (d == '.' || d == '[')) : c == '!' || c == ']' || (c == '(' && i == 0)) {
        ph_module_asked(x, t, i, seen, v);
    }
}
#endif
