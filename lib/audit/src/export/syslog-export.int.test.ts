import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@rhizome/log';
import { leftovers, SyslogServer, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import { openAudit, type OpenedAudit } from '../open-audit.js';
import { call } from '../testing.fixture.js';
import type { SyslogSettings } from './open-exports.js';

const patience = { deadlineMs: 60_000 };
const ok = { result: 'SUCCEEDED', codes: [] } as const;

interface Link {
  readonly sequence: number;
  readonly previous: string;
  readonly hash: string;
}

interface Received {
  readonly type: 'ENTRY' | 'OUTCOME';
  readonly action?: string;
  readonly link: Link | null;
  readonly targets?: { readonly count: number };
}

interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
}

const folder = mkdtempSync(join(tmpdir(), 'rhizome-syslog-'));
leftovers.defer(folder, async () => rmSync(folder, { recursive: true }));

function identityOf(name: string): Identity {
  const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...options, ...names, ...files], { stdio: 'ignore' });
  return { certFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

/** A server with TLS that is away, and the settings for it. */
async function awayServer(): Promise<{
  readonly server: SyslogServer<Received>;
  readonly settings: SyslogSettings;
}> {
  const identity = identityOf('away');
  const server = new SyslogServer<Received>(identity);
  server.isAway = true;
  return { server, settings: { url: `tls://${await server.listen()}`, caFile: identity.certFile } };
}

async function auditTo(syslog: SyslogSettings): Promise<{ audit: OpenedAudit; lines: string[] }> {
  const { databaseName: database } = await testDatabase('audit');
  const { uri: mongoUri } = await testMongo();
  const lines: string[] = [];
  const destination = { write: (line: string): void => void lines.push(line) };
  const log = createLogger({ name: 'audit', level: 'info', destination });
  const audit = await openAudit({ mongoUri, database, waitMs: 60_000, syslog }, { log });
  leftovers.defer('an audit log', () => audit.close());
  return { audit, lines };
}

const failed = 'sending audit entries to the syslog server failed';

describe('the export of the audit log to syslog', () => {
  it('sends each entry and each outcome in the order of the chain, with its links', async () => {
    const server = new SyslogServer<Received>();
    const { audit } = await auditTo({ url: `tcp://${await server.listen()}` });
    (await audit.log.begin(call('Mutation.holdJobs'))).end(ok);
    await audit.log.record(call('Mutation.cancelJobs'), { result: 'REFUSED', codes: ['FORBIDDEN'] });
    await audit.close();
    await waitFor('the last entry', () => server.of('gateway.stop').length === 1, patience);
    const links = server.received.flatMap(({ link }) => link ?? []);
    expect(links.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    links.slice(1).forEach((link, at) => expect(link.previous).toBe(links[at]?.hash));
    expect(server.received.map(({ type }) => type).sort()).toEqual([...Array(4).fill('ENTRY'), 'OUTCOME']);
    const refused = server.received.findIndex(({ action }) => action === 'Mutation.cancelJobs');
    // Facility 13, severity 4; all others are informational.
    expect(server.priorities[refused]).toBe(108);
    expect(new Set(server.priorities)).toEqual(new Set([110, 108]));
  });

  it('delays no call while the server is away, and sends what happened when it comes back', async () => {
    const { server, settings } = await awayServer();
    const { audit, lines } = await auditTo(settings);
    (await audit.log.begin(call('Mutation.holdJobs'))).end(ok);
    await waitFor('the failure in the log', () => lines.some((line) => line.includes(failed)), patience);
    expect(server.received).toEqual([]);
    server.isAway = false;
    await waitFor('the entry', () => server.of('Mutation.holdJobs').length === 1, patience);
    expect(server.received[0]).toMatchObject({ action: 'gateway.start' });
  });

  it('drops what does not fit while the server is away, and records how many messages', async () => {
    const { server, settings } = await awayServer();
    const { audit, lines } = await auditTo({ ...settings, waitingMessages: 10 });
    for (let turn = 0; turn < 30; turn += 1) await audit.log.record(call(`Mutation.call${turn}`));
    server.isAway = false;
    await waitFor('the record of the loss', () => server.of('audit.exportLost').length > 0, patience);
    // The start and nine calls were waiting.
    expect(server.of('audit.exportLost')[0]?.targets?.count).toBe(21);
    expect(server.received).toHaveLength(11);
    const [facts] = audit.exports.map((one) => one.facts);
    expect(facts).toMatchObject({ sent: 11, dropped: 21, refused: 0, waiting: 0 });
    expect(facts?.failedWrites).toBeGreaterThan(0);
    expect(lines.some((line) => line.includes('audit entries not sent'))).toBe(true);
    const { nodes } = await audit.repository.page({}, '*', { first: 100, after: null });
    expect(nodes.filter(({ kind }) => kind === 'MUTATION')).toHaveLength(30);
  });

  it('uses TLS, and sends nothing to a server with the certificate of another authority', async () => {
    const [own, other] = [identityOf('own'), identityOf('other')];
    const server = new SyslogServer<Received>(own);
    const url = `tls://${await server.listen()}`;
    const { lines } = await auditTo({ url, caFile: other.certFile });
    await waitFor('the failure in the log', () => lines.some((line) => line.includes(failed)), patience);
    expect(server.received).toEqual([]);
    await auditTo({ url, caFile: own.certFile });
    await waitFor('the first entry', () => server.of('gateway.start').length === 1, patience);
  });

  it('does not start without its files', async () => {
    const caFile = join(folder, 'none.pem');
    await expect(auditTo({ url: 'tls://127.0.0.1:1', caFile })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `audit.syslog.caFile: ${caFile} cannot be read; must be a file in PEM format`,
    });
  });
});
