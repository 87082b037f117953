#!/bin/sh
# Installs the Fieldwatch agent on this Debian device and connects it to its hub. As root, one line:
#
#   sh install.sh --package fieldwatch-agent_0.1.0_arm64.deb --ca-file ca.pem <connection_string.txt
#   fieldwatch device connection-string press-7 --module azureiotsecurity | ssh root@press-7 sh install.sh --package …
#
# The connection string is read from standard input, --connection-string-file FILE or, seen by everybody in the list of
# processes, as the last argument. --package may be a folder that holds a package per architecture (default: this script's).
# --ca-file FILE: who signs the hub's certificate; without it, whom this device's own store trusts.
#
# A second run brings a new package, a new connection string or a new CA file, and keeps what it is not given: without a connection
# string on standard input the one that is there stays, and config.json is the owner's.
set -eu
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

package=$(cd -- "$(dirname -- "$0")" && pwd)
ca=
string_file=
string=
while [ $# -gt 0 ]; do
    case $1 in
        --package | --ca-file | --connection-string-file)
            [ $# -ge 2 ] || die "$1 needs a value"
            case $1 in --package) package=$2 ;; --ca-file) ca=$2 ;; *) string_file=$2 ;; esac
            shift ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) [ -z "$string" ] || die "one connection string, not two"; string=$1 ;;
    esac
    shift
done

[ "$(id -u)" = 0 ] || die "must run as root"
arch=$(dpkg --print-architecture)
if [ -d "$package" ]; then
    package=$(find "$package/" -maxdepth 1 -name "fieldwatch-agent_*_$arch.deb" | sort -V | tail -n 1)
    [ -n "$package" ] || die "no fieldwatch-agent_*_$arch.deb there; say --package FILE"
fi
[ -f "$package" ] || die "$package does not exist"
[ -z "$ca" ] || [ -f "$ca" ] || die "$ca does not exist"
folder=/etc/fieldwatch-agent
if [ -n "$string_file" ]; then
    string=$(cat -- "$string_file")
elif [ -z "$string" ] && [ ! -t 0 ]; then
    string=$(cat)
fi
string=$(printf %s "$string" | tr -d '\r')
case $string in
    *'
'*) die "a connection string is one line" ;;
    HostName=*DeviceId=*) ;;
    '') # what the service's own condition asks for
        [ -s "$folder/connection_string.txt" ] || ls "$folder"/credential* >/dev/null 2>&1 ||
            die "give the connection string on standard input" ;;
    *) die "that is no connection string of a device: HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…" ;;
esac
[ -n "$ca" ] || [ -e "$folder/ca.pem" ] || [ -f /etc/ssl/certs/ca-certificates.crt ] ||
    die "this device trusts nobody yet (package ca-certificates); say --ca-file FILE"

# place NAME: standard input becomes that file, nobody else's to read from its first byte on, whole or not at all.
place() {
    new=$(mktemp "$folder/.new.XXXXXX")
    cat >"$new"
    mv -f -- "$new" "$folder/$1"
}

# Before the package: what starts with it finds its identity.
umask 077
if [ ! -d "$folder" ]; then mkdir -p "$folder"; fi
trap 'rm -f -- "$folder"/.new.??????' EXIT
if [ -n "$string" ]; then printf '%s\n' "$string" | place connection_string.txt; fi
if [ -n "$ca" ]; then
    place ca.pem <"$ca"
elif [ ! -e "$folder/ca.pem" ]; then
    ln -sf /etc/ssl/certs/ca-certificates.crt "$folder/ca.pem"
fi
# apt brings what the package depends on; dpkg does where apt is not. Either keeps a config.json that was changed.
if command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q=2 --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$(realpath -- "$package")" </dev/null
else
    dpkg --force-confdef --force-confold -i "$package" </dev/null
fi
fieldwatch-agent check-config
# A package that was here already starts nothing, and what runs has the old identity.
if [ -d /run/systemd/system ] && systemctl is-enabled --quiet fieldwatch-agent.service; then
    systemctl restart fieldwatch-agent.service
fi
