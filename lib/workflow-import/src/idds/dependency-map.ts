/** Jobs of a task of iDDS, which may be packed. */
import { inflateSync } from 'node:zlib';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';

/** Beginning of a text that iDDS has packed: zlib in base64. */
const packedMark = 'idds_zip:';
/** Most bytes of jobs that are unpacked. */
const maxUnpackedBytes = 256 * 1_048_576;

/** The list of jobs; undefined if it is refused. A packed list has the place of its text. */
export function jobsOf(work: Located, refusals: Refusals): Located | undefined {
  const given = work.member('_dependency_map') ?? work.member('dependency_map');
  if (!given) return work.place('_dependency_map').with([]);
  if (given.text?.startsWith(packedMark) === true) {
    const jobs = given.with(unpacked(given.text.slice(packedMark.length)));
    if (jobs.isList) return jobs;
    if (jobs.isEmpty) return given.with([]);
    refusals.refuse(given, 'cannot be unpacked', 'write it as a list of jobs');
    return undefined;
  }
  if (given.isList) return given;
  if (given.isEmpty) return given.with([]);
  const file = given.member('idds_dependency_map_file');
  if (file) refusals.refuse(file, 'is a file of the iDDS server', 'write the list of jobs in its place');
  else refusals.invalid(given, 'a list of jobs');
  return undefined;
}

function unpacked(text: string): unknown {
  try {
    const bytes = inflateSync(Buffer.from(text, 'base64'), { maxOutputLength: maxUnpackedBytes });
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
