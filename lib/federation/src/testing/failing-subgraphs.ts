import { DomainError } from '@rhizome/errors';
import { GraphQLError } from 'graphql';
import { createInProcessTransport } from '../transport/in-process.js';
import { type SubgraphResult, type Transport, type TransportFactory } from '../transport/transport.js';
import { type TestAnswer, type TestEngine, createTestEngine } from './test-engine.js';
import { type TestSubgraph, testSubgraph } from './test-subgraph.js';

type Source = Readonly<Record<string, unknown>>;

/** Jobs, some of whose fields always fail. */
export const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs(n: Int = 2): [Job!]! job: Job coreOnly: Int }
    type Job @key(fields: "id") { id: ID! name: String size: Int parent: Job bad: Int }
  `,
  resolvers: {
    Query: {
      jobs: (_: unknown, { n }: { n: number }) =>
        Array.from({ length: n }, (__, index) => ({ id: String(index) })),
      job: () => ({ id: '0' }),
      coreOnly: () => 1,
    },
    Job: {
      name: ({ id }: Source) => `job ${String(id)}`,
      size: () => {
        throw new GraphQLError('no size', {
          extensions: { code: 'NO_SIZE', field: 'size', stacktrace: ['secret'] },
        });
      },
      parent: () => ({ id: '9' }),
      bad: () => {
        throw new Error('connect to mongodb://user:password@host');
      },
    },
  },
});

/** Fields that an experiment adds to them, and requires. */
const alpha = testSubgraph({
  name: 'alpha',
  sdl: `
    type Query { alphas: [Int] alphaJob: Job }
    type Job @key(fields: "id") { id: ID! size: Int @external alpha: Alpha weight: Int @requires(fields: "size") need: Int! }
    type Alpha { run: Int inner: Alpha list: [Alpha!] bad: Int }
  `,
  resolvers: {
    Query: { alphas: () => [1], alphaJob: () => ({ id: '5' }) },
    Job: {
      alpha: ({ id }: Source) => ({ run: Number(id) }),
      weight: ({ size }: Source) => (size === null ? null : Number(size)),
      need: () => 1,
    },
    Alpha: {
      inner: () => ({ run: 1 }),
      list: () => [{ run: 1 }, { run: 2 }],
      bad: ({ run }: Source) => {
        throw new GraphQLError(`bad ${String(run)}`, { extensions: { code: 'BAD' } });
      },
    },
  },
});

/** Behaviour of a subgraph instead of its answer. */
export type Fault = (
  answer: () => Promise<SubgraphResult>,
  signal: AbortSignal | undefined,
) => Promise<SubgraphResult>;

/** Subgraphs, some of which answer incorrectly. */
function withFaults(
  subgraphs: readonly TestSubgraph[],
  faults: Readonly<Record<string, Fault>>,
): TransportFactory {
  return (name) => {
    const subgraph = subgraphs.find((one) => one.name === name);
    if (!subgraph) throw new Error(`no subgraph ${name}`);
    const real = createInProcessTransport(subgraph);
    const fault = faults[name];
    if (!fault) return real;
    return {
      ...real,
      execute: (request) => fault(() => real.execute(request), request.signal),
    } satisfies Transport;
  };
}

/** A subgraph that is down. */
export const down: Fault = async () => {
  throw new DomainError('DOWNSTREAM_SERVICE_ERROR', 'The service "alpha" could not be reached');
};

/** Engines over {@link core} and {@link alpha}, one after the other. */
export class FailingSubgraphs {
  test: TestEngine | undefined;

  /** Starts an engine whose subgraphs fail as given, and runs an operation on it. */
  async run(
    query: string,
    faults: Readonly<Record<string, Fault>> = {},
    options: Parameters<typeof createTestEngine>[1] = {},
  ): Promise<TestAnswer> {
    return (await this.open(faults, { uncodedMessages: false, ...options })).run(query);
  }

  /** Starts an engine whose subgraphs fail as given. */
  async open(
    faults: Readonly<Record<string, Fault>> = {},
    options: Parameters<typeof createTestEngine>[1] = {},
  ): Promise<TestEngine> {
    this.test = await createTestEngine([core, alpha], {
      transports: withFaults([core, alpha], faults),
      ...options,
    });
    return this.test;
  }

  async close(): Promise<void> {
    await this.test?.close();
    this.test = undefined;
  }
}

/** Paths of the reported errors, with their codes and subgraphs. */
export function locationsOf({ errors = [] }: TestAnswer): unknown[] {
  return errors.map(({ path, extensions }) => [path?.join('.'), extensions['code'], extensions['subgraph']]);
}

/** Additional paths of errors, each list after its full count. */
export function pathsOf({ errors = [] }: TestAnswer): unknown[] {
  return errors.map(({ extensions }) => {
    const paths = extensions['paths'] as readonly (readonly (string | number)[])[] | undefined;
    return paths && [extensions['count'], ...paths.map((path) => path.join('.'))];
  });
}
