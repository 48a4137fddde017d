/* The words that mean something to SQL, JavaScript, shells, PHP, Java, and what they mean. */
#ifndef PH_SCAN_WORDS_H
#define PH_SCAN_WORDS_H

#include "ph_scan.h"
#include "ph_scan_names.h"

enum {
    K_LOGIC = 1 << 0, K_UNION = 1 << 1, K_SELECT = 1 << 2, K_STMT = 1 << 3, K_SIDE = 1 << 4,
    K_FUNC = 1 << 5, K_META = 1 << 6, K_CONST = 1 << 7, K_CMP = 1 << 8, K_CLAUSE = 1 << 9,
    K_SINK = 1 << 10, K_OBJ = 1 << 11, K_CMD = 1 << 12, K_TOOL = 1 << 13, K_PHP = 1 << 14,
    K_JAVA = 1 << 15, K_TABLE = 1 << 16, K_EVIL = 1 << 17, K_NODE = 1 << 18, K_PHPX = 1 << 19,
    K_TAG = 1 << 20, K_MARKUP = 1 << 21, K_FILE = 1 << 22, K_SCHEME = 1 << 23, K_SPOKEN = 1 << 24, K_AGENT = 1 << 25
};

/* Roles beside those. R_SCOPE: names that a template's expression asks for. R_PHP: functions that no other language has, or
 * has by a name that no text holds before a bracket and a quote. R_CALLED: functions of databases that the kinds leave out,
 * R_BARE: those that are called without brackets, R_OPERATOR: words that join two values, R_MODULE: of ph_modules,
 * R_EVENT: handlers of events, R_VERSIONED: programs whose version may stand behind their name, R_TERSE: programs whose name no
 * sentence and no list of terms holds for another reason. */
enum { R_SCOPE = 1, R_PHP = 2, R_CALLED = 4, R_BARE = 8, R_OPERATOR = 16, R_VERSIONED = 32, R_TERSE = 64, R_MODULE = 1 << 14, R_EVENT = 1 << 15 };

typedef struct ph_group { uint32_t kinds; const char *words; } ph_group;

/* K_TOOL: no other use in a text than to be run. K_CMD: also plain words.
 * K_SPOKEN: those that a list of columns or a title may well hold.
 * K_SIDE: SQL functions with an effect or a delay; K_FUNC: that injections build values with. */
static const ph_group ph_groups[] = {
    {K_LOGIC, "or and xor div eqv imp"},
    {K_UNION, "union except intersect minus nunion"},
    {K_SELECT, "select"},
    {K_STMT, "insert update delete drop create alter truncate exec execute declare waitfor shutdown "
        "grant revoke merge replace call load copy rename handler begin backup restore reconfigure kill"},
    {K_SIDE, "sleep benchmark pg_sleep extractvalue updatexml load_file xp_cmdshell xp_dirtree xp_regread "
        "utl_inaddr utl_http dbms_pipe dbms_lock dbms_ldap sp_executesql sp_oacreate sp_password openrowset "
        "opendatasource name_const master_pos_wait randomblob generate_series lo_import lo_export lo_get "
        "pg_read_file sys_eval sys_exec xmltype ctxsys dbms_xmlquery dbms_java get_lock fn_varbintohexstr "
        "procedure_analyse gtid_subset st_latfromgeohash st_pointfromgeohash httpuritype sys_context "
        "dbms_utility pg_ls_dir database_to_xml query_to_xml regexp_substring user_lock dbms_session dbms_scheduler dbms_job "
        "dbms_metadata dbms_xmlgen dbms_xslprocessor dbms_sql dbms_export_extension dbms_advisor dbms_random dbms_cloud "
        "dbms_xmlstore dbms_redefinition dbms_backup_restore dbms_crypto dbms_obfuscation_toolkit dbms_assert utl_file utl_smtp "
        "utl_tcp utl_raw utl_encode utl_url utl_compress owa_util dburitype xdburitype ordsys mdsys ctx_query "
        "pg_sleep_for pg_sleep_until pg_read_binary_file pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_stat_file pg_reload_conf "
        "pg_terminate_backend pg_cancel_backend pg_logical_emit_message lo_create lo_put lo_from_bytea lo_unlink loread lowrite "
        "dblink dblink_connect dblink_exec dblink_send_query table_to_xml schema_to_xml cursor_to_xml query_to_xml_and_xmlschema "
        "load_extension fts3_tokenizer source_pos_wait wait_for_executed_gtid_set "
        "gtid_subtract st_longfromgeohash sleepeachrow xp_fileexist xp_subdirs xp_regwrite xp_regdeletekey xp_regenumvalues "
        "xp_availablemedia xp_enumgroups xp_enumdsn xp_loginconfig xp_ntsec_enumdomains xp_servicecontrol xp_terminate_process "
        "xp_makecab xp_fixeddrives xp_getfiledetails sp_makewebtask sp_addextendedproc sp_dropextendedproc sp_addlogin "
        "sp_addsrvrolemember sp_oamethod sp_oagetproperty sp_execute_external_script sp_add_jobstep sp_add_jobserver "
        "sp_start_job fn_xe_file_target_read_file fn_trace_gettable fn_get_audit_file fn_dblog"},
    {K_FUNC, "concat concat_ws group_concat char chr nchar ascii ord substring substr mid hex unhex cast convert "
        "count md5 sha1 elt make_set exp floor rand ifnull nullif coalesce version user database schema "
        "current_user session_user system_user length len char_length left reverse lower upper ltrim if iif "
        "isnull json_extract json_depth json_keys json_arrayagg aes_decrypt aes_encrypt uncompress compress "
        "export_set bin_to_num row_number to_char power abs pow lpad rpad instr locate position find_in_set "
        "polygon multipoint geometrycollection linestring multipolygon multilinestring string_agg "
        "nvl decode encode quote strcmp interval field values row conv cot overlay analyse ifnull "
        "from_base64 to_base64 xmltable randomblob last_insert_id"},
    {K_META, "information_schema sysobjects syscolumns sysdatabases sysusers all_tables all_tab_columns "
        "all_users user_tables user_tab_columns pg_catalog pg_shadow pg_user pg_class sqlite_master "
        "msysobjects sysibm syscat mysql.user mysql.db rdb sqlite_version pg_tables v$version v$session "
        "sysprocesses sysmaster table_schema column_name table_name user_objects dba_users syslogins "
        "msdb schema_name microsoftversion domain.domains syscat.dbauth innodb_table_stats ack_variable sql_delimit "
        "msysaccessobjects msysaccessstorage msysaccessxml msysaces msysmodules msysmodules2 msysqueries msysrelationships tempdb "
        "pg_toast sqlite_temp_master sysservers"},
    {K_CONST, "null true false"},
    {K_CMP, "like rlike regexp in between is sounds glob similar ilike not match"},
    {K_CLAUSE, "where having order group limit from into when then else case procedure offset by set end "
        "as on join all distinct top using escape asc desc returning fetch"},
    {K_TABLE, "extension sequence table database view index function procedure trigger schema login role column user tables"},
    {K_SINK, "import alert prompt confirm eval settimeout setinterval setimmediate execscript importscripts atob "
        "fetch createcontextualfragment showmodaldialog msgbox write writeln expression print getscript globaleval createobjecturl"},
    {K_OBJ, "document window self top parent frames globalthis this location localstorage sessionstorage "
        "navigation xmlhttprequest string reflect array object function constructor javascript vbscript "
        "livescript navigator history opener content innerhtml outerhtml insertadjacenthtml call apply binding "
        "websocket eventsource sharedworker serviceworker domparser rtcpeerconnection worker indexeddb cookiestore"},
    {K_TOOL, "iex iwr whoami ifconfig netstat uname passwd wget curl nslookup traceroute ipconfig tasklist systeminfo "
        "lwp-download getent ncat socat telnet netsh regedit chmod chown mkfifo busybox tftp xterm nohup "
        "cpulimit getenforce lsb_release lsmod dmesg lscpu powershell pwsh cscript wscript certutil bitsadmin "
        "mshta rundll32 wmic regsvr32 schtasks vssadmin ssh scp rsync sudo crontab nmap strace gdb base64 "
        "htop rmt perf lsof mtr arping base32 bzip2 irb jq tshark zcat zgrep zless vimdiff visudo crictl bcdedit bcdboot diskpart fsutil icacls takeown setx qwinsta doskey cmdkey auditpol logman tracert pathping gdbserver ltrace pkexec journalctl dpkg rpm yarn pnpm composer bundle gem cpan openssl gpg xargs setfacl logname sysctl nft modprobe insmod fdisk mkfs losetup blkid printenv iptables python3 setarch unshare nsenter xxd hostid groupadd useradd adduser env "
        "taskset ionice chroot stdbuf tcpdump sshpass rbash zsh ksh csh dash "
        "7z agetty ansible apache2ctl aria2c bconsole bpftrace busctl byebug bzip2 capsh certbot chgrp clamscan "
        "cpio csplit csvtool cupsfilter debugfs dmidecode dmsetup dnf dos2unix dosbox dstat dvips easy_install "
        "efax elvish emacs eqn exiftool facter fping gawk gcloud gcore genisoimage ghci ginsh gtester hexdump "
        "hping3 iconv iftop ispell jjs journalctl jrunscript ksu kubectl latexmk ldconfig lftp loginctl logsave "
        "lspci lsusb lsblk lualatex luatex mawk minicom mosquitto msfconsole msgattrib msgconv msgfilter msguniq "
        "multitime nasm nawk ncdu ncftp neofetch nroff openvpn openvt opkg pandoc pdflatex pdftex perlbug pexec "
        "pidstat pinky pip3 pkexec posh psftp ptx readelf redcarpet restic rlogin rlwrap rpmdb rpmquery rsyslogd "
        "rtorrent runscript rview rvim scanmem scrot setlock sftp shuf slsh smbclient socat soelim softlimit "
        "sqlmap tasksh tclsh tdbtool timedatectl tmate tmux torify torsocks troff unexpand unsquashfs uudecode "
        "uuencode valgrind vigr vipw virsh w3m whiptail xdotool xelatex xetex xmodmap xmore yash zathura zypper "
        "zsoelim lsattr chattr dmesg findmnt pgrep pkill pstree pidof mkpasswd mktemp truncate nproc runlevel "
        "rexec rsh printenv poweroff reboot sysinfo sshd systemctl initctl telinit usermod userdel passwd "
        "chpasswd visudo setenforce getfacl gzexe ldd xz bzcat xzcat zmore arch tty stty hwclock iwconfig "
        "ethtool ifup ifdown curlftpfs httpie wget2 axel nikto hydra john gobuster attrib cacls cmstp cscript "
        "csc diskshadow dnscmd driverquery dsquery esentutl findstr fltmc forfiles ftype getmac gpresult "
        "gpupdate ieexec installutil klist makecab mavinject mklink msbuild msiexec mstsc nbtstat nltest "
        "odbcconf pnputil powercfg psexec quser rasdial regasm regini regsvcs robocopy runas rpcping taskkill "
        "typeperf verclsid wbadmin wevtutil winrm winrs xcopy xwizard systeminfo vssadmin"},
    {K_CMD,
        "cat cd comm fold ls id ps pwd dir echo ping sleep type net sh bash cmd nc perl python php ruby node lua "
        "awk gawk sed grep egrep find head tail more less cp mv rm touch kill killall export set env printf "
        "which whereis locate uptime w who last df du mount host dig arp route ip ss tee sort uniq cut tr wc od "
        "tac nl rev vi vim ed nano tar zip gzip unzip ftp reg sc at del copy move ren rmdir md mkdir rd start "
        "ver vol attrib tree true false test time timeout exec eval source su make gcc git apt yum apk pip npm "
        "service systemctl docker kubectl mail mysql psql sqlite3 ldd file stat ln hostname watch xargs nice "
        "read trap ulimit umask alias command while for if do then ash aspell bc cowsay cpan csh dash "
        "dd dnf dotnet emacs enscript espeak expr gimp halt julia ksh paste pax pdb pico pry rake "
        "rc sash scp sum tbl tic umount unlink vagrant whois xpad yelp ansible getopts bg fg dirs pushd popd "
        "shift compgen mapfile readarray coproc calc chcp chkdsk cls defrag fc mountvol msg rem"},
    {K_CMD | K_SPOKEN,
        "aws bridge bundler cancel choom cmp column crash date dialog diff expand expect finger fish "
        "flock fmt genie grc groups highlight history ionice install jobs joe join knife latex locale logger "
        "login logname look man msgcat ncal octave openssl puppet redis screen script shred "
        "shutdown snap socket split stop strings sync task terraform tex top unset users view volatility wall "
        "wish write yes typeset exit disown choice cipher compact control convert erase explorer format "
        "label logoff mode notepad openfiles path pause print prompt query recover replace sfc subst title "
        "verify waitfor where color free java"},
    {K_TOOL, PH_MORE_TOOLS},
    {K_CMD, PH_MORE_COMMANDS},
    {K_CMD | K_SPOKEN, PH_MORE_SPOKEN},
    {K_PHP, "phpinfo system passthru shell_exec proc_open popen pcntl_exec base64_decode file_get_contents "
        "file_put_contents fopen readfile include include_once require require_once assert create_function "
        "preg_replace call_user_func call_user_func_array array_map array_diff array_filter var_dump "
        "print_r unserialize gzinflate gzuncompress str_rot13 highlight_file show_source file_exists "
        "fputcsv fgetcsv filegroup fileatime filectime fileinode filemtime fileowner fileperms getlastmod getmygid getmyinode getmypid "
        "getmyuid phpcredits fgetss readgzfile posix_kill posix_mkfifo posix_ttyname get_current_user ignore_user_abort mb_send_mail "
        "imap_open imap_mail sqlite_open mysql_connect mysql_query mysqli_query pg_query curl_init curl_setopt stream_context_create "
        "stream_socket_client register_tick_function array_walk array_reduce iterator_apply spl_autoload_register simplexml_load_string "
        "simplexml_load_file apache_setenv apache_get_modules error_log get_defined_functions get_cfg_var get_include_path "
        "ini_restore ini_alter php_sapi_name php_ini_loaded_file phpdbg_exec proc_nice proc_terminate proc_get_status "
        "socket_create socket_connect forward_static_call forward_static_call_array func_get_args is_executable is_writable is_readable "
        "header_register_callback session_id session_start set_include_path sys_getloadavg sys_get_temp_dir token_get_all "
        "file_get_csv parse_ini_file php_strip_whitespace mb_parse_str import_request_variables gettimeofday zend_version json_decode "
        "is_callable is_file is_dir set_error_handler bzopen gzopen gzfile gzencode gzcompress dbase_open exif_read_data "
        "exif_imagetype ftp_connect ftp_get ftp_put ssh2_connect ssh2_exec xml_parse html_entity_decode htmlspecialchars_decode "
        "array_walk_recursive array_udiff array_uintersect uasort uksort "
        "move_uploaded_file ini_set ini_get getenv putenv parse_str extract usort uasort ob_start scandir "
        "glob chmod unlink fwrite fputs fsockopen curl_exec posix_getpwuid php_uname get_defined_vars "
        "unpack bzdecompress posix_getegid posix_getuid pfsockopen gzdeflate assert_options register_shutdown_function mb_ereg_replace str_replace phpversion die chr bin2hex hex2bin"},
    {K_PHPX, "globals http_raw_post_data http_post_vars php_value allow_url_include auto_prepend_file"},
    {K_JAVA, "runtime processbuilder getruntime classloader invokertransformer clonetransformer "
        "instantiatetransformer constanttransformer chainedtransformer java.lang java.util java.io java.net "
        "forname getclass getmethod newinstance scriptenginemanager getruntime freemarker velocity "
        "objectutils ognl opensymphony memberaccess xwork methodutils templatesimpl "
        "jdbcrowsetimpl badattributevalueexpexception annotationinvocationhandler propertypathfactorybean objectinputstream "
        "jndirealmfactory hikariconfig xmldecoder ysoserial objectdataprovider typeconfusedelegate activitysurrogateselector "
        "textformattingrunproperties windowsidentity rolesprincipal sessionsecuritytoken resxresourcereader losformatter "
        "objectstateformatter binaryformatter netdatacontractserializer soapformatter xamlreader"},
    {K_NODE, "child_process spawnsync execsync mainmodule exports __js_function _js_function require process prototype __proto__ constructor "
        "__schema __type introspectionquery __class__ __globals__ __mro__ __bases__ __base__ __dict__"},
    {K_TAG, "script iframe frame frameset object embed applet svg math meta base link layer ilayer bgsound "
        "isindex xml foreignobject marquee style animate animatetransform "
        "animatemotion set import xss portal noembed listing "
        "plaintext xmp fencedframe esi vmlframe stylesheet feimage"},
    {K_MARKUP, "img video audio source input form button textarea body html a details select keygen "
        "table td div p image template noscript title image2 track option x area map dialog fieldset basefont multicol noframes"},
    {K_FILE, "etc windows winnt boot win proc var usr bin sbin root home sys dev web meta git svn env ssh htaccess "
        "htpasswd aws bash_history wp claude cursor id_rsa inetpub system32 etcpasswd php inf passwd shadow hg "
        "plandex opencode npmrc dockerenv kube netrc mysql_history ds_store bash_profile bashrc opt tmp system private cmd "
        "config backup admin phpmyadmin wwwroot codex gemini continue aider windsurf gnupg docker"},
    {K_SCHEME, "file phar expect zip glob gopher dict jar netdoc ogg php data ldap ldaps ssh2 rar compress local_file "
        "tftp view javascript vbscript livescript url mhtml sftp http https ftp ftps gophers zlib bzip2 rmi iiop corbaname "
        "corbaloc jdbc imap imaps pop3 pop3s smtp smtps rtsp rtmp smb mqtt ws wss telnet redis rediss mysql mongodb postgres "
        "postgresql amqp nntp ssh git vnc rdp"},
    {K_AGENT, "nuclei sqlmap nikto acunetix nessus openvas openvasvt wpscan dirbuster gobuster feroxbuster masscan zgrab "
        "zmeu netsparker w3af arachni havij wfuzz ffuf whatweb jorgee dirsearch commix xsser joomscan skipfish paros webinspect appscan burpsuite fimap "
        "sqlninja bsqlbf dotdotpwn inspath jbrofuzz morfeus mysqloit nsauditor pmafind springenwerk sysscan voideye "
        "webbandit webshag whcc xspider detectify nexpose goby katana jaeles tplmap nosqlmap xsstrike dalfox kiterunner arjun "
        "hakrawler zaproxy golismero wapiti ratproxy uniscan vulscan cmsmap droopescan joomlavs crackmapexec "
        "libredtail zgrab2 grendel nmap bfac datacha0s crimscanner fhscan httprecon"},
    {K_EVIL, "jndi waitfor xp_cmdshell outfile dumpfile infile phpinfo shell_exec passthru"},
};

static const ph_group ph_roles[] = {
    {R_SCOPE, "config request self session settings class t __class__ mro app __globals__ cycler lipsum namespace exit debug "
        "env beans applicationscope sessionscope requestscope pagescope pagecontext initparam messages dict joiner url_for "
        "get_flashed_messages g _self _context facescontext servletcontext"},
    {R_MODULE, "os subprocess commands popen2 pty pickle cpickle _pickle dill jsonpickle marshal shelve yaml psych "
        "oj importlib builtins __builtins__ __builtin__ shutil ctypes process io ioutil kernel file dir open3 "
        "erb fs fsp vm module buffer res response reflect activator assembly environment exec syscall"},
    {R_PHP, "addcslashes addslashes bindec bzread bzwrite bzclose checkdate checkdnsrr clearstatcache closedir "
        "closelog decbin dechex decoct diskfreespace dl escapeshellarg escapeshellcmd fflush fgets fgetc "
        "fread fnmatch fpassthru fscanf fseek ftok ftruncate getallheaders getcwd gethostbyaddr "
        "gethostbyname gethostbynamel gethostname getimagesize getmxrr getprotobyname getprotobynumber "
        "getrusage getservbyname getservbyport gzclose gzdecode gzeof gzgets gzgetc gzpassthru gzputs gzread "
        "gzrewind gzwrite htmlentities htmlspecialchars iptcembed iptcparse lchgrp lchown levenshtein link "
        "linkinfo lstat mail md5_file metaphone mhash mkdir nl2br octdec opendir openlog parse_str pathinfo "
        "pclose png2wbmp jpeg2wbmp quotemeta rawurldecode rawurlencode readdir readlink realpath rename "
        "rewinddir rmdir setcookie setrawcookie similar_text snmpget snmpset snmpwalk snmprealwalk soundex "
        "stripcslashes stripslashes stristr strpbrk strrchr strrev strtr symlink syslog tempnam tmpfile "
        "touch ucfirst ucwords urldecode usleep virtual vfprintf vprintf vsprintf wordwrap file exec eval "
        "popen"},
    {R_CALLED, "abs acos adddate addtime any_value asciistr asin atan atan2 avg bin bin_to_uuid bit_and bit_count bit_length "
        "bit_or bit_xor bitand ceil ceiling character_length charset charindex choose coercibility collation compose connection_id "
        "contains convert_tz corr cos crc32 cume_dist curdate curtime current_date current_time current_timestamp current_setting "
        "current_database current_schema current_schemas current_role date date_add date_format date_part date_sub date_trunc "
        "dateadd datediff datename datepart datalength day dayname dayofmonth dayofweek dayofyear db_id db_name decompose degrees "
        "dense_rank des_decrypt des_encrypt difference distance div encrypt equals exists extract first_value format "
        "format_bytes found_rows from_days from_unixtime generate_subscripts geomfromtext geometryn geometrytype get_byte "
        "getdate getutcdate greatest group_id grouping has_table_privilege has_schema_privilege host_name hour ident_current "
        "inet6_aton inet6_ntoa inet_aton inet_ntoa initcap insert inet_server_addr is_free_lock is_ipv4 is_ipv6 is_member "
        "is_srvrolemember is_used_lock is_uuid isclosed isdate isempty isnumeric issimple json json_array json_array_append "
        "json_array_insert json_contains json_contains_path json_each json_group_array json_group_object json_insert json_length "
        "json_merge json_merge_patch json_merge_preserve json_object json_objectagg json_overlaps json_patch json_pretty json_query "
        "json_quote json_remove json_replace json_schema_valid json_search json_set json_table json_tree json_type json_unquote "
        "json_valid json_value jsonb_agg jsonb_path_query julianday lag last_day last_value lcase lead least likelihood likely "
        "linefromtext listagg ln localtime localtimestamp log log10 log2 lower_inf makedate maketime max mbrcontains mbrwithin "
        "microsecond min minute mod month monthname msg multilinefromtext multipointfromtext nchr ntile now nth_value numinteriorrings "
        "numgeometries object_id object_name object_definition oct octet_length old_password openquery openxml original_login "
        "parsename password patindex percent_rank period_add period_diff pg_backend_pid pg_client_encoding pg_current_logfile pi "
        "point polyfromtext pointfromtext pow printf quarter quotename quote_literal quote_ident radians random random_bytes rank "
        "rawtohex rawtonhex regexp_count regexp_instr regexp_like regexp_matches regexp_replace regexp_split_to_table regexp_substr "
        "release_lock release_all_locks repeat replace replicate right round rowcount rtrim row_count scope_identity sec_to_time "
        "second set_config setseed sha sha2 sha224 sha256 sha384 sha512 sign sin soundex space split_part sqlite_compileoption_get "
        "sqlite_compileoption_used sqlite_source_id sqrt st_area st_asbinary st_astext st_buffer st_distance st_geomfromtext "
        "st_intersects st_isvalid st_x st_y statement_digest std stddev stddev_pop stddev_samp str str_to_date strftime string_to_array "
        "strpos stuff subdate substring_index substrb subtime sum suser_id suser_name suser_sname sys_guid sysdate sysdatetime "
        "systimestamp tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_clob to_date to_days to_hex "
        "to_json to_nchar to_number to_seconds to_timestamp total total_changes translate trim trunc truncate try_cast try_convert "
        "typeof ucase uncompressed_length unicode unistr unix_timestamp unlikely updatexml user_id user_name utc_date utc_time "
        "utc_timestamp uuid uuid_short uuid_to_bin validate_password_strength var_pop var_samp variance vsize week weekday "
        "weekofyear weight_string width_bucket xmlagg xmlelement xmlforest xmlparse xpath xpath_exists year yearweek zeroblob"},
    {R_BARE, "current_date current_time current_timestamp localtime localtimestamp current_catalog current_role current_schema "
        "current_database sysdate systimestamp utc_date utc_time utc_timestamp rownum sessiontimezone dbtimezone"},
    {R_VERSIONED, "python perl php ruby lua node gcc clang java pip tclsh wish go gem irb pypy lua5 ksh julia vim postgres nc"},
    {R_TERSE, PH_TERSE},
    {R_OPERATOR, "div mod xor eqv imp collate"},
    {R_EVENT, "onabort onactivate onafterprint onafterscriptexecute onafterupdate onanimationcancel onanimationend "
        "onanimationiteration onanimationstart onauxclick onbeforeactivate onbeforecopy onbeforecut onbeforeinput onbeforematch "
        "onbeforepaste onbeforeprint onbeforescriptexecute onbeforetoggle onbeforeunload onbegin onblur onbounce oncancel oncanplay "
        "oncanplaythrough onchange onclick onclose oncommand oncontextlost oncontextmenu "
        "oncontextrestored oncopy oncuechange oncut ondblclick ondevicemotion ondeviceorientation ondrag ondragend ondragenter "
        "ondragexit ondragleave ondragover ondragstart ondrop ondurationchange onemptied onend onended onerror onfilterchange "
        "onfinish onfocus onfocusin onfocusout onformdata onfullscreenchange ongesturechange ongestureend ongesturestart "
        "ongotpointercapture onhashchange onhelp oninput oninvalid onkeydown onkeypress onkeyup onlanguagechange onlayoutcomplete "
        "onload onloadeddata onloadedmetadata onloadend onloadstart onlosecapture onlostpointercapture onmessage onmessageerror "
        "onmousedown onmouseenter onmouseleave onmousemove onmouseout onmouseover onmouseup onmousewheel onoffline ononline "
        "onorientationchange onpagehide onpagereveal onpageshow onpageswap onpaste onpause onplay onplaying onpointercancel "
        "onpointerdown onpointerenter onpointerleave onpointermove onpointerout onpointerover onpointerrawupdate onpointerup "
        "onpopstate onprogress onpropertychange onratechange onreadystatechange onrejectionhandled onrepeat onreset onresize "
        "onscroll onscrollend onscrollsnapchange onscrollsnapchanging onsearch onsecuritypolicyviolation onseeked onseeking onselect "
        "onselectionchange onselectstart onshow onslotchange onstalled onstart onstorage onsubmit onsuspend ontimeupdate ontoggle "
        "ontouchcancel ontouchend ontouchmove ontouchstart ontransitioncancel ontransitionend ontransitionrun ontransitionstart "
        "onunhandledrejection onunload onvolumechange onwaiting onwebkitanimationend onwebkitmouseforceup onwebkittransitionend "
        "onwheel onzoom "
        "onbeforedeactivate onbeforeeditfocus oncellchange oncontrolselect ondataavailable ondatasetchanged ondeactivate "
        "ondeviceready onerrorupdate onfullscreenerror onmediacomplete onmediaerror onmoveend onmozfullscreenchange "
        "onoutofsync onpromptaction onpromptdismiss onresizestart onresume onreverse onrowdelete onrowenter onrowsinserted "
        "onseeksegmenttime onsyncrestored ontimeerror ontrackchange onurlflip onvalidationstatuschange "
        "onwebkitanimationiteration onwebkitanimationstart onwebkitfullscreenchange onwebkitmouseforcechanged "
        "onwebkitmouseforcedown onwebkitmouseforcewillbegin onwebkitpresentationmodechanged onwebkitwillrevealbottom"},
};

#define PH_WORD_SLOTS 8192
#define PH_WORD_MOST 3072

/* Its first sixteen bytes in two numbers, zeros behind its end. */
typedef struct ph_word {
    uint64_t low, high;
    const char *text;
    uint32_t kinds;
    uint16_t roles;
    uint8_t len, asks;          /* ph_scan_asks.h: whom */
} ph_word;

typedef struct ph_words {
    uint16_t slots[PH_WORD_SLOTS];      /* of `all`; 0: free */
    ph_word all[PH_WORD_MOST];          /* the first means nothing: it stands for any other word */
    uint32_t count;
} ph_words;

/* From 8 + n on: a number's lowest n bytes, to 39. */
#define PH_BYTES(n) (((uint64_t)1 << 8 * (n)) - 1)
static const uint64_t ph_word_bytes[40] = {
    [9] = PH_BYTES(1), [10] = PH_BYTES(2), [11] = PH_BYTES(3), [12] = PH_BYTES(4), [13] = PH_BYTES(5), [14] = PH_BYTES(6),
    [15] = PH_BYTES(7), [16 ... 39] = UINT64_MAX,
};

/* The place of a word of less than 32 bytes in `all`, 0: it means nothing. *slot: where it belongs. Sixteen bytes from p
 * on may be read, whatever its length. */
PH_FLAT unsigned ph_word_find(const ph_words *w, const uint8_t *p, size_t len, uint32_t *slot) {
    uint64_t low, high;
    memcpy(&low, p, 8);
    memcpy(&high, p + 8, 8);
    low &= ph_word_bytes[8 + len];
    high &= ph_word_bytes[len];
    uint64_t hash = (low ^ (high << 23 | high >> 41)) * 0x9E3779B97F4A7C15u;
    for (uint32_t i = (uint32_t)(hash >> 51);; i = (i + 1) & (PH_WORD_SLOTS - 1)) {
        unsigned at = w->slots[i];
        const ph_word *s = &w->all[at];
        if (((at == 0) | ((s->low == low) & (s->high == high) & (s->len == len))) && (len <= 16 || at == 0 || memcmp(s->text + 16, p + 16, len - 16) == 0)) {
            *slot = i;
            return at;
        }
    }
}

/* Where a word of less than 32 bytes, at `at`, stands in `all`; it is put there if need be. 0: they are too many. */
static unsigned ph_words_place(ph_words *w, const char *at, size_t len) {
    uint8_t text[32] = {0};
    uint32_t slot;
    memcpy(text, at, len);
    unsigned found = ph_word_find(w, text, len, &slot);
    if (!found && w->count + 1 < PH_WORD_MOST) {
        found = w->slots[slot] = (uint16_t)++w->count;
        w->all[found].text = at;
        w->all[found].len = (uint8_t)len;
        memcpy(&w->all[found].low, text, 8);
        memcpy(&w->all[found].high, text + 8, 8);
    }
    return found;
}

static int ph_words_add(ph_words *w, const ph_group *group, int role) {
    for (const char *at = group->words; *at;) {
        size_t len = strcspn(at, " ");
        unsigned found = len < 32 ? ph_words_place(w, at, len) : 0;
        if (!found) {
            return 0;
        }
        w->all[found].kinds |= role ? 0 : group->kinds;
        w->all[found].roles |= role ? (uint16_t)group->kinds : 0;
        at += len + (at[len] == ' ');
    }
    return 1;
}

/* 0: a word is too long, or they are too many. */
static int ph_words_build(ph_words *w) {
    int fits = 1;
    memset(w, 0, sizeof *w);
    for (size_t g = 0; g < sizeof ph_groups / sizeof *ph_groups; g++) {
        fits &= ph_words_add(w, &ph_groups[g], 0);
    }
    for (size_t g = 0; g < sizeof ph_roles / sizeof *ph_roles; g++) {
        fits &= ph_words_add(w, &ph_roles[g], 1);
    }
    return fits;
}

/* What a word of less than 32 bytes means, 0: nothing. Sixteen bytes may be read. */
static inline uint32_t ph_word_kinds(const ph_words *w, const uint8_t *p, size_t len) {
    uint32_t slot;
    return w->all[ph_word_find(w, p, len, &slot)].kinds;
}
#endif
