#!/usr/bin/env bash
# Installs what building and testing resolverd need; with the word "bench" also the resolvers and
# tools it is measured against, with "package" what packages are made and tried with, with "kubernetes"
# what stands in front of it in "make kubernetes". Looks first and does nothing, silently, when nothing
# is missing.
# Starts no service. Needs root or sudo without a password; otherwise it names the packages.
set -u
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C

# how to see that it is there | Debian's packages | Fedora's packages
TABLE='
cmd:make              | make                 | make
cmd:cc                | build-essential      | gcc
cmd:g++               | build-essential      | gcc-c++
cmd:git               | git                  | git
cmd:pkg-config        | pkg-config           | pkgconf-pkg-config
pc:ldns               | libldns-dev          | ldns-devel
pc:libcrypto          | libssl-dev           | openssl-devel
pc:libsodium          | libsodium-dev        | libsodium-devel
pc:lmdb               | liblmdb-dev          | lmdb-devel
pc:libmnl             | libmnl-dev           | libmnl-devel
pc:libcyaml           | libcyaml-dev         | libcyaml-devel
pc:yaml-0.1           | libyaml-dev          | libyaml-devel
pc:jansson            | libjansson-dev       | jansson-devel
pc:libmicrohttpd      | libmicrohttpd-dev    | libmicrohttpd-devel
pc:libsystemd         | libsystemd-dev       | systemd-devel
pc:libseccomp         | libseccomp-dev       | libseccomp-devel
pc:cmocka             | libcmocka-dev        | libcmocka-devel
cmd:clang             | clang                | clang
cmd:clang-tidy        | clang-tidy           | clang-tools-extra
cmd:clang-format      | clang-format         | clang-tools-extra
cmd:llvm-symbolizer   | llvm                 | llvm
libfuzzer             | libclang-rt          | compiler-rt
cmd:nsd               | nsd                  | nsd
cmd:knotd             | knot                 | knot
cmd:unbound           | unbound              | unbound
cmd:kdig              | knot-dnsutils        | knot-utils
cmd:ldns-signzone     | ldnsutils            | ldns-utils
cmd:dig               | bind9-dnsutils       | bind-utils
cmd:dnssec-signzone   | bind9-utils          | bind-dnssec-utils
cmd:ip                | iproute2             | iproute
cmd:unshare           | util-linux           | util-linux
cmd:setpriv           | util-linux           | util-linux
cmd:/usr/bin/python3  | python3              | python3
py:dns                | python3-dnspython    | python3-dns
py:ensurepip          | python3-venv         | python3
py:yaml               | python3-yaml         | python3-pyyaml
cmd:tmux              | tmux                 | tmux
cmd:zsh               | zsh                  | zsh
cmd:promtool          | prometheus           | golang-github-prometheus
cmd:mandoc            | mandoc               | mandoc
cmd:systemd-analyze   | systemd              | systemd
cmd:shellcheck        | shellcheck           | ShellCheck
'
BENCH_TABLE='
cmd:kresd             | knot-resolver        | knot-resolver
cmd:pdns_recursor     | pdns-recursor        | pdns-recursor
cmd:named             | bind9                | bind
cmd:dnsperf           | dnsperf              | dnsperf
cmd:perf              | linux-perf           | perf
cmd:valgrind          | valgrind             | valgrind
'
PACKAGE_TABLE='
cmd:dh                | debhelper            | debhelper
cmd:dpkg-buildpackage | dpkg-dev             | dpkg-dev
cmd:lintian           | lintian              | lintian
cmd:rpmbuild          | rpm                  | rpm-build
cmd:rpmlint           | rpmlint              | rpmlint
cmd:mmdebstrap        | mmdebstrap           | mmdebstrap
cmd:systemd-nspawn    | systemd-container    | systemd-container
'
# Debian's Go may be older than what CoreDNS wants; then it fetches a newer one.
KUBERNETES_TABLE='
cmd:go                | golang-go            | golang
cmd:musl-gcc          | musl-tools           | musl-gcc
pc:libcares           | libc-ares-dev        | c-ares-devel
cmd:dnsmasq           | dnsmasq-base         | dnsmasq
cmd:unbound           | unbound              | unbound
cmd:nft               | nftables             | nftables
'

present() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	py:*) /usr/bin/python3 -c "import ${1#py:}" 2>/dev/null ;;
	libfuzzer) compgen -G "$(clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*" >/dev/null ;;
	esac
}

# The packages of column $1 (2: Debian, 3: Fedora) that stand beside what is missing.
missing() {
	local probe debian fedora
	while read -r probe _ debian _ fedora; do
		[ -z "$probe" ] || present "$probe" || { [ "$1" = 2 ] && echo "$debian" || echo "$fedora"; }
	done <<<"$TABLE" | sort -u
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

case ${1-} in
'') ;;
bench) TABLE+=$BENCH_TABLE ;;
package) TABLE+=$PACKAGE_TABLE ;;
kubernetes) TABLE+=$KUBERNETES_TABLE ;;
*)
	echo "usage: $0 [bench | package | kubernetes]" >&2
	exit 64
	;;
esac

if command -v apt-get >/dev/null; then
	column=2 install=install_debian
elif command -v dnf >/dev/null; then
	column=3 install=install_fedora
else
	column=2 install=
fi

names=$(missing $column | tr '\n' ' ')
[ -n "$names" ] || exit 0
if [ -z "$install" ]; then
	echo "deps: neither apt-get nor dnf here; please install (Debian's names): $names" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	if sudo -n true 2>/dev/null; then
		exec sudo -n "$0" "$@"
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
