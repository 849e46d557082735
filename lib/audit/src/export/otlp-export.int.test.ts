import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import { openAudit, type OpenedAudit } from '../open-audit.js';
import { call } from '../testing.fixture.js';
import type { OtlpSettings } from './open-exports.js';

const patience = { deadlineMs: 60_000 };
const ok = { result: 'SUCCEEDED', codes: [] } as const;
const failed = 'sending audit entries to the OTLP collector failed';

interface LogRecord {
  readonly timeUnixNano: string;
  readonly severityText: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}

interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A collector on a port of its own, whose answers a test decides. */
class Collector {
  readonly accepted: LogRecord[] = [];
  readonly requests: { readonly count: number; readonly headers: IncomingHttpHeaders }[] = [];
  answer: Answer = { status: 200, body: {} };
  /** Answer to the first request, if it is another one. */
  firstAnswer: Answer | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { resourceLogs } = JSON.parse(Buffer.concat(parts).toString()) as {
          resourceLogs: { scopeLogs: { logRecords: LogRecord[] }[] }[];
        };
        const records = resourceLogs.flatMap(({ scopeLogs }) => scopeLogs).flatMap((one) => one.logRecords);
        this.requests.push({ count: records.length, headers: request.headers });
        const first = this.requests.length === 1 ? this.firstAnswer : undefined;
        const { status, body = {}, headers = {} } = first ?? this.answer;
        if (status === 200) this.accepted.push(...records);
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(JSON.stringify(body));
      });
    });
    leftovers.defer('a collector', () => {
      this.#server.close();
      this.#server.closeAllConnections();
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/logs`;
  }

  /** The accepted entries and outcomes. */
  get contents(): readonly {
    readonly type: string;
    readonly action?: string;
    readonly link: { readonly sequence: number };
    readonly targets?: { readonly count: number };
  }[] {
    return this.accepted.map(({ body }) => JSON.parse(body.stringValue) as never);
  }

  of(action: string) {
    return this.contents.filter((one) => one.action === action);
  }
}

async function auditTo(otlp: OtlpSettings): Promise<{ audit: OpenedAudit; lines: string[] }> {
  const { databaseName: database } = await testDatabase('audit');
  const { uri: mongoUri } = await testMongo();
  const lines: string[] = [];
  const destination = { write: (line: string): void => void lines.push(line) };
  const log = createLogger({ name: 'audit', level: 'info', destination });
  const audit = await openAudit({ mongoUri, database, waitMs: 60_000, otlp }, { log });
  leftovers.defer('an audit log', () => audit.close());
  return { audit, lines };
}

describe('the export of the audit log by OTLP', () => {
  it('sends each entry and each outcome in the order of the chain, with its facts as attributes', async () => {
    const collector = new Collector();
    const { audit } = await auditTo({ url: await collector.listen() });
    (await audit.log.begin(call('Mutation.holdJobs'))).end(ok);
    await audit.log.record(call('Mutation.cancelJobs'), { result: 'REFUSED', codes: ['FORBIDDEN'] });
    await audit.close();
    expect(collector.of('gateway.stop')).toHaveLength(1);
    expect(collector.contents.map(({ link }) => link.sequence)).toEqual([1, 2, 3, 4, 5]);
    const at = collector.contents.findIndex(({ action }) => action === 'Mutation.cancelJobs');
    const refused = collector.accepted[at];
    expect(refused?.severityText).toBe('WARN');
    expect(refused?.timeUnixNano).toMatch(/^\d{19}$/);
    const values = new Map(refused?.attributes.map(({ key, value }) => [key, value]));
    expect(values.get('rhizome.audit.action')).toEqual({ stringValue: 'Mutation.cancelJobs' });
    expect(values.get('rhizome.audit.sequence')).toEqual({ intValue: expect.stringMatching(/^\d$/) });
  });

  it('delays no call while the collector refuses, and sends all when it accepts again', async () => {
    const collector = new Collector();
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-otlp-'));
    leftovers.defer(folder, async () => rmSync(folder, { recursive: true }));
    const authorizationFile = join(folder, 'authorization');
    writeFileSync(authorizationFile, 'Bearer of-the-collector\n');
    collector.answer = { status: 503, headers: { 'retry-after': '1' } };
    const { audit, lines } = await auditTo({ url: await collector.listen(), authorizationFile });
    (await audit.log.begin(call('Mutation.holdJobs'))).end(ok);
    await waitFor('the failure in the log', () => lines.some((line) => line.includes(failed)), patience);
    // A wrong credential can be mended: nothing is dropped.
    collector.answer = { status: 401 };
    const before = collector.requests.length;
    await waitFor('another try', () => collector.requests.length > before, patience);
    collector.answer = { status: 200 };
    await waitFor('the entry', () => collector.of('Mutation.holdJobs').length === 1, patience);
    expect(collector.contents[0]).toMatchObject({ action: 'gateway.start' });
    expect(collector.requests[0]?.headers.authorization).toBe('Bearer of-the-collector');
  });

  it.each<[string, Answer, number]>([
    ['a request that the collector cannot read', { status: 400 }, 1],
    [
      'records that the collector rejects',
      { status: 200, body: { partialSuccess: { rejectedLogRecords: '1' } } },
      1,
    ],
  ])('drops %s, and records how many were lost', async (_name, answer, lost) => {
    const collector = new Collector();
    collector.firstAnswer = answer;
    const { audit, lines } = await auditTo({ url: await collector.listen() });
    await waitFor('the record of the loss', () => collector.of('audit.exportLost').length > 0, patience);
    expect(collector.of('audit.exportLost')[0]?.targets?.count).toBe(lost);
    expect(audit.exports[0]?.facts).toMatchObject({ refused: lost, dropped: 0 });
    expect(lines.some((line) => line.includes('audit entries not sent to the OTLP collector'))).toBe(true);
  });

  it('does not start without its files', async () => {
    const url = 'http://127.0.0.1:1/v1/logs';
    await expect(auditTo({ url, authorizationFile: '/nowhere/at-all' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('audit.otlp.authorizationFile: /nowhere/at-all cannot be read'),
    });
  });
});
