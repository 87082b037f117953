// The vendor's Node provisioning clients, unmodified, against the real server; then the device they provision connects.
// usage: node provisioning_sdk.mjs FOLDER (for the packages, kept between runs)
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runAll, Server, within } from "../integration/harness.mjs";
import { install, mayTake443, trust } from "./packages.mjs";

const require = install(path.resolve(process.argv[2]));
const address = "127.0.43.3";
const hasWeb = await mayTake443(address);
const server = await Server.start("--listen", address, ...(hasWeb ? ["--https-port", "443"] : []));
trust(server);
const { ProvisioningDeviceClient } = require("azure-iot-provisioning-device");
const { Mqtt: ProvisioningMqtt, MqttWs: ProvisioningMqttWs } = require("azure-iot-provisioning-device-mqtt");
const { Amqp: ProvisioningAmqp, AmqpWs: ProvisioningAmqpWs } = require("azure-iot-provisioning-device-amqp");
const { Http: ProvisioningHttp } = require("azure-iot-provisioning-device-http");
const { ProvisioningServiceClient } = require("azure-iot-provisioning-service");
const { SymmetricKeySecurityClient } = require("azure-iot-security-symmetric-key");
const { X509Security } = require("azure-iot-security-x509");
const { Client, Message } = require("azure-iot-device");
const { Mqtt } = require("azure-iot-device-mqtt");
const { NoRetry } = require("azure-iot-common");

await server.cli("hub", "create", "home");
const scope = (await server.cli("enrollment", "scope")).trim();
assert.match(scope, /^0ne[0-9A-F]{8}$/);
const ports = { mqtt: server.profile.hubPort, amqp: server.profile.amqpPort };
const transports = {
  mqtt: ProvisioningMqtt, amqp: ProvisioningAmqp, http: ProvisioningHttp, mqttWs: ProvisioningMqttWs, amqpWs: ProvisioningAmqpWs };

function register(security, kind = "mqtt", idScope = scope) {
  const client = ProvisioningDeviceClient.create(ports[kind] ? `${address}:${ports[kind]}` : address, idScope, new transports[kind](), security);
  return within(client.register(), "register");
}

const enroll = (...words) => server.cli("enrollment", "create", ...words, "--format", "json").then(JSON.parse);
const deviceKey = (groupKey, id) => createHmac("sha256", Buffer.from(groupKey, "base64")).update(id).digest("base64");
const shown = (device, hub = "home") => server.cli("device", "show", device, "--hub", hub, "--format", "json").then(JSON.parse);

/** A certificate made by openssl; signed by `authority` when there is one. */
function certificate(name, { authority, isAuthority = false } = {}) {
  const file = path.join(server.data, name);
  const run = (...words) => execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });
  run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${file}.key`,
    "-subj", `/CN=${name}`, "-out", `${file}.csr`);
  writeFileSync(`${file}.ext`, isAuthority ? "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n" : "basicConstraints=CA:FALSE\n");
  const signer = authority ? ["-CA", `${authority.file}.pem`, "-CAkey", `${authority.file}.key`, "-CAcreateserial"] : ["-signkey", `${file}.key`];
  run("x509", "-req", "-in", `${file}.csr`, "-days", "30", "-extfile", `${file}.ext`, "-out", `${file}.pem`, ...signer);
  return { file, cert: readFileSync(`${file}.pem`, "utf8"), key: readFileSync(`${file}.key`, "utf8") };
}

async function connects(assigned, credentials) {
  const client = Client.fromConnectionString(`HostName=${assigned.assignedHub};DeviceId=${assigned.deviceId};${credentials.key ? `SharedAccessKey=${credentials.key}` : "x509=true"}`, Mqtt);
  if (credentials.x509) client.setOptions(credentials.x509);
  client.setRetryPolicy(new NoRetry());
  await within(client.open(), "open");
  await within(client.sendEvent(new Message("hello")), "sendEvent");
  await client.close();
}

const web = {};
if (!hasWeb) console.log("SKIPPED: port 443 cannot be taken here; HTTPS and WebSocket of these SDKs know no other");
else {
  web["over HTTPS and WebSocket a device registers too, and a wrong key is refused"] = async () => {
    const { attestation } = await enroll("web-1");
    const key = attestation.symmetricKey.primaryKey;
    const own = certificate("web-2");
    await enroll("web-2", "--certificate", `${own.file}.pem`);
    for (const kind of ["http", "mqttWs", "amqpWs"]) {
      assert.equal((await register(new SymmetricKeySecurityClient("web-1", key), kind)).deviceId, "web-1", kind);
      await assert.rejects(register(new SymmetricKeySecurityClient("web-1", Buffer.alloc(32, 9).toString("base64")), kind),
        (error) => !/nothing within/.test(error.message), kind);
    }
    assert.equal((await register(new X509Security("web-2", own), "http")).deviceId, "web-2");
  };
  web["the service client keeps enrollments, groups and registrations"] = async () => {
    const { sharedAccessKeyName, primaryKey } = JSON.parse(await server.cli("enrollment", "scope", "--format", "json"));
    const client = (key) => ProvisioningServiceClient.fromConnectionString(`HostName=${address};SharedAccessKeyName=${sharedAccessKeyName};SharedAccessKey=${key}`);
    const service = client(primaryKey);
    const result = async (promise) => { const answer = await promise; return answer.responseBody ?? answer.result ?? answer; };
    const made = await result(service.createOrUpdateIndividualEnrollment({ registrationId: "svc-1", attestation: { type: "symmetricKey" } }));
    assert.equal(made.registrationId, "svc-1");
    await register(new SymmetricKeySecurityClient("svc-1", made.attestation.symmetricKey.primaryKey));
    assert.equal((await result(service.getDeviceRegistrationState("svc-1"))).status, "assigned");
    const changed = await result(service.createOrUpdateIndividualEnrollment({ ...made, provisioningStatus: "disabled" }));
    assert.equal(changed.provisioningStatus, "disabled");
    await assert.rejects(service.createOrUpdateIndividualEnrollment({ ...made, etag: made.etag }));
    await service.createOrUpdateEnrollmentGroup({ enrollmentGroupId: "svc-group", attestation: { type: "symmetricKey" } });
    assert.equal((await result(service.getEnrollmentGroup("svc-group"))).enrollmentGroupId, "svc-group");
    await service.deleteEnrollmentGroup("svc-group");
    await service.deleteIndividualEnrollment("svc-1");
    await assert.rejects(service.getIndividualEnrollment("svc-1"));
    await assert.rejects(client(Buffer.alloc(32, 1).toString("base64")).getEnrollmentGroup("line-a"));
  };
}

const failed = await runAll({
  ...web,
  async "one device registers with its own key, over MQTT and AMQP, and is then connected"() {
    writeFileSync(path.join(server.data, "twin.json"), JSON.stringify({ tags: { floor: 3 }, properties: { desired: { interval: 5 } } }));
    const { attestation } = await enroll("press-1", "--device-id", "Press-1", "--twin", path.join(server.data, "twin.json"));
    const key = attestation.symmetricKey.primaryKey;
    for (const kind of ["mqtt", "amqp"]) {
      const assigned = await register(new SymmetricKeySecurityClient("press-1", key), kind);
      assert.equal(assigned.deviceId, "Press-1");
      assert.equal(assigned.status, "assigned");
      assert.equal(assigned.substatus, "initialAssignment");
      assert.equal(assigned.registrationId, "press-1");
      await connects(assigned, { key });
    }
    const twin = JSON.parse(await server.request("GET", "/api/v1/hubs/home/devices/Press-1/twin"));
    assert.equal(twin.tags.floor, 3);
    assert.equal(twin.properties.desired.interval, 5);
  },

  async "a device of a group registers with a derived key, either of the two"() {
    const { attestation } = await enroll("line-a", "--group");
    for (const [id, groupKey] of [["valve-1", attestation.symmetricKey.primaryKey], ["valve-2", attestation.symmetricKey.secondaryKey]]) {
      const key = deviceKey(groupKey, id);
      const assigned = await register(new SymmetricKeySecurityClient(id, key));
      assert.equal(assigned.deviceId, id);
      await connects(assigned, { key });
    }
  },

  async "wrong keys, scopes and disabled enrollments are refused"() {
    const { attestation } = await enroll("press-2");
    const wrong = Buffer.alloc(32, 9).toString("base64");
    for (const kind of ["mqtt", "amqp"]) {
      await assert.rejects(register(new SymmetricKeySecurityClient("press-2", wrong), kind), (error) => !/nothing within/.test(error.message));
      await assert.rejects(register(new SymmetricKeySecurityClient("nobody", wrong), kind), (error) => !/nothing within/.test(error.message));
    }
    await assert.rejects(register(new SymmetricKeySecurityClient("press-2", attestation.symmetricKey.primaryKey), "mqtt", "0ne00000000"),
      (error) => !/nothing within/.test(error.message));
    // Individual beats group: a disabled one blocks a device whose group would let it in.
    const group = JSON.parse(await server.cli("enrollment", "show", "line-a", "--group", "--format", "json"));
    const groupKey = group.attestation.symmetricKey.primaryKey;
    const { attestation: own } = await enroll("valve-9", "--status", "disabled");
    await assert.rejects(register(new SymmetricKeySecurityClient("valve-9", deviceKey(groupKey, "valve-9"))));
    await assert.rejects(register(new SymmetricKeySecurityClient("valve-9", own.symmetricKey.primaryKey)));
    await assert.rejects(shown("valve-9"));
  },

  async "a device registers with its certificate and connects with it"() {
    const own = certificate("press-3");
    await enroll("press-3", "--certificate", `${own.file}.pem`);
    for (const kind of ["mqtt", "amqp"]) {
      const assigned = await register(new X509Security("press-3", own), kind);
      assert.equal(assigned.deviceId, "press-3");
      await connects(assigned, { x509: own });
    }
    const other = certificate("press-3"); // the same name, another key
    await assert.rejects(register(new X509Security("press-3", other)), (error) => !/nothing within/.test(error.message));
  },

  async "a certificate group takes who its authority signed, by the certificate's own name"() {
    const authority = certificate("plant-ca", { isAuthority: true });
    await enroll("plant", "--group", "--certificate", `${authority.file}.pem`);
    const leaf = certificate("pump-1", { authority });
    const assigned = await register(new X509Security("pump-1", leaf));
    assert.equal(assigned.deviceId, "pump-1");
    await connects(assigned, { x509: leaf }); // the hub knows the authority from the registration alone
    await connects(assigned, { x509: certificate("pump-1", { authority }) }); // renewed
    await assert.rejects(register(new X509Security("pump-2", leaf)), (error) => !/nothing within/.test(error.message));
    const stranger = certificate("pump-3");
    await assert.rejects(register(new X509Security("pump-3", stranger)), (error) => !/nothing within/.test(error.message));
  },

  async "static allocation picks the named hub; a changed one moves the device with its twin, or not"() {
    await server.cli("hub", "create", "north");
    await server.cli("hub", "create", "south");
    const { attestation } = await enroll("crane-1", "--allocation", "static", "--to", "north");
    const key = attestation.symmetricKey.primaryKey;
    const security = new SymmetricKeySecurityClient("crane-1", key);
    assert.equal((await register(security)).substatus, "initialAssignment");
    assert.equal((await shown("crane-1", "north")).deviceId, "crane-1");
    await server.request("PATCH", "/api/v1/hubs/north/devices/crane-1/twin", { properties: { desired: { load: 7 } } });
    const keys = ["--primary-key", key, "--secondary-key", attestation.symmetricKey.secondaryKey];
    await enroll("crane-1", "--allocation", "static", "--to", "south", "--to", "north", "--reprovision", "never", ...keys);
    await register(security);
    assert.equal((await shown("crane-1", "north")).deviceId, "crane-1");
    await enroll("crane-1", "--allocation", "static", "--to", "south", ...keys);
    assert.equal((await register(security)).substatus, "deviceDataMigrated");
    await assert.rejects(shown("crane-1", "north"));
    const twin = JSON.parse(await server.request("GET", "/api/v1/hubs/south/devices/crane-1/twin"));
    assert.equal(twin.properties.desired.load, 7);
  },
});
await server.stop();
process.exit(failed === 0 ? 0 : 1);
