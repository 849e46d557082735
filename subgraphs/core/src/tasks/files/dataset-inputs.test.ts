import { describe, expect, it } from '@jest/globals';
import type { ReplicaState } from '../../datasets/dataset-file.document.js';
import { locationsOf } from '../../storages/places.js';
import { datasetInputs } from './dataset-inputs.js';

const changedAt = new Date(0);
const copy = (location: string, state: ReplicaState = 'AVAILABLE') => ({ location, state, changedAt });
const file = (...replicas: readonly ReturnType<typeof copy>[]) => ({ name: 'f', sizeBytes: 10, replicas });

describe('datasetInputs', () => {
  it('names all available copies of a file, and its size', () => {
    const copies = [copy('https://lost.test', 'LOST'), copy('https://a.test'), copy('https://b.test')];
    expect(datasetInputs([file(...copies), file(copy('https://c.test'))], [])).toEqual([
      { name: 'f', sizeBytes: 10, location: 'https://a.test', otherLocations: ['https://b.test'] },
      { name: 'f', sizeBytes: 10, location: 'https://c.test' },
    ]);
  });

  it.each([
    ['sha256:ab', [{ kind: 'SHA256', value: 'ab' }]],
    ['md5:ab', [{ kind: 'MD5', value: 'ab' }]],
    ['adler32:ab', [{ kind: 'ADLER32', value: 'ab' }]],
    ['sha512:ab', undefined],
  ])('lets workers verify a file with the digest %s', (digest, checksums) => {
    const [input] = datasetInputs([{ ...file(copy('https://a.test')), digest }], []);
    expect(input?.checksums).toEqual(checksums);
  });

  it('names at most 10 copies', () => {
    const copies = Array.from({ length: 20 }, (_, at) => copy(`https://${at}.test`));
    const [input] = datasetInputs([file(...copies)], []);
    expect(input && locationsOf(input)).toEqual(copies.slice(0, 10).map(({ location }) => location));
  });

  it('names at least one copy of each file, and others up to 4 MiB with those of the template', () => {
    const long = (name: string): string => name.padEnd(4096, 'x');
    const files = Array.from({ length: 500 }, () => file(copy(long('a')), copy(long('b'))));
    const own = Array.from({ length: 500 }, (_, at) => ({ name: String(at), location: long('c') }));
    const inputs = datasetInputs(files, own);
    expect(inputs.map(({ location }) => location)).toEqual(files.map(() => long('a')));
    expect([...own, ...inputs].flatMap(locationsOf)).toHaveLength(1024);
  });
});
