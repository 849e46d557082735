import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { JobState } from '../jobs/model/job-state.js';
import { type EndedWriter, entriesOf } from './output-entries.js';

const datasets = ['dataset_a', 'dataset_b'];
const outputs = ['x', 'y', 'z'];

interface Spec {
  readonly state: JobState;
  /** Dataset of each output; none for undefined. */
  readonly targets: readonly (string | undefined)[];
}

const spec: fc.Arbitrary<Spec> = fc.record({
  state: fc.constantFrom<JobState>('FINISHED', 'FAILED', 'CANCELLED', 'CLOSED'),
  targets: fc.tuple(
    ...outputs.map(() => fc.option(fc.constantFrom(...datasets), { nil: undefined, freq: 3 })),
  ),
});

const jobOf = ({ state, targets }: Spec, at: number): EndedWriter => ({
  _id: `job_${at}`,
  state,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  outputs: outputs.map((name) => ({
    name,
    location: `rhizome://site/alpha/ada/jobs/job_${at}/1/${name}`,
    sizeBytes: at + 1,
    sha256: 'ab'.repeat(32),
  })),
  payload: {
    ...{ command: 'true', arguments: [], environment: [], inputs: [], outputs },
    outputDatasets: outputs.flatMap((output, position) => {
      const datasetId = targets[position];
      return datasetId === undefined ? [] : [{ output, datasetId }];
    }),
  },
});

/** Names of all entries by dataset, as the store keeps them: each once. */
function stored(batches: readonly (readonly EndedWriter[])[]): ReadonlyMap<string, ReadonlySet<string>> {
  const all = new Map<string, Set<string>>();
  for (const batch of batches)
    for (const [datasetId, files] of entriesOf(batch)) {
      const names = all.get(datasetId) ?? new Set();
      files.forEach(({ name }) => names.add(name));
      all.set(datasetId, names);
    }
  return all;
}

describe('entriesOf', () => {
  it('gives the same entries for any division into batches, and for repeated ones', () => {
    const cases = fc.record({
      specs: fc.array(spec, { maxLength: 20 }),
      order: fc.array(fc.array(fc.nat(19), { maxLength: 8 }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(cases, ({ specs, order }) => {
        const jobs = specs.map(jobOf);
        const repeated = order.map((batch) => batch.flatMap((at) => jobs[at] ?? []));
        expect(stored([...repeated, jobs])).toEqual(stored([jobs]));
      }),
    );
  });

  it('has one entry for each output of a finished job that names a dataset, and no other', () => {
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 20 }), (specs) => {
        const entries = entriesOf(specs.map(jobOf));
        for (const datasetId of datasets) {
          const wanted = specs.flatMap(({ state, targets }, at) =>
            state !== 'FINISHED'
              ? []
              : outputs.flatMap((output, position) =>
                  targets[position] === datasetId ? [`job_${at}/${output}`] : [],
                ),
          );
          expect(entries.get(datasetId)?.map(({ name }) => name) ?? []).toEqual(wanted);
        }
      }),
    );
  });

  it('adds the files of folders and patterns, and a file that is named to the dataset of its name', () => {
    const job = jobOf({ state: 'FINISHED', targets: [] }, 0);
    const paths = ['plots/a.png', 'plots/named.png', 'logs/fit/1.log', 'other.txt'];
    const entries = entriesOf([
      {
        ...job,
        outputs: paths.map((name) => ({ name, location: `/store/${name}`, sizeBytes: 1, sha256: 'ab' })),
        payload: {
          ...job.payload,
          outputDatasets: [
            { output: 'plots/*.png', datasetId: 'dataset_a' },
            { output: 'logs/', datasetId: 'dataset_a' },
            { output: 'plots/named.png', datasetId: 'dataset_b' },
          ],
        },
      },
    ]);
    const names = (id: string) => entries.get(id)?.map(({ name }) => name);
    expect(names('dataset_a')).toEqual(['job_0/plots/a.png', 'job_0/logs/fit/1.log']);
    expect(names('dataset_b')).toEqual(['job_0/plots/named.png']);
  });
});
