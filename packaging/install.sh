#!/bin/sh
# Installs the Fieldwatch agent on this Debian device and connects it to its hub. As root, one line:
#
#   sh install.sh --package fieldwatch-agent_0.1.0_arm64.deb --ca-file ca.pem <connection_string.txt
#   fieldwatch device connection-string press-7 --module azureiotsecurity | ssh root@press-7 sh install.sh --package …
#
# The connection string is read from standard input, --connection-string-file FILE or, seen by everybody in the list of
# processes, as the last argument. --package may be a folder that holds a package per architecture (default: this script's).
# --ca-file FILE: who signs the hub's certificate; without it, whom this device's own store trusts.
set -eu
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

package=$(cd "$(dirname "$0")" && pwd)
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
        *) string=$1 ;;
    esac
    shift
done

[ "$(id -u)" = 0 ] || die "must run as root"
arch=$(dpkg --print-architecture)
if [ -d "$package" ]; then
    package=$(find "$package" -maxdepth 1 -name "fieldwatch-agent_*_$arch.deb" | sort -V | tail -n 1)
    [ -n "$package" ] || die "no fieldwatch-agent_*_$arch.deb there; say --package FILE"
fi
[ -f "$package" ] || die "$package does not exist"
[ -z "$ca" ] || [ -f "$ca" ] || die "$ca does not exist"
if [ -n "$string_file" ]; then string=$(cat "$string_file"); elif [ -z "$string" ]; then
    [ ! -t 0 ] || die "give the connection string on standard input"
    string=$(cat)
fi
case $string in
    HostName=*DeviceId=*) ;;
    *) die "that is no connection string of a device: HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…" ;;
esac

# Before the package: what starts with it finds its identity.
umask 077
mkdir -p /etc/fieldwatch-agent
printf '%s\n' "$string" >/etc/fieldwatch-agent/connection_string.txt
rm -f /etc/fieldwatch-agent/ca.pem
if [ -n "$ca" ]; then
    cp "$ca" /etc/fieldwatch-agent/ca.pem
else
    [ -f /etc/ssl/certs/ca-certificates.crt ] || die "this device trusts nobody yet (package ca-certificates); say --ca-file FILE"
    ln -s /etc/ssl/certs/ca-certificates.crt /etc/fieldwatch-agent/ca.pem
fi
# apt brings what the package depends on; dpkg does where apt is not.
if command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q=2 --no-install-recommends "$(realpath "$package")"
else
    dpkg -i "$package"
fi
fieldwatch-agent check-config
