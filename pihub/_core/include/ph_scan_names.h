/* More programs: of Unix, its packages and their families, of Windows; what also is a plain word apart. Names with a dash or
 * a dot are looked up whole (ph_command), since the lexer splits them.
 */
#ifndef PH_SCAN_NAMES_H
#define PH_SCAN_NAMES_H

#define PH_MORE_TOOLS \
    "aa-complain aa-disable aa-enforce aa-exec aa-status aa-teardown add-apt-repository addinutil adfind adplus " \
    "agentexecutor ansible-console ansible-doc ansible-galaxy ansible-inventory ansible-playbook ansible-pull " \
    "ansible-test ansible-vault appvlp apt-cache apt-get apt-key apt-mark aptitude arp-scan ascii-xfr ascii85 " \
    "aspnet_compiler atbroker atq atrm basenc batcat bpftool bunzip2 byobu bzdiff bzegrep bzgrep bzless bzmore " \
    "c89 c99 certreq chef-client chef-shell chkntfs cmdl32 cobc colorcpl compmgmt configsecuritypolicy cowthink " \
    "cscli ctags customshellhost datasvcutil dbclient debootstrap desktopimgdownldr " \
    "devicecredentialdeployment dhclient diantz dispdiag docker-compose docker-machine dpkg-query dpkg-reconfigure " \
    "dsadd dsget dsmod dsrm dxcap ebtables elinks emacsclient etcdctl eventvwr exim4 extexport " \
    "extrac32 fail2ban-client fcrontab firejail firewall-cmd fusermount fwupdmgr gci gcm getcap getpcaps " \
    "gfxdownloadwrapper gnuplot gosu gpasswd gpg2 grpconv hostnamectl ie4uinit ieadvpack infdefaultinstall iostat " \
    "iotop ip6tables ipset iptables-save jshell kadmin kinit kubeadm kubelet lastb lastlog ldifde localectl " \
    "lusrmgr lxc-create mkdosfs mkfs.ext4 mkfs.vfat mkfs.xfs mkisofs mknod mkswap mlocate modinfo mongod " \
    "mongodump mongosh mpcmdrun mpstat msdeploy msdt msxsl mysqladmin mysqldump mysqlimport nc.openbsd " \
    "nc.traditional netcat netcfg netdom networkctl newgrp nmcli nsupdate ntdsutil ntpdate ntsd objcopy objdump " \
    "offlinescannershell pcalua pcwrun pdksh pftp pg_dump pg_dumpall pg_restore phantomjs phpunit pipenv " \
    "pipx pkg-config pktmon presentationhost printbrm proxychains pscp psinfo pskill pslist psloggedon pubprn " \
    "puttygen pvcreate pwdx pypy3 qemu-img rarcrack rclone rdrleakdiag readlink realpath redis-cli rekeywiz " \
    "resolvectl rfkill rgrep rmadison rmt-tar rpcclient rpcinfo rsvg-convert run-mailcap run-parts runc " \
    "runexehelper runscripthelper runuser rustc scriptrunner sdelete secedit sendmail sestatus setcap setpriv " \
    "setsid sharphound showmount skopeo slapcat smartctl smbmap smbstatus snmpget snmpwalk sqldumper sqlplus ssh-add " \
    "ssh-agent ssh-copy-id ssh-import-id ssh-keygen ssh-keyscan sshfs ssmtp start-stop-daemon su-exec " \
    "sudoedit swapoff swapon syncappvpublishingserver sysdig systemd-analyze systemd-cat systemd-nspawn systemd-resolve " \
    "systemd-run tcpkill tcptraceroute telnetd tftpd tnftp tpmtool tracepath traceroute6 tscon tsdiscon " \
    "tskill tttracer uconv ufw unbuffer unlzma unregmp2 unxz unzstd update-alternatives update-rc.d usleep " \
    "uuidgen vboxmanage vimtutor virt-install vlock vmstat vsjitdebugger vtysh w32tm w3mman wdctl wg-quick wlrmdr " \
    "wpa_cli wpeutil wsreset wuauclt xauth xclip xdg-open xinetd xmllint xwd xzdiff xzgrep xzless xzmore ypcat " \
    "zcmp zdiff zegrep zfgrep zipinfo zramctl zsh5 zstd zstdcat zstdgrep zstdless zsync"

#define PH_MORE_COMMANDS \
    "ar arj az b2sum cargo cc cksum clang cpp ctr deno dism distcc dnsmasq doas getty gosh hashcat " \
    "javac ksh93 ld lua5 lxc lxd lynx md5sum mesg minikube mkdirhier mksh nm pg_ctl plink " \
    "podman ranlib rvm sdiff seq setsid sha1sum sha256sum sha512sum tput tsort ttysh unalias unrar vdir " \
    "winget wsl xhost xprop yq"

#define PH_MORE_SPOKEN \
    "batch builtin cal dc dircolors factor function go hd init " \
    "numfmt pathchk readonly sar until"

/* No sentence and no list of terms holds these for another reason. */
#define PH_TERSE \
    "cp mv ls pwd rmdir mkdir grep egrep fgrep awk gawk sed tac xxd chmod chown chgrp wget curl uname whoami " \
    "ifconfig ipconfig netstat nslookup ncat netcat socat telnet tftp scp openssl busybox nohup sudo useradd " \
    "adduser userdel usermod crontab tcpdump iptables nmap printenv lsof dmesg lsb_release mkfifo mknod xargs " \
    "killall pkill systemctl systeminfo tasklist taskkill certutil bitsadmin mshta regsvr32 rundll32 wmic " \
    "schtasks netsh powershell pwsh cscript wscript xcopy robocopy findstr icacls cacls attrib chcp chkdsk " \
    "nbtstat gpresult vssadmin wevtutil msiexec qwinsta driverquery getmac nltest dsquery traceroute tracert " \
    "getent mysqldump psql journalctl gci iwr iex saps base64 bash zsh ksh csh sh pip3 python3 apt-get whereis " \
    "umount rsync setsid coproc"
#endif
