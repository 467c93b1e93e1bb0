#!/usr/bin/env bash
# packaging/deps.sh [WORD]: installs what a word of the Makefile needs. Looks first and does nothing,
# silently, when nothing is missing. Starts no service. Needs root or sudo without a password;
# otherwise it names the packages.
#
# packaging/deps.sh --list [WORD]      the rows of WORD, for who checks them (tests/needs)
# packaging/deps.sh --missing [WORD]   what is not there: a line each, with its package
#
# WORD: build, demo, check (which is what is meant without one), develop (format, lint, sanitizers,
# fuzzing), compare, bench, package, kubernetes, fresh. What a test runs, loads or imports stands here,
# or the test fails on a machine as it comes: tests/needs compares, make fresh tries.
set -u
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C

# the first word that needs it | how to see that it is there | Debian's packages | Fedora's packages
TABLE='
build      | cmd:make              | make                 | make
build      | cmd:cc                | build-essential      | gcc
build      | cmd:pkg-config        | pkg-config           | pkgconf-pkg-config
build      | pc:ldns               | libldns-dev          | ldns-devel
build      | pc:libcrypto          | libssl-dev           | openssl-devel
build      | pc:libsodium          | libsodium-dev        | libsodium-devel
build      | pc:lmdb               | liblmdb-dev          | lmdb-devel
build      | pc:libmnl             | libmnl-dev           | libmnl-devel
build      | pc:libcyaml           | libcyaml-dev         | libcyaml-devel
build      | pc:yaml-0.1           | libyaml-dev          | libyaml-devel
build      | pc:jansson            | libjansson-dev       | jansson-devel
build      | pc:libmicrohttpd      | libmicrohttpd-dev    | libmicrohttpd-devel
build      | pc:libsystemd         | libsystemd-dev       | systemd-devel
build      | pc:libseccomp         | libseccomp-dev       | libseccomp-devel
build      | pc:cmocka             | libcmocka-dev        | libcmocka-devel
demo       | cmd:/usr/bin/python3  | python3              | python3
demo       | py:dns                | python3-dnspython    | python3-dns
demo       | py:yaml               | python3-yaml         | python3-pyyaml
demo       | cmd:nsd               | nsd                  | nsd
demo       | cmd:knotd             | knot                 | knot
demo       | cmd:ldns-signzone     | ldnsutils            | ldns-utils
demo       | cmd:dnssec-signzone   | bind9-utils          | bind-dnssec-utils
demo       | cmd:dig               | bind9-dnsutils       | bind-utils
demo       | cmd:ip                | iproute2             | iproute
demo       | cmd:unshare           | util-linux           | util-linux
check      | cmd:unbound           | unbound              | unbound
check      | cmd:prometheus        | prometheus           | golang-github-prometheus
check      | cmd:setpriv           | util-linux           | util-linux
check      | cmd:tmux              | tmux                 | tmux
check      | cmd:zsh               | zsh                  | zsh
check      | py:ensurepip          | python3-venv         | python3
develop    | cmd:git               | git                  | git
develop    | cmd:g++               | build-essential      | gcc-c++
develop    | cmd:clang             | clang                | clang
develop    | cmd:clang-tidy        | clang-tidy           | clang-tools-extra
develop    | cmd:clang-format      | clang-format         | clang-tools-extra
develop    | cmd:llvm-symbolizer   | llvm                 | llvm
develop    | libfuzzer             | libclang-rt          | compiler-rt
develop    | cmd:promtool          | prometheus           | golang-github-prometheus
develop    | cmd:mandoc            | mandoc               | mandoc
develop    | cmd:systemd-analyze   | systemd              | systemd
develop    | cmd:shellcheck        | shellcheck           | ShellCheck
develop    | cmd:strace            | strace               | strace
compare    | cmd:named             | bind9                | bind
compare    | cmd:kresd             | knot-resolver        | knot-resolver
compare    | py:cryptography       | python3-cryptography | python3-cryptography
compare    | cmd:mmdebstrap        | mmdebstrap           | mmdebstrap
bench      | cmd:pdns_recursor     | pdns-recursor        | pdns-recursor
bench      | cmd:perf              | linux-perf           | perf
bench      | cmd:valgrind          | valgrind             | valgrind
package    | cmd:git               | git                  | git
package    | cmd:dh                | debhelper            | debhelper
package    | cmd:dpkg-buildpackage | dpkg-dev             | dpkg-dev
package    | cmd:lintian           | lintian              | lintian
package    | cmd:rpmbuild          | rpm                  | rpm-build
package    | cmd:rpmlint           | rpmlint              | rpmlint
package    | cmd:mmdebstrap        | mmdebstrap           | mmdebstrap
package    | cmd:systemd-nspawn    | systemd-container    | systemd-container
fresh      | cmd:git               | git                  | git
fresh      | cmd:mmdebstrap        | mmdebstrap           | mmdebstrap
kubernetes | cmd:go                | golang-go            | golang
kubernetes | cmd:musl-gcc          | musl-tools           | musl-gcc
kubernetes | pc:libcares           | libc-ares-dev        | c-ares-devel
kubernetes | cmd:dnsmasq           | dnsmasq-base         | dnsmasq
kubernetes | cmd:nft               | nftables             | nftables
'
# Debian's Go may be older than what CoreDNS wants; then it fetches a newer one.

# The words whose rows WORD needs, its own among them.
words_of() {
	case $1 in
	build) echo build ;;
	demo) echo build demo ;;
	check) echo build demo check ;;
	fresh) echo demo fresh ;;
	bench) echo build demo check compare bench ;;
	develop | compare | package | kubernetes) echo build demo check "$1" ;;
	*) return 1 ;;
	esac
}

# The rows of WORD without that column: probe, Debian's package, Fedora's.
rows() {
	local word probe debian fedora words
	words=" $(words_of "$1") "
	while read -r word _ probe _ debian _ fedora; do
		[[ -z $word || $words != *" $word "* ]] || echo "$probe $debian $fedora"
	done <<<"$TABLE"
}

present() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	py:*) /usr/bin/python3 -c "import ${1#py:}" 2>/dev/null ;;
	libfuzzer) compgen -G "$(clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*" >/dev/null ;;
	esac
}

# The rows of which nothing is there.
missing_rows() {
	local probe debian fedora
	rows "$word" | while read -r probe debian fedora; do
		present "$probe" || echo "$probe $debian $fedora"
	done
}

# The packages of column $1 (2: Debian, 3: Fedora) that stand beside what is missing.
missing() {
	missing_rows | cut -d ' ' -f "$1" | sort -u
}

# libFuzzer's package carries the version of the clang that is installed or would be.
debian_names() {
	local name version
	while read -r name; do
		if [ "$name" = libclang-rt ]; then
			version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
			command -v clang >/dev/null && version=$(clang -dumpversion | cut -d. -f1)
			name=libclang-rt-$version-dev
		fi
		echo "$name"
	done
}

# Runs a command quietly; shows what it said only if it fails.
quietly() {
	local said status
	said=$("$@" 2>&1 </dev/null)
	status=$?
	[ $status -eq 0 ] || printf '%s\n' "$said" >&2
	return $status
}

install_debian() {
	local packages apt
	export DEBIAN_FRONTEND=noninteractive
	apt=(apt-get -y -q -o DPkg::Lock::Timeout=300)
	quietly "${apt[@]}" update || echo 'deps: apt-get update failed; trying with the lists there are' >&2
	read -r -a packages <<<"$(missing 2 | debian_names | tr '\n' ' ')"
	echo "deps: installing ${packages[*]}"
	# invoke-rc.d and deb-systemd-invoke ask this script before they start a service. One that
	# the machine's owner put there is left alone.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
	fi
	quietly "${apt[@]}" -o Dpkg::Options::=--force-confold install --no-install-recommends "${packages[@]}"
}

install_fedora() {
	local packages
	read -r -a packages <<<"$(missing 3 | tr '\n' ' ')"
	echo "deps: installing ${packages[*]}"
	quietly dnf -y -q --setopt=install_weak_deps=False install "${packages[@]}"
}

do=install
case ${1-} in
--list | --missing)
	do=${1#--}
	shift
	;;
esac
word=${1:-check}
if [ $# -gt 1 ] || ! words_of "$word" >/dev/null; then
	echo "usage: $0 [--list | --missing] [build | demo | check | develop | compare | bench | package | kubernetes | fresh]" >&2
	exit 64
fi

if command -v apt-get >/dev/null; then
	column=2 install=install_debian
elif command -v dnf >/dev/null; then
	column=3 install=install_fedora
else
	column=2 install=
fi

case $do in
list)
	rows "$word"
	exit
	;;
missing)
	missing_rows | while read -r probe debian fedora; do
		[ $column = 2 ] && echo "${probe#*:} (package $debian)" || echo "${probe#*:} (package $fedora)"
	done
	exit
	;;
esac
names=$(missing $column | tr '\n' ' ')
[ -n "$names" ] || exit 0
if [ -z "$install" ]; then
	echo "deps: neither apt-get nor dnf here; please install (Debian's names): $names" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	if sudo -n true 2>/dev/null; then
		exec sudo -n "$0" "$word"
	fi
	echo "deps: root is needed to install: $names" >&2
	exit 1
fi

$install
names=$(missing $column | tr '\n' ' ')
if [ -n "$names" ]; then
	echo "deps: still missing: $names" >&2
	exit 1
fi
