// The vendor's device and service SDKs for Node, unmodified, over MQTT, MQTT over WebSocket and HTTPS,
// against the real server: messages to devices, methods, twins, the registry, queries, jobs, files,
// certificates. Several of them have port 443 built in, so the server listens there, on a loopback address of
// its own. usage: node hub_sdk.mjs FOLDER (for the packages, kept between runs)
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {Readable} from 'node:stream';

import {pause, runAll, Server, until, within} from '../integration/harness.mjs';

import {install} from './packages.mjs';

const address = '127.0.43.1';

async function mayTake443() {
    return new Promise((resolve) => {
        const probe = createServer().once('error', () => resolve(false));
        probe.listen(443, address, () => probe.close(() => resolve(true)));
    });
}

// The service SDK takes further authorities from the environment alone, and Node reads that once, at its
// start: the server is started here, the tests run in a second process.
if (!process.env.FIELDWATCH_TEST_DATA) {
    install(path.resolve(process.argv[2]));
    if (!(await mayTake443())) {
        console.log('SKIPPED: port 443 cannot be taken here, and these SDKs know no other');
        process.exit(0);
    }
    const server = await Server.start('--listen', address, '--https-port', '443');
    const child = spawn(process.execPath, process.argv.slice(1), {
        stdio: 'inherit',
        env: {...process.env, FIELDWATCH_TEST_DATA: server.data, NODE_EXTRA_CA_CERTS: server.profile.caFile},
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    await server.stop();
    process.exit(code ?? 1);
}

const require = install(path.resolve(process.argv[2]));
const {Client, ModuleClient, Message} = require('azure-iot-device');
const {Mqtt, MqttWs} = require('azure-iot-device-mqtt');
const {AmqpWs} = require('azure-iot-device-amqp');
const {Http} = require('azure-iot-device-http');
const {NoRetry} = require('azure-iot-common');
const {Registry, JobClient, Client: ServiceClient} = require('azure-iothub');

const server = Server.attach(process.env.FIELDWATCH_TEST_DATA);
const work = mkdtempSync(path.join(tmpdir(), 'fieldwatch-hub-sdk-'));
await server.cli('hub', 'create', 'home');
const policies = JSON.parse(await server.cli('hub', 'show', 'home', '--keys', '--format', 'json')).policies;
const serviceString = (policy) =>
    `HostName=${address};SharedAccessKeyName=${policy};SharedAccessKey=${policies[policy]}`;
const registry = Registry.fromConnectionString(serviceString('iothubowner'));

/** Connection string without the MQTT port, for transports that know only 443. */
const plain = (text) => text.replace(/HostName=[^;]*/, `HostName=${address}`);

async function trusted(client, options = {}) {
    await client.setOptions({ca: server.ca, ...options});
    client.setRetryPolicy(new NoRetry());
    return client;
}

async function opened(kind, text, transport) {
    const client = await trusted(kind.fromConnectionString(text, transport));
    await within(client.open(), 'open');
    return client;
}

/** A message to a device, over REST: the service SDK itself knows AMQP alone. */
async function sendCommand(device, body, properties = {}) {
    const token = sasTokenOfPolicy('service');
    const response = await fetch(`https://${address}/messages/devicebound?api-version=2021-04-12`, {
        method: 'POST',
        body,
        headers:
            {authorization: token, 'iothub-to': `/devices/${device}/messages/devicebound`, ...properties},
    });
    assert.equal(response.status, 204, await response.text());
}

function sasTokenOfPolicy(policy) {
    const {SharedAccessSignature, anHourFromNow} = require('azure-iot-common');
    return SharedAccessSignature.create(address, policy, policies[policy], anHourFromNow()).toString();
}

const operations = (filter, count = 1) => server.rows(
    `AzureDiagnostics | extend P = parse_json(properties_s) | where ${
        filter} | project OperationName, ResultType, tostring(P.protocol)`,
    count);

const transports = {
    Mqtt,
    MqttWs,
    AmqpWs,
};
const tests = {};
for (const [name, transport] of Object.entries(transports)) {
    tests[`${name}: telemetry, messages, methods, twin, close`] = async () => {
        const device = `dev-${name.toLowerCase()}`;
        const text = await server.create(device);
        const client = await opened(Client, name === 'Mqtt' ? text : plain(text), transport);
        const message = new Message('{}');
        message.properties.add('k 1', 'v&1');
        await within(client.sendEvent(message), 'sendEvent');
        const security = new Message('{}');
        security.setAsSecurityMessage();
        await within(client.sendEvent(security), 'security message');

        const heard = new Promise((resolve) => client.on('message', (one) => {
            client.complete(one, () => {});
            resolve(one);
        }));
        await pause(200);
        await sendCommand(
            device, 'go', {'iothub-messageid': 'm 1', 'iothub-app-k': 'v&1', 'iothub-ack': 'positive'});
        const got = await within(heard, 'a message');
        assert.equal(got.messageId, 'm 1');
        assert.equal(got.data.toString(), 'go');
        assert.equal(got.properties.getValue('k'), 'v&1');
        await operations(`Category == "C2DCommands" and OperationName == "complete" and P.deviceId == "${
            device}" and P.protocol == "${name}"`);

        client.onDeviceMethod('doIt', (request, response) => response.send(202, {echo: request.payload}));
        await pause(300);
        const service = ServiceClient.fromConnectionString(serviceString('service'));
        const {result} = await within(
            service.invokeDeviceMethod(device, {methodName: 'doIt', payload: {x: [1]}}), 'method');
        assert.deepEqual(result, {status: 202, payload: {echo: {x: [1]}}});

        const twin = await within(client.getTwin(), 'getTwin');
        const changed = new Promise((resolve) => twin.on('properties.desired', (patch) => {
            if (patch.interval === 9) resolve(patch);
        }));
        await within(
            new Promise(
                (resolve, reject) => twin.properties.reported.update(
                    {fw: '1'}, (error) => (error ? reject(error) : resolve()))),
            'reported');
        await pause(300);
        const {responseBody: before} = await registry.getTwin(device);
        assert.equal(before.properties.reported.fw, '1');
        await registry.updateTwin(device, {properties: {desired: {interval: 9}}}, '*');
        await within(changed, 'a desired change');
        await client.close();
        await operations(
            `P.deviceId == "${device}" and OperationName == "deviceDisconnect" and P.protocol == "${
                name}" and isempty(ResultType)`);
    };
}

await runAllAndExit({
    ...tests,

    async 'messages wait for a device that is away'() {
        const text = await server.create('away');
        const first = await opened(Client, text, Mqtt);
        first.on('message', () => {});
        await pause(300);
        await first.close();
        await sendCommand('away', 'waited', {'iothub-messageid': 'w1'});
        const second = await trusted(Client.fromConnectionString(text, Mqtt));
        const heard = new Promise((resolve) => second.on('message', resolve));
        await within(second.open(), 'open');
        assert.equal((await within(heard, 'the message that waited')).data.toString(), 'waited');
        await second.close();
    },

    async 'HTTPS: telemetry alone and in a batch, messages received, completed, rejected, abandoned'() {
        const client = await trusted(
            Client.fromConnectionString(plain(await server.create('over-http')), Http),
            {http: {receivePolicy: {interval: 1}}});
        await within(client.open(), 'open');
        const message = new Message('one');
        message.messageId = 'm1';
        await within(client.sendEvent(message), 'sendEvent');
        await within(client.sendEventBatch([new Message('two'), new Message('three')]), 'sendEventBatch');
        await sendCommand('over-http', 'cmd', {'iothub-messageid': 'c1', 'iothub-app-p': 'q'});
        const next = () => within(new Promise((resolve) => client.once('message', resolve)), 'a message');
        const settle = (how, one) => within(
            new Promise(
                (resolve, reject) => client[how](one, (error) => (error ? reject(error) : resolve()))),
            how);
        const first = await next();
        assert.equal(first.properties.getValue('iothub-app-p'), 'q');
        await settle('abandon', first);
        const again = await next();
        assert.equal(again.messageId, 'c1');
        await settle('complete', again);
        await sendCommand('over-http', 'no', {'iothub-messageid': 'c2'});
        await settle('reject', await next());
        await client.close();
        await operations(
            `P.deviceId == "over-http" and OperationName in ("abandon", "complete", "reject") and P.protocol == "Https"`,
            3);
    },

    async 'a file is uploaded and announced'() {
        const client = await opened(Client, plain(await server.create('uploader')), MqttWs);
        const content = Buffer.alloc(300_000, 'log line\n');
        await within(
            client.uploadToBlob('logs/today.txt', Readable.from([content]), content.length), 'uploadToBlob',
            30);
        await client.close();
        const response = await fetch(
            `https://${address}/messages/servicebound/filenotifications?api-version=2021-04-12`,
            {headers: {authorization: sasTokenOfPolicy('service')}});
        const notice = await response.json();
        assert.equal(notice.deviceId, 'uploader');
        assert.equal(notice.blobSizeInBytes, content.length);
        await operations(
            `Category == "FileUploadOperations" and OperationName == "complete" and P.deviceId == "uploader"`);
    },

    async 'a module has its own twin and methods'() {
        const text = await server.create('host', 'worker');
        const client = await opened(ModuleClient, text, Mqtt);
        client.onMethod('ping', (request, response) => response.send(200, 'pong'));
        await pause(300);
        const service = ServiceClient.fromConnectionString(serviceString('service'));
        const {result} =
            await within(service.invokeDeviceMethod('host', 'worker', {methodName: 'ping'}), 'method');
        assert.deepEqual(result, {status: 200, payload: 'pong'});
        const {responseBody: twin} = await registry.getModuleTwin('host', 'worker');
        assert.equal(twin.moduleId, 'worker');
        await client.close();
    },

    async 'the registry: create, update, get, list, bulk, modules, statistics, delete'() {
        const {responseBody: made} = await registry.create({deviceId: 'r1'});
        assert.equal(made.status, 'enabled');
        await assert.rejects(registry.create({deviceId: 'r1'}), {name: 'DeviceAlreadyExistsError'});
        await registry.update({deviceId: 'r1', status: 'disabled', statusReason: 'test'});
        const {responseBody: got} = await registry.get('r1');
        assert.equal(got.status, 'disabled');
        assert.equal(got.authentication.symmetricKey.primaryKey, made.authentication.symmetricKey.primaryKey);
        await assert.rejects(registry.get('nobody'), {name: 'DeviceNotFoundError'});
        const {responseBody: all} = await registry.list();
        assert.ok(all.some((one) => one.deviceId === 'r1'));
        const {responseBody: added} = await registry.addDevices([{deviceId: 'b1'}, {deviceId: 'b2'}]);
        assert.deepEqual([added.isSuccessful, added.errors], [true, []]);
        await assert.rejects(registry.addDevices([{deviceId: 'b1'}]));
        await registry.updateDevices([{deviceId: 'b1', status: 'disabled'}], true);
        assert.equal((await registry.get('b1')).responseBody.status, 'disabled');
        await registry.removeDevices([{deviceId: 'b1'}, {deviceId: 'b2'}], true);
        await assert.rejects(registry.get('b1'), {name: 'DeviceNotFoundError'});
        await registry.addModule({deviceId: 'r1', moduleId: 'm'});
        assert.equal((await registry.getModulesOnDevice('r1')).responseBody.length, 1);
        await registry.removeModule('r1', 'm');
        const {responseBody: statistics} = await registry.getRegistryStatistics();
        assert.equal(statistics.disabledDeviceCount, 1);
        await registry.delete('r1');
        await operations(
            'Category == "DeviceIdentityOperations" and OperationName == "delete" and P.deviceId == "r1" and P.sharedAccessPolicy == "iothubowner"');
    },

    async 'queries come page by page'() {
        for (const id of ['q1', 'q2', 'q3']) {
            await registry.create({deviceId: id});
            await registry.updateTwin(id, {tags: {kind: 'query'}}, '*');
        }
        const query = registry.createQuery('SELECT * FROM devices WHERE tags.kind = \'query\'', 2);
        const first = await query.nextAsTwin();
        assert.deepEqual(first.result.map((one) => one.deviceId), ['q1', 'q2']);
        assert.ok(query.hasMoreResults);
        assert.deepEqual((await query.nextAsTwin()).result.map((one) => one.deviceId), ['q3']);
        assert.ok(!query.hasMoreResults);
        await assert.rejects(registry.createQuery('SELECT FROM nothing').nextAsTwin());
        const {result: twin} = {result: first.result[0]};
        const stale = twin.etag;
        await registry.updateTwin('q1', {tags: {n: 1}}, '*');
        await assert.rejects(registry.updateTwin('q1', {tags: {n: 2}}, stale), {name: 'InvalidEtagError'});
    },

    async 'policies have their rights and no more'() {
        const reads = Registry.fromConnectionString(serviceString('registryRead'));
        await reads.list();
        await assert.rejects(reads.create({deviceId: 'not-made'}), {name: 'UnauthorizedError'});
        await assert.rejects(reads.getTwin('q1'), {name: 'UnauthorizedError'});
        const wrong = serviceString('service').replace(
            /SharedAccessKey=.*/, `SharedAccessKey=${Buffer.alloc(32, 1).toString('base64')}`);
        await assert.rejects(Registry.fromConnectionString(wrong).getTwin('q1'), {name: 'UnauthorizedError'});
    },

    async 'a rotated key leaves the old one valid for one turn'() {
        const before = Registry.fromConnectionString(serviceString('registryReadWrite'));
        const fresh = (await server.cli('hub', 'rotate-key', 'home', 'registryReadWrite')).trim();
        await before.list();
        policies.registryReadWrite = fresh;
        await Registry.fromConnectionString(serviceString('registryReadWrite')).list();
        await server.cli('hub', 'rotate-key', 'home', 'registryReadWrite');
        await assert.rejects(before.list(), {name: 'UnauthorizedError'});
    },

    async 'jobs update twins and call methods'() {
        const jobs = JobClient.fromConnectionString(serviceString('iothubowner'));
        await within(
            jobs.scheduleTwinUpdate(
                'job-1', 'tags.kind = \'query\'', {etag: '*', properties: {desired: {job: 1}}}, new Date(),
                60),
            'schedule');
        const done = await until('the job has run', async () => {
            const {jobStatus} = await jobs.getJob('job-1');
            return jobStatus.status === 'completed' && jobStatus;
        });
        assert.equal(done.deviceJobStatistics.succeededCount, 3);
        assert.equal((await registry.getTwin('q2')).responseBody.properties.desired.job, 1);
        await jobs.scheduleDeviceMethod(
            'job-2', 'deviceId = \'q1\'', {methodName: 'm', payload: null, responseTimeoutInSeconds: 5},
            new Date(), 60);
        await until(
            'the method job has failed',
            async () => (await jobs.getJob('job-2')).jobStatus.status === 'failed');
        await operations('Category == "JobsOperations" and OperationName == "jobCompleted"', 2);
    },

    async 'configurations reach the devices that they target'() {
        await registry.addConfiguration({
            id: 'c1',
            schemaVersion: '1.0',
            targetCondition: 'tags.kind=\'query\'',
            priority: 5,
            content: {deviceContent: {'properties.desired.conf': {level: 3}}}
        });
        await until(
            'the configuration is applied',
            async () => (await registry.getTwin('q3')).responseBody.properties.desired.conf?.level === 3, 30);
        const {responseBody: shown} = await registry.getConfiguration('c1');
        assert.equal(shown.systemMetrics.results.targetedCount, 3);
        await registry.removeConfiguration('c1');
        await assert.rejects(registry.getConfiguration('c1'));
    },

    async 'methods fail by name: not there, not subscribed, no answer in time'() {
        await server.create('quiet');
        const service = ServiceClient.fromConnectionString(serviceString('service'));
        await assert.rejects(service.invokeDeviceMethod('quiet', {methodName: 'm'}));
        await operations('Category == "DirectMethods" and ResultType == "404103" and P.deviceId == "quiet"');
        await assert.rejects(
            service.invokeDeviceMethod('nobody', {methodName: 'm'}), {name: 'DeviceNotFoundError'});
        const client = await opened(
            Client, (await server.cli('device', 'connection-string', 'quiet', '--hub', 'home')).trim(), Mqtt);
        client.onDeviceMethod('m', () => {});
        await pause(300);
        await assert.rejects(
            service.invokeDeviceMethod('quiet', {methodName: 'm', responseTimeoutInSeconds: 1}),
            {name: 'GatewayTimeoutError'});
        await client.close();
    },

    async 'certificates: by thumbprint, and by an authority whose key was proven'() {
        const openssl = (...words) =>
            execFileSync('openssl', words, {cwd: work, stdio: ['ignore', 'pipe', 'pipe']}).toString();
        const issue = (name, subject) => {
            openssl(
                'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
                `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`);
            openssl(
                'x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
                '-days', '10', '-out', `${name}.pem`);
        };
        const x509 = async (text, name) => {
            const client = Client.fromConnectionString(text, Mqtt);
            await client.setOptions({
                ca: server.ca,
                cert: readFileSync(path.join(work, `${name}.pem`), 'utf8'),
                key: readFileSync(path.join(work, `${name}.key`), 'utf8')
            });
            client.setRetryPolicy(new NoRetry());
            return client;
        };
        openssl(
            'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
            'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=Our CA', '-addext',
            'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
        openssl(
            'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
            'self.key', '-out', 'self.pem', '-days', '30', '-subj', '/CN=self');
        issue('by-ca', 'by-ca');
        issue('other', 'another');
        const thumbprint =
            openssl('x509', '-in', 'self.pem', '-noout', '-fingerprint', '-sha256').split('=')[1].trim();

        await server.cli(
            'device', 'create', 'by-print', '--hub', 'home', '--auth', 'x509-thumbprint', '--thumbprint',
            thumbprint);
        const printString =
            (await server.cli('device', 'connection-string', 'by-print', '--hub', 'home')).trim();
        const self = await x509(printString, 'self');
        await within(self.open(), 'open by thumbprint');
        await within(self.sendEvent(new Message('x')), 'sendEvent');
        await self.close();
        await assert.rejects((await x509(printString, 'by-ca')).open(), {name: 'UnauthorizedError'});
        await server.rows(
            'AzureDiagnostics | extend P = parse_json(properties_s) | where P.authFailureReason == "CertThumbprintMismatch"');

        await server.cli('device', 'create', 'by-ca', '--hub', 'home', '--auth', 'x509-ca');
        const caString = (await server.cli('device', 'connection-string', 'by-ca', '--hub', 'home')).trim();
        await assert.rejects(
            (await x509(caString, 'by-ca')).open(), {name: 'UnauthorizedError'});  // no authority yet
        const certificate = (name) => readFileSync(path.join(work, `${name}.pem`), 'utf8');
        const api = '/api/v1/hubs/home/certificates/ours';
        await server.request('PUT', api, {certificate: certificate('ca')});
        await assert.rejects(
            (await x509(caString, 'by-ca')).open(), {name: 'UnauthorizedError'});  // not proven yet
        const {verificationCode} =
            JSON.parse(await server.request('POST', `${api}/generateVerificationCode`));
        await assert.rejects(server.request('POST', `${api}/verify`, {certificate: certificate('other')}));
        issue('proof', verificationCode);
        assert.equal(
            JSON.parse(await server.request('POST', `${api}/verify`, {certificate: certificate('proof')}))
                .isVerified,
            true);
        const device = await x509(caString, 'by-ca');
        await within(device.open(), 'open by authority');
        await device.close();
        await assert.rejects(
            (await x509(caString, 'other')).open(), {name: 'UnauthorizedError'});  // another common name
        await server.request('DELETE', api);
        await assert.rejects((await x509(caString, 'by-ca')).open(), {name: 'UnauthorizedError'});
    },

    async 'the IP filter keeps an address out and says why in the log'() {
        const text = await server.create('filtered');
        await server.cli('hub', 'update', 'home', '--ip-filter', 'none-of-you=Reject:127.0.0.0/8');
        try {
            const client = await trusted(Client.fromConnectionString(text, Mqtt));
            await assert.rejects(within(client.open(), 'open'), {name: 'UnauthorizedError'});
            await assert.rejects(registry.list(), {name: 'UnauthorizedError'});
        } finally {
            await server.cli('hub', 'update', 'home', '--ip-filter', 'none');
        }
        await registry.list();
        await server.rows(
            'AzureDiagnostics | extend P = parse_json(properties_s) | where P.authFailureReason == "IpFiltered" and P.deviceId == "filtered"');
    },
});

async function runAllAndExit(all) {
    const only = process.argv[3];
    const failed = await runAll(
        Object.fromEntries(Object.entries(all).filter(([name]) => !only || name.includes(only))));
    rmSync(work, {recursive: true, force: true});
    process.exit(failed === 0 ? 0 : 1);
}
