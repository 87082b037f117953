// The investigations that are measured, in KQL as spec/workspace.md section 2 writes or describes them, and
// as plain SQL over the stored columns: the same rows, written by somebody who knows which details have
// columns.
#pragma once

#include <array>
#include <string>

#include "base/time.hpp"

namespace fieldwatch::bench {

/// `NOW` in the SQL stands for the query's time, in stored ticks.
struct Investigation {
    const char* name;
    const char* kql;
    const char* sql;
};

inline constexpr std::array kInvestigations = {
    Investigation{
        "failed_logins",  // K3
        R"(SecurityIoTRawEvent | where RawEventName == "Login" and TimeGenerated > ago(1d)
| extend E=parse_json(EventDetails)
| where tostring(E.Result) =~ "fail" | extend Src=tostring(E.RemoteAddress), User=tostring(E.UserName)
| summarize Tries=count(), Users=dcount(User) by DeviceId, Src, bin(TimeGenerated, 10m)
| where Tries >= 2 | sort by Tries desc)",
        R"(SELECT DeviceId, coalesce(_Details_RemoteAddress, '') AS Src, TimeGenerated - TimeGenerated % 6000000000 AS Bin,
count(*) AS Tries, count(DISTINCT coalesce(_Details_UserName, '')) AS Users FROM SecurityIoTRawEvent
WHERE RawEventName = 'Login' AND TimeGenerated > NOW - 864000000000 AND lower(_Details_Result) = 'fail'
GROUP BY DeviceId, Src, Bin HAVING count(*) >= 2 ORDER BY Tries DESC)"},
    Investigation{
        "before_alerts",  // K4
        R"(let alerts = SecurityAlert | where AlertType startswith "IoT_" | extend DeviceId=tostring(parse_json(ExtendedProperties).DeviceId) | project SystemAlertId, AlertType, DeviceId, StartTime;
alerts | join kind=inner (SecurityIoTRawEvent | where RawEventName=="ProcessCreate" | extend Cmd=extractjson("$.CommandLine", EventDetails, typeof(string)) | project DeviceId, Cmd, At=TimeStamp) on DeviceId
| where At between (StartTime-5m .. StartTime) | project SystemAlertId, AlertType, DeviceId, At, Cmd | order by SystemAlertId asc, At asc)",
        R"(SELECT SystemAlertId, AlertType, e.DeviceId, TimeStamp AS Moment, _Details_CommandLine AS Cmd FROM (
SELECT SystemAlertId, AlertType, StartTime, ExtendedProperties ->> '$.DeviceId' AS DeviceId FROM SecurityAlert WHERE AlertType ILIKE 'IoT\_%' ESCAPE '\') AS a
JOIN SecurityIoTRawEvent AS e ON a.DeviceId = e.DeviceId AND e.TimeStamp BETWEEN a.StartTime - 3000000000 AND a.StartTime
WHERE RawEventName = 'ProcessCreate' ORDER BY SystemAlertId, Moment)"},
    Investigation{
        "silent_devices",  // K7
        R"(SecurityIoTRawEvent | summarize Last=max(TimeGenerated) by DeviceId | where Last < ago(72h)
| extend SilentFor=now()-Last, Hours=round(datetime_diff('minute', now(), Last)/60.0, 1) | project-away SilentFor)",
        R"(SELECT DeviceId, max(TimeGenerated) AS Last, round((NOW // 600000000 - max(TimeGenerated) // 600000000) / 60.0, 1) AS Hours
FROM SecurityIoTRawEvent GROUP BY DeviceId HAVING max(TimeGenerated) < NOW - 2592000000000)"},
    Investigation{
        "rare_commands",  // K12
        R"(SecurityIoTRawEvent | where RawEventName == "ProcessCreate" | extend Exe=tostring(todynamic(EventDetails).Executable)
| summarize Devices=dcount(DeviceId), Runs=count() by Exe | where Devices == 1 and Exe !startswith "/usr/" | extend Len=strlen(Exe) | project-rename Path=Exe | take 100)",
        R"(SELECT coalesce(_Details_Executable, '') AS Path, count(DISTINCT DeviceId) AS Devices, count(*) AS Runs, length(Path) AS Len
FROM SecurityIoTRawEvent WHERE RawEventName = 'ProcessCreate' GROUP BY Path
HAVING count(DISTINCT DeviceId) = 1 AND NOT starts_with(lower(Path), '/usr/') LIMIT 100)"},
    Investigation{"users_with_access",
                  R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "LocalUsers"
| project TimestampLocal=extractjson("$.TimestampLocal", EventDetails, typeof(datetime)), GroupNames=extractjson("$.GroupNames", EventDetails, typeof(string)), UserName=extractjson("$.UserName", EventDetails, typeof(string))
| summarize FirstObserved=min(TimestampLocal) by GroupNames, UserName)",
                  R"(SELECT EventDetails ->> '$.GroupNames' AS GroupNames, _Details_UserName AS UserName,
min(EventDetails ->> '$.TimestampLocal') AS FirstObserved FROM SecurityIoTRawEvent
WHERE DeviceId = 'device-00042' AND RawEventName = 'LocalUsers' GROUP BY ALL)"},
    Investigation{
        "open_ports",
        R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "ListeningPorts"
| extend E=parse_json(EventDetails)
| project TimeGenerated, Protocol=tostring(E.Protocol), LocalPort=toint(tostring(E.LocalPort)), Remote=strcat(tostring(E.RemoteAddress), ":", tostring(E.RemotePort))
| where LocalPort <= 1024
| summarize First=min(TimeGenerated), Last=max(TimeGenerated), Remotes=makeset(Remote) by Protocol, LocalPort)",
        R"(SELECT _Details_Protocol AS Protocol, try_cast(_Details_LocalPort AS INTEGER) AS LocalPort, min(TimeGenerated), max(TimeGenerated),
list(DISTINCT concat(_Details_RemoteAddress, ':', _Details_RemotePort)) FROM SecurityIoTRawEvent
WHERE DeviceId = 'device-00042' AND RawEventName = 'ListeningPorts' AND LocalPort <= 1024 GROUP BY Protocol, LocalPort)"},
    Investigation{
        "user_logins",
        R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "Login" and not(EventDetails contains "\"RemoteAddress\":\"127.0.0.1\"")
| extend E=parse_json(EventDetails)
| summarize CntLogins=count(), CntSources=dcount(tostring(E.RemoteAddress)), Sources=makeset(tostring(E.RemoteAddress)) by User=tostring(E.UserName), Result=tostring(E.Result), Handler=tostring(E.Executable))",
        R"(SELECT _Details_UserName AS Who, _Details_Result AS Result, _Details_Executable AS Handler, count(*), count(DISTINCT _Details_RemoteAddress),
list(DISTINCT _Details_RemoteAddress) FROM SecurityIoTRawEvent WHERE DeviceId = 'device-00042' AND RawEventName = 'Login'
AND NOT contains(lower(EventDetails), '"remoteaddress":"127.0.0.1"') GROUP BY Who, Result, Handler)"},
    Investigation{
        "processes",
        R"(SecurityIoTRawEvent
| where DeviceId == "device-00042" and RawEventName == "ProcessCreate"
| extend E=parse_json(EventDetails)
| project Executable=tostring(E.Executable), CommandLine=tostring(E.CommandLine), UserName=tostring(E.UserName)
| join kind=leftouter (SecurityIoTRawEvent | where DeviceId == "device-00042" and RawEventName == "LocalUsers"
    | extend U=parse_json(EventDetails) | distinct UserName=tostring(U.UserName), UserId=tostring(U.UserId)
    | summarize UserId=max(UserId) by UserName) on UserName
| extend User=strcat(UserId, " ", UserName)
| summarize CommandLines=makeset(CommandLine) by Executable, User)",
        R"(SELECT p._Details_Executable AS Executable, concat(u.UserId, ' ', p._Details_UserName) AS Who, list(DISTINCT p._Details_CommandLine)
FROM SecurityIoTRawEvent AS p LEFT JOIN (SELECT _Details_UserName AS UserName, max(_Details_UserId) AS UserId FROM SecurityIoTRawEvent
WHERE DeviceId = 'device-00042' AND RawEventName = 'LocalUsers' GROUP BY UserName) AS u ON u.UserName = p._Details_UserName
WHERE p.DeviceId = 'device-00042' AND p.RawEventName = 'ProcessCreate' GROUP BY Executable, Who)"},
    Investigation{
        "baseline_failures",
        R"(let latest = SecurityIoTRawEvent | where RawEventName == "Baseline" | summarize TimeStamp=max(TimeStamp) by DeviceId;
SecurityIoTRawEvent | where RawEventName == "Baseline" | join kind=inner latest on TimeStamp, DeviceId
| extend event = parse_json(EventDetails)
| where event.BaselineCheckResult == "FAIL"
| project DeviceId, event.BaselineCheckId, event.Severity)",
        R"(SELECT e.DeviceId, e._Details_BaselineCheckId, e.EventDetails ->> '$.Severity' FROM SecurityIoTRawEvent AS e
JOIN (SELECT DeviceId, max(TimeStamp) AS TimeStamp FROM SecurityIoTRawEvent WHERE RawEventName = 'Baseline' GROUP BY DeviceId) AS l
ON l.DeviceId = e.DeviceId AND l.TimeStamp = e.TimeStamp WHERE e.RawEventName = 'Baseline' AND e._Details_BaselineCheckResult = 'FAIL')"},
    Investigation{
        "last_day_by_kind",
        "SecurityIoTRawEvent | where TimeGenerated > ago(1d) | summarize count() by RawEventName",
        R"(SELECT RawEventName, count(*) FROM SecurityIoTRawEvent WHERE TimeGenerated > NOW - 864000000000 GROUP BY RawEventName)"},
    Investigation{
        "noisiest_devices",  // K2
        R"(SecurityAlert | where TimeGenerated between (ago(7d) .. now())
| extend P=parse_json(ExtendedProperties) | extend DeviceId=tostring(P.DeviceId)
| where isnotempty(DeviceId)
| summarize Alerts=dcount(SystemAlertId), Kinds=make_set(AlertType, 10), Worst=max(case(AlertSeverity=="High",3,AlertSeverity=="Medium",2,AlertSeverity=="Low",1,0)) by DeviceId
| top 10 by Alerts desc)",
        R"(SELECT ExtendedProperties ->> '$.DeviceId' AS DeviceId, count(DISTINCT SystemAlertId) AS Alerts, list(DISTINCT AlertType)[1:10],
max(CASE AlertSeverity WHEN 'High' THEN 3 WHEN 'Medium' THEN 2 WHEN 'Low' THEN 1 ELSE 0 END) FROM SecurityAlert
WHERE TimeGenerated BETWEEN NOW - 6048000000000 AND NOW AND DeviceId <> '' GROUP BY 1 ORDER BY Alerts DESC LIMIT 10)"},
};

inline std::string sql_of(const Investigation& investigation, Timestamp now) {
    constexpr std::int64_t kTicksAtUnixEpoch = 621'355'968'000'000'000;
    std::string out = investigation.sql;
    for (auto at = out.find("NOW"); at != std::string::npos; at = out.find("NOW", at))
        out.replace(at, 3, std::to_string(now.ticks + kTicksAtUnixEpoch));
    return out;
}

}  // namespace fieldwatch::bench
