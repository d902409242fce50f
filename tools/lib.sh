# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the commands in tools/: what has to be installed, and how to build. Sourced with the tree's top as
# working directory.

# Debian's own: packages of Python modules serve no other interpreter.
PYTHON=/usr/bin/python3

packages_build="gcc libc6-dev linux-libc-dev meson ninja-build pkgconf clang llvm libclang-rt-14-dev bpftool libbpf-dev
	libmnl-dev libuv1-dev libjson-c-dev libinih-dev libssl-dev libcmocka-dev scdoc"
# What the testbed runs: real programs of everyday.
packages_lab="iproute2 nftables iperf3 curl python3 openssh-client openssh-server procps"
packages_test="git clang-format python3-pytest python3-pytest-xdist python3-scapy python3-prometheus-client tcpdump tshark ethtool iputils-ping
	libxml2-utils binutils openssl util-linux gcovr systemd zsh"
# The core for Windows. Wine's bcrypt.dll does RSA with GnuTLS.
packages_wine="gcc-mingw-w64-x86-64-win32 wine wine64 libgnutls30"
packages_package="debhelper dpkg-dev fakeroot lintian scdoc"
# Hosts with systemd as init, to install the packages in.
packages_container="debootstrap systemd-container"
packages_vm="qemu-system-x86 cpio kmod" # to boot another kernel

# need_packages demo|test|bench|vm|package|container: install what is missing; says so first.
need_packages() {
	local want="$packages_build $packages_lab" missing=() p
	case $1 in
	demo) ;;
	package) want="$packages_build $packages_package" ;;
	*) want="$want $packages_test" ;;
	esac
	[ "$1" != test ] || want="$want $packages_wine"
	[ "$1" != vm ] || want="$want $packages_vm"
	[ "$1" != container ] || want="$packages_build $packages_package $packages_container"
	for p in $want; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return 0
	echo "installing: ${missing[*]}"
	local log
	log=$(mktemp)
	# A machine that has just been set up may hold apt's lock itself for a while.
	if { apt-get -o DPkg::Lock::Timeout=300 update &&
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
			"${missing[@]}"; } >"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	tail -n 20 "$log" >&2
	rm -f "$log"
	echo "could not install the packages above; shim6 is built and tested on Debian 12" >&2
	return 1
}

need_root() { # NAME
	[ "$(id -u)" = 0 ] && return 0
	echo "tools/$1: needs root for network namespaces and eBPF: sudo tools/$1" >&2
	return 1
}

# build DIR [MESON-OPTIONS...]
build() {
	local dir=$1
	shift
	if [ -f "$dir/build.ninja" ]; then
		meson setup --reconfigure "$dir" "$@" || return 1
	else
		rm -rf "$dir"
		meson setup "$dir" "$@" || return 1
	fi
	ninja -C "$dir"
}
