"""Libraries, objects, XPath and hidden files of many languages and products, and their doubles."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

ATTACKS = [
    "os.popen('pwd').read()",
    "subprocess.check_output(['pwd'])",
    "importlib.import_module('os')",
    "pickle.loads(b)",
    "pty.spawn('/bin/ksh')",
    "().__class__.__bases__[0].__subclasses__()",
    "getattr(b,'c')",
    "cposix\nsystem\n(S'pwd'\ntR.",
    "c__builtin__\neval\n",
    "gASVKAAAAAAAAACMBXBvc2l4",
    'Process.spawn("pwd")',
    "IO.popen('pwd').read",
    'Kernel.exec("pwd")',
    'Open3::capture3("pwd")',
    "File.open('/b').read",
    "Dir.entries('/')",
    'instance_eval("b")',
    'b.send(:system,"pwd")',
    'ERB.new("b").result',
    "%x(whoami)",
    'require["fs"]',
    "require.main.children",
    "process.argv",
    "process.stdout.write(2)",
    "module.exports=2",
    "fs.readFileSync('/b')",
    "vm.runInNewContext('b')",
    "res.send(b)",
    "b.__defineGetter__('c')",
    'b={"constructor":{"prototype":{"c":2}}}',
    'System.Diagnostics.Process.Start("cmd")',
    "System.Reflection.Assembly.Load(b)",
    'System.IO.File.ReadAllText("b")',
    "Activator.CreateInstance(b)",
    "!ruby/object:Gem::Requirement",
    "a: !!com.zaxxer.hikari.HikariConfig",
    "tag:yaml.org,2002:python/object/new:b",
    "$&lbracejndi:ldap://b.test/c}",
    "$&lcub;jndi:dns://b.test}",
    '"whoami".execute()',
    "string-length(name(/*[2]))=5",
    "count(//b)",
    "'b']|//*|//*['",
    "doc('http://b.test/')",
    "while((2))",
    "while(((true)));",
    "'; return '' == '",
    "lchmodSync('b')",
    "fs.opendirSync('b')",
    "copyFile('b','c')",
    "watchFile('b')",
    "global.process",
    "global['process']",
    "globalThis.require",
    "constructor['b']",
    "process . mainModule",
    "Process . spawn ('b')",
    "__js_function",
    "data:text/plain,<b",
    "data:*/*,b",
    "http://b.test/c??",
    "b.cookie=c; expires=d",
    "/.rhosts",
    "/b/.pgpass",
    "/.zsh_history",
    "/.codex/b.json",
    "/.config/gcloud/b",
    "/.my.cnf",
    "/.git-credentials",
    "/var/b.log",
    "C:\\tmp\\sess_abcdefghijklm",
    "0x5c0x2e./b",
    "0x2e0x2e\\0x2e0x2e\\b",
]

HONEST = [
    "process.of.change",
    "the process (2)",
    "io.example.org",
    "os.example",
    "file.open",
    "dir.name(x)",
    "module.name=5",
    "exports to Norway",
    "exports.csv",
    "require a visa",
    "required(5)",
    "system.requirements",
    "System.Net",
    "send(money)",
    "executed (5)",
    "!important",
    "Hello!! com.example",
    "tag:yaml",
    "count(5)",
    "text(5)",
    "see //cdn.example/x",
    "/.well-known/acme-challenge/x",
    "/a/./b",
    "/.github/workflows",
    "/forward",
    "/var/lab",
    "/wp-content/uploads/a.png",
    "/x/sess_short",
    "sess_0123456789abcdef0123",
    "0x2e",
    "while (waiting)",
    "gasvrij wonen",
    "cosmos\nsystem",
    "async(5)",
    "dataSync(5)",
    "copyFile(a)",
    "global.warming",
    "global process",
    "constructor of ships",
    "data: text/plain",
    "data:image/png;base64,iVBORw0KGgo=",
    "https://example.org/search?",
    "really??",
    "the cookie=sweet; path=long",
]

UPLOADS = ["b.php", "b.PHP5", "b.phps", "b. phtml", "b.shtml", "b.aspx.", "b.jspx", "b.cfm"]
FILES = ["b.txt", "b.php.txt", "example.org", "a, b.php", "gzip", "b.phpx", "2.php4x", "/b.php"]
AGENTS = [
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "dotdotpwn/3.1",
    "sqlninja/0.3",
    "morfeus",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_runs_or_reads_is_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "query")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("text", HONEST)
def test_what_looks_like_it_passes(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "query")
    assert found is None or found[0] < 45, found


@pytest.mark.parametrize("text", UPLOADS)
def test_programs_as_uploads_are_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "header")
    assert found is not None
    assert found[0] >= 70, found


@pytest.mark.parametrize("agent", AGENTS)
def test_scanners_are_known_by_name(scanner: Scanner, agent: str) -> None:
    found = scanner.request({"PATH_INFO": "/", "QUERY_STRING": "", "HTTP_USER_AGENT": agent})
    assert found is not None
    assert found[0] >= 70, found


@pytest.mark.parametrize("agent", ["curl/8.5.0", "nmap of the network", "a-sqlninja/2"])
def test_other_clients_pass(scanner: Scanner, agent: str) -> None:
    found = scanner.request({"PATH_INFO": "/", "QUERY_STRING": "", "HTTP_USER_AGENT": agent})
    assert found is None or found[0] < 52, found


@pytest.mark.parametrize("text", FILES)
def test_other_names_in_headers_pass(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "header")
    assert found is None or found[0] < 52, found
