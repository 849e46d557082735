import { readFileSync } from 'node:fs';
import { type ApiClient, createClient } from '@rhizome/client';
import { type Clock, createIds, type Ids, systemClock } from '@rhizome/clock';
import { describe, expect, it } from '@jest/globals';
import { type Logger, silentLogger } from '@rhizome/log';
import type { SubgraphSchema } from '@rhizome/subgraph';
import { describeSubgraphContract } from './contract.js';
import { leftovers } from './leftovers.js';
import type { TestDatabase } from './test-database.types.js';

/** A submission as it is stored once core has its task; the part that all experiments share. */
export interface StoredSubmission {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly submittedBy: string;
  readonly idempotencyKey: string;
  readonly digest: string;
  readonly stage: 'OPEN';
  readonly taskId: string;
  readonly finishedJobs: number;
  readonly lostJobs: number;
  readonly amounts: Readonly<Record<string, never>>;
}

/** An experiment as it is tested. */
export interface ExperimentUnderTest {
  /** Address of its `experiment.yaml`. */
  readonly manifest: URL;
  /** Reads its configuration from variables. */
  readonly readConfig: (environment: Readonly<Record<string, string>>) => {
    readonly database: string;
    readonly port: number;
  };
  /** Builds it; core is never called. */
  readonly build: (options: {
    readonly db: TestDatabase;
    readonly clock: Clock;
    readonly ids: Ids;
    readonly log: Logger;
    readonly core: ApiClient;
  }) => Promise<{ readonly subgraph: SubgraphSchema; stop(): Promise<void> }>;
  /** The GraphQL type of its submissions; their identifiers begin with its name in camel case. */
  readonly type: string;
  /** Stores these submissions, completed by the experiment's own fields. */
  readonly store: (db: TestDatabase, submissions: readonly StoredSubmission[]) => Promise<unknown>;
  /** Representations of further entities that `store` writes, and the fields that are selected of them. */
  readonly others?: Readonly<
    Record<string, { readonly representations: readonly object[]; readonly selection: string }>
  >;
  /** GraphQL fields that are selected of a submission and of a job. */
  readonly selections: { readonly submission: string; readonly job: string };
}

const positions = [1, 2, 3];

/**
 * The tests that every experiment passes: its configuration, and the contract of its subgraph on a real
 * store.
 */
export function describeExperiment(name: string, experiment: ExperimentUnderTest): void {
  describeConfiguration(name, experiment);
  const { build, store, type, selections, others = {} } = experiment;
  const ofOthers = <T>(read: (other: (typeof others)[string]) => T) =>
    Object.fromEntries(Object.entries(others).map(([entity, other]) => [entity, read(other)]));
  const idOf = (position: number): string => `${type.charAt(0).toLowerCase()}${type.slice(1)}_${position}`;
  describeSubgraphContract(name, async (db) => {
    // Queries are answered without core.
    const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
    const service = await build({ db, clock: systemClock, ids: createIds(), log: silentLogger(), core });
    await store(
      db,
      positions.map((position) => storedSubmission(idOf(position), position)),
    );
    return {
      subgraph: service.subgraph,
      representations: {
        [type]: positions.map((position) => ({ id: idOf(position) })),
        Job: positions.map((position) => ({
          id: `job_${position}`,
          task: { __typename: 'Task', id: `task_${position}` },
          taskIndex: position,
        })),
        ...ofOthers(({ representations }) => representations),
      },
      selections: {
        ...{ [type]: selections.submission, Job: selections.job },
        ...ofOthers(({ selection }) => selection),
      },
      stop: () => service.stop(),
    };
  });
}

function describeConfiguration(name: string, { manifest, readConfig }: ExperimentUnderTest): void {
  const prefix = `RHIZOME_${name.toUpperCase()}`;
  const required = {
    [`${prefix}_MONGO_URI`]: 'mongodb://127.0.0.1:1',
    [`${prefix}_GATEWAY_URL`]: 'http://127.0.0.1:4000/graphql',
    [`${prefix}_TOKEN_FILE`]: 'token',
  };

  describe(`configuration of ${name}`, () => {
    it('has the database and the port of the manifest by default', () => {
      const { database, port } = readConfig(required);
      const text = readFileSync(manifest, 'utf8');
      expect(text).toContain(`database: ${database}\n`);
      expect(text).toContain(`:${port}/graphql`);
    });

    it('reports all missing variables at once', () => {
      for (const variable of Object.keys(required)) expect(() => readConfig({})).toThrow(variable);
    });
  });
}

function storedSubmission(_id: string, position: number): StoredSubmission {
  return {
    _id,
    schemaVersion: 1,
    revision: 1,
    createdAt: systemClock.now(),
    updatedAt: systemClock.now(),
    submittedBy: 'somebody',
    idempotencyKey: String(position),
    digest: '',
    stage: 'OPEN',
    taskId: `task_${position}`,
    finishedJobs: 0,
    lostJobs: 0,
    amounts: {},
  };
}
