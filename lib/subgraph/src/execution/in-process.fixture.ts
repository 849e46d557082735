import { createPrincipal, type Principal, type Role } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { parse } from 'graphql';
import { buildDemoSubgraph } from '../testing/demo-subgraph.fixture.js';
import { createInProcess } from './in-process.js';
import type { ExecutionMode } from './operation.js';

/** A principal with a role in `alpha`, or with none. */
export const who = (
  role: Role | undefined,
  subject = 'somebody',
  expiresAt = new Date('2099-01-01T00:00:00Z'),
): Principal =>
  createPrincipal({
    kind: 'HUMAN',
    subject,
    grants: role ? [{ experiment: 'alpha', roles: [role] }] : [],
    expiresAt,
  });
/** A principal who may read. */
export const reader = who('READER');

/** A demo subgraph in process, and ways to call it. */
export function setUp(mode: ExecutionMode) {
  const demo = buildDemoSubgraph();
  const executable = createInProcess({
    subgraph: demo.subgraph,
    log: silentLogger(),
    mode,
    interpretFirst: 0,
  });
  const call = (query: string, variables = {}, principal = reader, signal?: AbortSignal) => ({
    document: parse(query),
    variables,
    principal,
    requestId: 'req-1',
    signal,
  });
  return {
    ...demo,
    executable,
    run: (query: string, variables = {}, principal = reader) =>
      executable.execute(call(query, variables, principal)),
    open: (query: string, principal = reader, signal?: AbortSignal) =>
      executable.subscribe(call(query, {}, principal, signal)),
  };
}

/** A stream of plants. */
export const plantStream = 'subscription { plantChanged { cursor plant { id name } } }';

/** Waits for one turn of the event loop, so that pending callbacks run. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));
