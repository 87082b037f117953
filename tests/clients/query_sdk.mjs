// The vendor's Node client of Log Analytics, unmodified, against the real server over TLS.
// usage: node query_sdk.mjs FOLDER (for the packages, kept between runs)
import assert from "node:assert/strict";
import path from "node:path";
import { processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { install } from "./packages.mjs";

const require = install(path.resolve(process.argv[2]));
const { LogsQueryClient, LogsQueryResultStatus } = require("@azure/monitor-query-logs");

const server = await Server.start();
await server.cli("hub", "create", "home");
const { workspace } = JSON.parse(await server.request("GET", "/api/v1/hubs/home"));
const { profile } = server;
const endpoint = `${profile.server.replace("http:", "https:")}/v1`;
const client = (token) => new LogsQueryClient(
  { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) },
  { endpoint, tlsOptions: { ca: server.ca }, retryOptions: { maxRetries: 0 } });
const logs = client(profile.token);
const day = { duration: "P1D" };

const failed = await runAll({
  async "values arrive as their types"() {
    const answer = await logs.queryWorkspace(workspace,
      'print n = 1, r = 1.5, s = "é", t = datetime(2026-01-02T03:04:05.5Z), d = dynamic({"a":[1]}), b = true, x = real(nan)', day);
    assert.equal(answer.status, LogsQueryResultStatus.Success);
    const [table] = answer.tables;
    assert.equal(table.name, "PrimaryResult");
    assert.deepEqual(table.columnDescriptors.map((column) => column.type),
      ["long", "real", "string", "datetime", "dynamic", "bool", "real"]);
    assert.deepEqual(table.rows[0], [1, 1.5, "é", new Date("2026-01-02T03:04:05.500Z"), { a: [1] }, true, "NaN"]);
  },

  async "statistics and a visualization come when asked for"() {
    const answer = await logs.queryWorkspace(workspace, "range i from 1 to 3 step 1 | render columnchart with (title='t')", day,
      { includeQueryStatistics: true, includeVisualization: true, serverTimeoutInSeconds: 30 });
    assert.equal(answer.visualization.visualization, "columnchart");
    assert.equal(answer.statistics.query.datasetStatistics[0].tableRowCount, 3);
  },

  async "an alert of a device is found, within the time span only"() {
    const device = await server.create("d1", "azureiotsecurity");
    await publish(server, device, processMessage("cpuminer-multi -o pool"));
    const query = "SecurityAlert | where AlertType == 'IoT_CryptoMiner' | project TimeGenerated, AlertSeverity";
    const found = await until("the alert", async () => {
      const { tables } = await logs.queryWorkspace(workspace, query, day);
      return tables[0].rows.length > 0 && tables[0].rows[0];
    });
    assert.ok(found[0] instanceof Date);
    const before = await logs.queryWorkspace(workspace, query,
      { startTime: new Date("2020-01-01"), endTime: new Date("2020-01-02") });
    assert.deepEqual(before.tables[0].rows, []);
  },

  async "a wrong query, workspace or token is refused with the service's codes"() {
    const refusal = (promise) => promise.then(() => assert.fail("it was answered"), (error) => error);
    const wrong = await refusal(logs.queryWorkspace(workspace, "SecurityAlert | wher x", day));
    assert.equal(Number(wrong.statusCode), 400);
    assert.equal(wrong.details.error.code, "BadArgumentError");
    assert.equal(wrong.details.error.innererror.code, "SyntaxError");
    assert.equal(Number((await refusal(logs.queryWorkspace("00000000-0000-0000-0000-000000000000", "print 1", day))).statusCode), 404);
    assert.equal(Number((await refusal(client("nonsense").queryWorkspace(workspace, "print 1", day))).statusCode), 401);
  },

  async "a batch answers each query by itself"() {
    const [first, second, third] = await logs.queryBatch([
      { workspaceId: workspace, query: "print 1", timespan: day },
      { workspaceId: workspace, query: "nonsense", timespan: day },
      { workspaceId: workspace, query: "print 3", timespan: day, includeQueryStatistics: true },
    ]);
    assert.equal(first.tables[0].rows[0][0], 1);
    assert.equal(second.partialError.code, "BadArgumentError");
    assert.equal(third.tables[0].rows[0][0], 3);
    assert.ok(third.statistics.query);
  },
});
await server.stop();
process.exit(failed ? 1 : 0);
