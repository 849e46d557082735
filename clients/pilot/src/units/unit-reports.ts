/** Reports about units, in calls of a size that gateway and core accept. */
import type { UnitReport, UnitReportAnswer, UnitReportError } from '../protocol/unit-calls.js';

/**
 * Bounds of one call. The gateway takes 1 MiB from the token of an attempt, with the document of the
 * operation and the escapes of JSON; core reads and writes each publication.
 */
const callLimits = { bytes: 960 * 1024, publications: 64, units: 1000 } as const;

/** Units of one call, and the position of the first one among all. */
export interface ReportCall<T> {
  readonly at: number;
  readonly units: readonly T[];
}

/** Divides units into calls, in order. */
export function inCalls<T extends UnitReport>(units: readonly T[]): readonly ReportCall<T>[] {
  const calls: { readonly at: number; readonly units: T[] }[] = [];
  let publications = new Set<string>();
  let bytes = 0;
  for (const [at, unit] of units.entries()) {
    // One for the comma.
    const own = Buffer.byteLength(JSON.stringify(unit)) + 1;
    const publication = unit.id.slice(0, unit.id.lastIndexOf('.'));
    const last = calls.at(-1);
    const fits =
      bytes + own <= callLimits.bytes &&
      publications.size + (publications.has(publication) ? 0 : 1) <= callLimits.publications;
    if (last && fits && last.units.length < callLimits.units) last.units.push(unit);
    else {
      calls.push({ at, units: [unit] });
      publications = new Set();
      bytes = 0;
    }
    publications.add(publication);
    bytes += own;
  }
  return calls;
}

/**
 * Reports units. Core refuses a call for one invalid report; the others are reported again without it.
 * @param send a call of core; repeated by itself if core does not answer
 */
export async function reportUnits<T extends UnitReport>(
  units: readonly T[],
  send: (units: readonly T[]) => Promise<UnitReportAnswer>,
): Promise<UnitReportAnswer> {
  const acceptedIds: string[] = [];
  const errors: UnitReportError[] = [];
  for (const { at, units: own } of inCalls(units)) {
    const answer = await send(own);
    acceptedIds.push(...answer.acceptedIds);
    errors.push(...answer.errors.map((error) => moved(error, (position) => position + at)));
    const valid = leftOut(own, answer);
    if (valid.length === 0) continue;
    const again = await send(valid.map((position) => own[position] as T));
    acceptedIds.push(...again.acceptedIds);
    errors.push(
      ...again.errors.map((error) => moved(error, (position) => (valid[position] ?? position) + at)),
    );
  }
  return { acceptedIds, errors };
}

/** Positions of the units that were refused for the errors of others. */
function leftOut(units: readonly UnitReport[], { acceptedIds, errors }: UnitReportAnswer): readonly number[] {
  const invalid = new Set(errors.flatMap((error) => positionOf(error) ?? []));
  if (acceptedIds.length > 0 || invalid.size === 0) return [];
  return [...units.keys()].filter((position) => !invalid.has(position));
}

function positionOf({ path: [list, position] }: UnitReportError): number | undefined {
  return list === 'units' && position !== undefined ? Number(position) : undefined;
}

/** The error with the position of its unit among all. */
function moved(error: UnitReportError, to: (position: number) => number): UnitReportError {
  const position = positionOf(error);
  if (position === undefined) return error;
  const moved = String(to(position));
  const [list = '', , ...rest] = error.path;
  const message = error.message.replace(`units.${position}.`, `units.${moved}.`);
  return { ...error, message, path: [list, moved, ...rest] };
}
