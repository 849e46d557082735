/** For tests: a whole core on a real store, called as the gateway calls it. */
import type { CurrentRights, Principal } from '@rhizome/authz';
import { silentLogger, type Logger } from '@rhizome/log';
import { type Clock, createIds, systemClock } from '@rhizome/clock';
import { createInProcess, type InProcessSubgraph, type SubgraphResult } from '@rhizome/subgraph';
import { leftovers, recordOperation, testDatabase, type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { parse, type DocumentNode } from 'graphql';
import { buildCore, type Core } from '../../src/app.js';
import type { CoreConfig } from '../../src/composition/core-config.js';

/** Any value in an answer, as tests read it. */
export type Answer = { readonly [field: string]: Answer } & readonly Answer[] & string & number & boolean;

/** One process of core. */
export interface TestCore {
  readonly core: Core;
  /** Runs an operation; fails the test if the answer has errors. */
  ask(text: string, variables?: object, principal?: Principal): Promise<Answer>;
  /** Runs an operation and returns the complete answer. */
  run(text: string, variables?: object, principal?: Principal): Promise<SubgraphResult>;
  /** Opens a subscription; closed at the end of the file, or by the signal. */
  subscribe(text: string, variables?: object, principal?: Principal): TestStream;
  stop(): Promise<void>;
}

/** Messages that a subscription has received so far. */
export interface TestStream {
  readonly results: readonly SubgraphResult[];
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** ADMIN of everything. */
export const admin = testPrincipal();

/** A pilot of a queue. */
export function pilotOf(queue: string): Principal {
  return testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
}

/** Starts a core, on its own database unless one is given; stopped at the end of the file, or before. */
export async function startCore(
  setup: {
    readonly db?: TestDatabase;
    readonly config?: CoreConfig;
    readonly log?: Logger;
    readonly clock?: Clock;
    readonly rights?: CurrentRights;
  } = {},
): Promise<TestCore & { readonly db: TestDatabase }> {
  const { log = silentLogger(), clock = systemClock, rights } = setup;
  // No gateway runs in these tests.
  const config = { leaseClock: { needsGateway: false }, ...setup.config };
  const db = setup.db ?? (await testDatabase('core'));
  const core = buildCore({ db, clock, ids: createIds(), log, config, ...(rights && { rights }) });
  const stop = (): Promise<void> => core.stop();
  leftovers.defer('a core', stop);
  await core.start();
  const executable = createInProcess({ subgraph: core.subgraph, log });
  return { db, core, ...callsOf(db, executable), stop };
}

function callsOf(
  db: TestDatabase,
  executable: InProcessSubgraph,
): Pick<TestCore, 'ask' | 'run' | 'subscribe'> {
  const documents = new Map<string, DocumentNode>();
  const parsed = (text: string): DocumentNode => {
    const document = documents.get(text) ?? parse(text);
    documents.set(text, document);
    return document;
  };
  const call = (text: string, variables: object = {}, principal = admin) => ({
    document: parsed(text),
    variables: variables as Record<string, unknown>,
    principal,
    requestId: 'test',
  });
  const run: TestCore['run'] = async (text, variables, principal = admin) => {
    const result = await executable.execute(call(text, variables, principal));
    const { subject: caller } = principal;
    recordOperation(db, { document: parsed(text), variables, caller, data: result.data });
    return result;
  };
  return {
    run,
    async ask(text, variables, principal) {
      const { data, errors } = await run(text, variables, principal);
      if (errors) throw new Error(JSON.stringify(errors));
      // Answers have no prototype, and refer to live objects of the process.
      return JSON.parse(JSON.stringify(data)) as Answer;
    },
    subscribe(text, variables, principal) {
      const abort = new AbortController();
      const results: SubgraphResult[] = [];
      const ended = (async () => {
        for await (const result of executable.subscribe({
          ...call(text, variables, principal),
          signal: abort.signal,
        })) {
          results.push(JSON.parse(JSON.stringify(result)) as SubgraphResult);
        }
      })();
      const close = async (): Promise<void> => {
        abort.abort();
        await ended;
      };
      leftovers.defer('a subscription', close);
      return { results, ended, close };
    },
  };
}

/** Registers the experiment "alpha" and creates the queue "north". @param limits of the queue */
export async function seed({ ask }: TestCore, limits: object = {}): Promise<void> {
  await ask(
    'mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } }',
  );
  await ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    {
      input: { name: 'north', site: 'Pole', limits },
    },
  );
}

/** Limits of a queue whose workers send no heartbeats. */
export const lastingLeases = { heartbeatSeconds: 300, leaseSeconds: 3600 };
