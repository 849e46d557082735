/**
 * For tests: the submissions of a small experiment, which makes a number of jobs that are each worth their
 * position.
 */
import {
  type CoreTask,
  createSubmissions,
  defineSubmissions,
  type SubmissionDocument,
  type Submissions,
} from './index.js';
import type { InputFault } from './index.js';
import type { ApiClient } from '@rhizome/client';
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { leftovers, type TestDatabase } from '@rhizome/testkit';
import { prepareDatabase } from './index.js';

/** A stored probe. */
export interface ProbeDocument extends SubmissionDocument {
  readonly name: string;
}

/** Input of a probe. */
export interface ProbeContent {
  readonly name: string;
  readonly jobs: number;
}

/** Probes. */
export const probesCollection = defineSubmissions<ProbeDocument>({
  name: 'probes',
  schemaVersion: 1,
  required: ['name'],
  properties: { name: { bsonType: 'string' } },
  indexes: [{ name: 'name_uq', keys: { name: 1 }, options: { unique: true }, why: 'the probe of a name' }],
});

/** The task of a probe. */
export function probeTask({ name, totalJobs }: ProbeDocument): CoreTask {
  return { name, template: { name, payload: { command: 'probe' } }, jobs: { count: totalJobs } };
}

/** Error for a violation of the index on names. */
function nameTaken({ name }: ProbeContent): InputFault<'NAME_TAKEN'> {
  return {
    path: ['name'],
    message: `name: ${name} is taken; must be a name that was not used`,
    code: 'NAME_TAKEN',
  };
}

/** Probes on a database; stopped at the end of the file, or before. */
export async function openProbes(
  db: TestDatabase,
  core: ApiClient,
  more: { readonly sweepMs?: number; readonly backoffMs?: number; readonly toTask?: typeof probeTask } = {},
): Promise<Submissions<ProbeDocument, ProbeContent, 'NAME_TAKEN'>> {
  const options = { db, clock: systemClock, ids: createIds(), log: silentLogger(), core };
  await prepareDatabase(options, [], [probesCollection] as never);
  const probes = createSubmissions<ProbeDocument, ProbeContent, 'NAME_TAKEN'>({
    ...options,
    experiment: 'alpha',
    definition: probesCollection,
    label: 'alpha-probe',
    rules: {
      idPrefix: 'probe',
      describe: ({ name, jobs }) => ({ name, totalJobs: jobs }),
      toTask: more.toTask ?? probeTask,
      taken: nameTaken,
    },
    amountsOf: (_probe, index, outcome) => (outcome === 'FINISHED' ? { worth: index + 1 } : {}),
    pathRules: [['template.payload', 'name']],
    ...(more.sweepMs === undefined ? {} : { sweepMs: more.sweepMs }),
    ...(more.backoffMs === undefined ? {} : { backoffMs: more.backoffMs }),
  });
  return leftovers.use(probes, 'probes');
}
