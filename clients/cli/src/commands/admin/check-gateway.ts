/** Checks of the gateway and of what is behind it: subgraphs, issuers, storages. */
import type { Check, CheckRow, Finding } from '@rhizome/deployment';
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { exitCodes } from '../../exit-codes.js';
import { graphChecks } from './check-graph.js';
import { request, requestMs } from './request.js';

const noAccess = 'log in with "rhizome login" as a principal with the role ADMIN in all experiments';

/** Checks the gateway of the command line; one row if none is known. */
export async function checkGateway(command: Command, world: World): Promise<readonly CheckRow[]> {
  const rows: CheckRow[] = [];
  try {
    await withSession(command, world, async (session) => {
      rows.push(...(await checkAll(session, world.signal)));
      return exitCodes.ok;
    });
    return rows;
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const cure = 'name it with --url and log in, or leave it out with --no-gateway';
    return [...rows, { part: 'gateway', check: 'known', state: 'FAIL', found, cure }];
  }
}

async function checkAll(session: Session, signal: AbortSignal): Promise<readonly CheckRow[]> {
  const { runChecks } = await import('@rhizome/deployment');
  const url = new URL(session.connection.url);
  const probe: Probe = { url, signal, isLocal: ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname) };
  return [
    ...(await runChecks('gateway', ownChecks(probe), 'check the address of the gateway, and that it runs')),
    ...(await runChecks('graph', graphChecks(session.client, signal), noAccess)),
  ];
}

/** A gateway to check. */
interface Probe {
  readonly url: URL;
  readonly signal: AbortSignal;
  /** It is on this host. */
  readonly isLocal: boolean;
}

function ownChecks(probe: Probe): readonly Check[] {
  return [
    { check: 'transport', run: () => transport(probe) },
    { check: 'ready', run: () => readiness(probe) },
    { check: 'metrics', run: () => metrics(probe) },
    { check: 'introspection', run: () => introspection(probe) },
  ];
}

async function transport({ url, isLocal }: Probe): Promise<Finding> {
  const { fail, ok } = await import('@rhizome/deployment');
  if (url.protocol === 'https:') return ok('transport', 'TLS');
  if (isLocal) return ok('transport', 'plain HTTP, within this host');
  return fail('transport', `plain HTTP to ${url.host}`, 'offer it by https: tokens can be read on the way');
}

async function readiness({ url, signal }: Probe): Promise<Finding> {
  const { fail, ok } = await import('@rhizome/deployment');
  const answer = await request(new URL('/readyz', url), signal);
  const text = (await answer.text()).slice(0, 300);
  if (answer.ok) return ok('ready', 'yes');
  return fail(
    'ready',
    `${answer.status}: ${text}`,
    'read the log of the gateway and of the service that it names',
  );
}

async function metrics({ url, signal, isLocal }: Probe): Promise<Finding> {
  const { ok, warn } = await import('@rhizome/deployment');
  const { ok: isOpen, body } = await request(new URL('/metrics', url), signal);
  await body?.cancel();
  if (!isOpen) return ok('metrics', 'need a token');
  return isLocal
    ? ok('metrics', 'open, within this host')
    : warn('metrics', 'open to all', 'set openMetrics to false, or permit only your Prometheus');
}

async function introspection({ url, signal, isLocal }: Probe): Promise<Finding> {
  const { ok, warn } = await import('@rhizome/deployment');
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ __schema { queryType { name } } }' }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]),
  });
  if (!(await answer.text()).includes('"queryType"')) return ok('introspection', 'not open');
  return isLocal
    ? ok('introspection', 'open, within this host')
    : warn('introspection', 'open to all', 'set introspection to token or off');
}
