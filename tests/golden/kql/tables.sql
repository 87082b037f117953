-- The tables of the golden queries; datetimes are 100 ns ticks since 0001-01-01. T(s) is 2026-11-22T12:00:00Z plus s seconds.
CREATE MACRO T(s) AS (1795348800 + s)::BIGINT * 10000000 + 621355968000000000;
CREATE TABLE SecurityAlert (TimeGenerated BIGINT, StartTime BIGINT, EndTime BIGINT, AlertType VARCHAR, AlertSeverity VARCHAR, DisplayName VARCHAR, Status VARCHAR, SystemAlertId VARCHAR, ResourceId VARCHAR, ExtendedProperties VARCHAR);
INSERT INTO SecurityAlert VALUES
 (T(-86400), T(-86460), T(-86400), 'IoT_BruteForce', 'High', 'Brute force', 'New', 'a1', '/hubs/plant', '{"DeviceId":"pump-1","n":7}'),
 (T(-80000), T(-86460), T(-80000), 'IoT_BruteForce', 'High', 'Brute force', 'Dismissed', 'a1', '/hubs/plant', '{"DeviceId":"pump-1","n":7}'),
 (T(-7200), T(-7200), T(-7100), 'IoT_Miner', 'High', 'Crypto miner', 'New', 'a2', '/hubs/plant', '{"DeviceId":"pump-2"}'),
 (T(-3600), T(-3600), T(-3500), 'IoT_Miner', 'Medium', 'Crypto miner', 'New', 'a3', '/hubs/plant', '{"DeviceId":"pump-1"}'),
 (T(-60), T(-60), T(-50), 'Custom', 'Low', 'Custom one', 'New', 'a4', '/hubs/plant', '{}');
CREATE TABLE SecurityRecommendation (TimeGenerated BIGINT, DeviceId VARCHAR, RecommendationName VARCHAR, RecommendationDisplayName VARCHAR, RecommendationSeverity VARCHAR, RecommendationState VARCHAR, RecommendationAdditionalData VARCHAR);
INSERT INTO SecurityRecommendation VALUES
 (T(-9000), 'pump-1', 'IoT_OpenPorts', 'Open ports', 'Medium', 'Active', '{"Endpoints":["0.0.0.0:22","0.0.0.0:8888"]}'),
 (T(-8000), 'pump-3', 'IoT_OpenPorts', 'Open ports', 'Medium', 'Active', '{"Endpoints":["0.0.0.0:22"]}'),
 (T(-7000), 'pump-2', 'IoT_OpenPorts', 'Open ports', 'Medium', 'Resolved', NULL);
CREATE TABLE SecurityIoTRawEvent (TimeGenerated BIGINT, TimeStamp BIGINT, DeviceId VARCHAR, AssociatedResourceId VARCHAR, RawEventName VARCHAR, EventDetails VARCHAR, IsEmpty BOOLEAN, Exe VARCHAR);
INSERT INTO SecurityIoTRawEvent SELECT TimeGenerated, TimeGenerated, DeviceId, '/hubs/plant', RawEventName, EventDetails, false, coalesce(json_extract_string(EventDetails, '$.Executable'), '') FROM (VALUES
 (T(-3700), 'pump-1', 'ProcessCreate', '{"Executable":"/usr/bin/sh","CommandLine":"sh -c id","UserId":"1000"}'),
 (T(-3650), 'pump-1', 'ProcessCreate', '{"Executable":"/tmp/miner","CommandLine":"/tmp/miner -o pool","UserId":"0"}'),
 (T(-3600), 'pump-2', 'ProcessCreate', '{"Executable":"/usr/bin/sh","CommandLine":"sh","UserId":"1000"}'),
 (T(-600), 'pump-1', 'Login', '{"Result":"Fail","RemoteAddress":"10.0.0.9","UserName":"root","Executable":"sshd"}'),
 (T(-590), 'pump-1', 'Login', '{"Result":"Fail","RemoteAddress":"10.0.0.9","UserName":"admin","Executable":"sshd"}'),
 (T(-580), 'pump-1', 'Login', '{"Result":"Success","RemoteAddress":"127.0.0.1","UserName":"ann","Executable":"sshd"}'),
 (T(-500), 'pump-1', 'ListeningPorts', '{"Protocol":"tcp","LocalAddress":"0.0.0.0","LocalPort":"22","RemoteAddress":"*","RemotePort":"*"}'),
 (T(-500), 'pump-1', 'ListeningPorts', '{"Protocol":"tcp","LocalAddress":"0.0.0.0","LocalPort":"8888","RemoteAddress":"*","RemotePort":"*"}'),
 (T(-450), 'pump-1', 'LocalUsers', '{"UserId":"1000","UserName":"ann","GroupNames":"ann,sudo"}'),
 (T(-450), 'pump-1', 'LocalUsers', '{"UserId":"0","UserName":"root","GroupNames":"root"}'),
 (T(-400000), 'pump-9', 'Baseline', '{"BaselineCheckId":"1.1","BaselineCheckResult":"FAIL","BaselineCheckDescription":"old","Severity":"High"}'),
 (T(-400), 'pump-1', 'Baseline', '{"BaselineCheckId":"1.1","BaselineCheckResult":"FAIL","BaselineCheckDescription":"tmp","Severity":"High"}'),
 (T(-400), 'pump-1', 'Baseline', '{"BaselineCheckId":"1.2","BaselineCheckResult":"PASS","BaselineCheckDescription":"var","Severity":"Low"}')
) AS v(TimeGenerated, DeviceId, RawEventName, EventDetails);
CREATE TABLE AzureDiagnostics (TimeGenerated BIGINT, ResourceProvider VARCHAR, Category VARCHAR, Level VARCHAR, OperationName VARCHAR, ResultType VARCHAR, ResultDescription VARCHAR, properties_s VARCHAR);
INSERT INTO AzureDiagnostics VALUES
 (T(-100000), 'MICROSOFT.DEVICES', 'DeviceTelemetry', 'Information', 'd2cPublish', '', '', '{"deviceId":"pump-1","messageCount":10}'),
 (T(-7200), 'MICROSOFT.DEVICES', 'DeviceTelemetry', 'Information', 'd2cPublish', '', '', '{"deviceId":"pump-1","messageCount":32}'),
 (T(-6000), 'MICROSOFT.DEVICES', 'Connections', 'Information', 'deviceConnect', '', '', '{"deviceId":"pump-1"}'),
 (T(-5000), 'MICROSOFT.DEVICES', 'Connections', 'Information', 'deviceDisconnect', '', '', '{"deviceId":"pump-1"}'),
 (T(-4000), 'MICROSOFT.DEVICES', 'Connections', 'Error', 'deviceConnect', '401003', 'Thumbprint mismatch', '{"deviceId":"pump-2"}'),
 (T(-3900), 'MICROSOFT.DEVICES', 'Connections', 'Error', 'deviceConnect', '401003', 'Thumbprint mismatch', '{"deviceId":"pump-2"}'),
 (T(-3800), 'MICROSOFT.DEVICES', 'Connections', 'Error', 'deviceConnect', '401003', 'Thumbprint mismatch', '{"deviceId":"pump-2"}'),
 (T(-3700), 'MICROSOFT.DEVICES', 'Connections', 'Error', 'deviceConnect', '401003', 'Thumbprint mismatch', '{"deviceId":"pump-2"}'),
 (T(-3600), 'MICROSOFT.DEVICES', 'Connections', 'Error', 'deviceConnect', '401002', 'Token expired', '{"deviceId":"pump-3"}');
