/** Files of a dataset as inputs of a job. Pure. */
import type { DatasetFileDocument } from '../../datasets/dataset-file.document.js';
import type { ChecksumKind, StoredChecksum, StoredInput } from '../../jobs/model/job.types.js';
import { mostLocationBytes, mostOtherLocations } from '../../jobs/submit/file-input.js';
import { storedInput } from '../../jobs/submit/normalise.js';
import { locationsOf } from '../../storages/places.js';

/** Parts of a file of which an input is made. */
type DatasetFile = Pick<DatasetFileDocument, 'name' | 'sizeBytes' | 'digest' | 'replicas'>;

/** Algorithms of digests that workers verify. */
const kinds: Readonly<Record<string, ChecksumKind>> = { sha256: 'SHA256', md5: 'MD5', adler32: 'ADLER32' };

/**
 * Each file as an input, with its size, its digest and its available copies. Copies after the first are left
 * out if the locations of the job become too long together.
 * @param own other inputs of the job
 */
export function datasetInputs(
  files: readonly DatasetFile[],
  own: readonly StoredInput[],
): readonly StoredInput[] {
  const copies = files.map(({ replicas }) =>
    replicas.flatMap(({ location, state }) => (state === 'AVAILABLE' ? [location] : [])),
  );
  const needed = [...own.flatMap(locationsOf), ...copies.map(([first = '']) => first)];
  let spare = needed.reduce((left, location) => left - Buffer.byteLength(location), mostLocationBytes);
  return files.map(({ name, sizeBytes, digest }, at) => {
    const [location = '', ...others] = copies[at] ?? [];
    const otherLocations = others.slice(0, mostOtherLocations).filter((other) => {
      spare -= Buffer.byteLength(other);
      return spare >= 0;
    });
    return storedInput({ name, location, otherLocations, sizeBytes, checksums: checksumsOf(digest) });
  });
}

function checksumsOf(digest = ''): readonly StoredChecksum[] {
  const [algorithm = '', value = ''] = digest.split(':');
  const kind = kinds[algorithm];
  return kind === undefined ? [] : [{ kind, value }];
}
