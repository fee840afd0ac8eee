#!/bin/sh
# Installs the released binary for this machine: downloads it, checks its SHA-256, and puts it on the path.
#
#   curl -fsSL URL/install.sh | sh -s -- URL
#   sh install.sh URL [--to DIRECTORY]
#
# URL is the folder of a release, with SHA256SUMS in it: https://…, or with curl also file:///… on this machine. Without --to
# the binary goes to /usr/local/bin where that is writable, and to ~/.local/bin elsewhere. The checksums come from the same
# URL: they show a broken download, not a forged one.
set -eu

fail() { echo "install: $*" >&2; exit 1; }

download() {
    if command -v curl >/dev/null; then
        curl -fsSL --retry 2 -o "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -O "$2" "$1"
    else
        fail "needs curl or wget"
    fi || fail "$1 cannot be downloaded"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# Everything is read before anything is done: a download of this script that broke off does nothing.
main() {
    url=
    directory=
    while [ $# -gt 0 ]; do
        case $1 in
            --to) [ $# -gt 1 ] || fail "--to needs a directory"; directory=$2; shift 2 ;;
            -*) fail "$1 is no option; usage: install.sh URL [--to DIRECTORY]" ;;
            *) url=${1%/}; shift ;;
        esac
    done
    [ -n "$url" ] || fail "usage: install.sh URL [--to DIRECTORY]"
    [ "$(uname -s)" = Linux ] || fail "there are binaries for Linux only; build from source: docs/deploy.md"
    case $(uname -m) in
        x86_64 | amd64) processor=x86_64 ;;
        aarch64 | arm64) processor=aarch64 ;;
        *) fail "there is no binary for $(uname -m); build from source: docs/deploy.md" ;;
    esac
    if [ -z "$directory" ]; then
        directory=/usr/local/bin
        [ -w "$directory" ] || directory=${HOME:?}/.local/bin
    fi

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    download "$url/SHA256SUMS" "$work/SHA256SUMS"
    line=$(grep -E "^[0-9a-f]{64}  transports-[0-9A-Za-z.+-]+-linux-$processor\.tar\.gz\$" "$work/SHA256SUMS") ||
        fail "$url/SHA256SUMS has no binary for $processor"
    [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || fail "$url/SHA256SUMS has more than one binary for $processor"
    wanted=${line%% *}
    archive=${line##* }
    download "$url/$archive" "$work/$archive"
    found=$(sha256 "$work/$archive")
    [ "$found" = "$wanted" ] || fail "$archive has the checksum $found, and SHA256SUMS says $wanted: nothing was installed"

    tar -xzf "$work/$archive" -C "$work"
    mkdir -p "$directory"
    # In one step, so that a service that starts meanwhile finds the old or the new one.
    cp "$work/${archive%.tar.gz}/transports" "$directory/.transports.new"
    chmod 755 "$directory/.transports.new"
    mv -f "$directory/.transports.new" "$directory/transports"
    echo "install: $("$directory/transports" --version) is $directory/transports"
    case :$PATH: in
        *:"$directory":*) ;;
        *) echo "install: add it to the path: export PATH=\"$directory:\$PATH\"" ;;
    esac
    echo "install: documentation and examples are in $url/$archive"
    echo "install: try it with \`transports dev\`, which needs no settings"
}

main "$@"
