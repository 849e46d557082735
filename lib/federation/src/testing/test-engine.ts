import { createPrincipal, type Principal } from '@rhizome/authz';
import { composeServices } from '@theguild/federation-composition';
import { parse } from 'graphql';
import {
  createEngine,
  type ClientRequest,
  type Engine,
  type EngineLog,
  type EngineOptions,
} from '../index.js';
import { createInProcessTransport } from '../transport/in-process.js';
import { type TransportFactory } from '../transport/transport.js';
import type { TestSubgraph } from './test-subgraph.js';

/** Composes subgraphs; throws with all errors of composition. */
export function composeSubgraphs(subgraphs: readonly Pick<TestSubgraph, 'name' | 'sdl'>[]): string {
  const result = composeServices(
    subgraphs.map(({ name, sdl }) => ({ name, url: `http://${name}.invalid/graphql`, typeDefs: parse(sdl) })),
  );
  if (result.errors) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  return result.supergraphSdl;
}

/** A log that keeps its records. */
export interface RecordingLog extends EngineLog {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string | undefined }[];
}

/** Creates a log that a test can inspect. */
export function recordingLog(): RecordingLog {
  const lines: RecordingLog['lines'] = [];
  const at =
    (level: string) =>
    (fields: object, message?: string): void => {
      lines.push({ level, fields, message });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** An engine over subgraphs of a test, with shorthands. */
export interface TestEngine {
  readonly engine: Engine;
  readonly log: RecordingLog;
  /** Runs an operation and parses the answer; key order is kept. */
  run(query: string, variables?: Record<string, unknown>, more?: Partial<ClientRequest>): Promise<TestAnswer>;
  /** The answer's text. */
  text(query: string, variables?: Record<string, unknown>, more?: Partial<ClientRequest>): Promise<string>;
  close(): Promise<void>;
}

/** An answer, parsed. */
export interface TestAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly TestError[];
  readonly extensions?: Record<string, unknown>;
}

/** An error of an answer. */
export interface TestError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly locations?: readonly unknown[];
  readonly extensions: Record<string, unknown>;
}

/** A principal with all permissions, for engines whose subgraphs check none. */
export const tester: Principal = createPrincipal({
  kind: 'HUMAN',
  subject: 'tester',
  grants: [],
  expiresAt: new Date('2100-01-01T00:00:00Z'),
});

/** Composes and starts an engine in process; `close` it at the end. Plans on the event loop by default. */
export async function createTestEngine(
  subgraphs: readonly TestSubgraph[],
  options: Partial<EngineOptions> = {},
): Promise<TestEngine> {
  const log = recordingLog();
  const transports: TransportFactory = (name) => {
    const subgraph = subgraphs.find((one) => one.name === name);
    if (!subgraph) throw new Error(`no subgraph ${name}`);
    return createInProcessTransport(subgraph);
  };
  const engine = await createEngine({
    transports,
    log,
    planning: 'inline',
    uncodedMessages: true,
    ...options,
    // Composition takes longer than everything else here.
    supergraphSdl: options.supergraphSdl ?? composeSubgraphs(subgraphs),
  });
  const text: TestEngine['text'] = async (query, variables, more) =>
    (await engine.execute({ query, variables, principal: tester, requestId: 'r1', ...more })).text;
  return {
    engine,
    log,
    text,
    run: async (query, variables, more) => JSON.parse(await text(query, variables, more)) as TestAnswer,
    close: () => engine.close(),
  };
}
