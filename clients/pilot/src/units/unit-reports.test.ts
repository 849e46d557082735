import { describe, expect, it } from '@jest/globals';
import type { UnitCompletion, UnitReportAnswer } from '../protocol/unit-calls.js';
import { inCalls, reportUnits } from './unit-reports.js';

/** Units of one publication each, or all of the same. */
function unitsOf(count: number, result?: string, publications = count): UnitCompletion[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `unit_A.${at % publications}.${at}`,
    fence: 1,
    result,
  }));
}

const sizes = (units: readonly UnitCompletion[]) => inCalls(units).map((call) => call.units.length);

describe('inCalls', () => {
  it('keeps few units together', () => {
    expect(inCalls(unitsOf(3))).toEqual([{ at: 0, units: unitsOf(3) }]);
    expect(inCalls([])).toEqual([]);
  });

  it('divides units of more publications than a call may name', () => {
    expect(sizes(unitsOf(130))).toEqual([64, 64, 2]);
    expect(sizes(unitsOf(1000, undefined, 64))).toEqual([1000]);
    expect(sizes(unitsOf(1001, undefined, 1))).toEqual([1000, 1]);
  });

  it('divides results by the bytes of their JSON', () => {
    for (const character of ['x', '"', '\0', 'é']) {
      const result = character.repeat(65_536 / Buffer.byteLength(character));
      const calls = inCalls(unitsOf(20, result, 1));
      expect(calls.flatMap(({ units }) => units)).toHaveLength(20);
      for (const { units } of calls) expect(Buffer.byteLength(JSON.stringify(units))).toBeLessThan(1_000_000);
    }
  });
});

describe('reportUnits', () => {
  const errorAt = (at: number, code: string) => ({
    code,
    message: `units.${at}.result: wrong`,
    path: ['units', String(at), 'result'],
  });

  /** Refuses a call with a result "bad", as core does. */
  function send(units: readonly UnitCompletion[]): Promise<UnitReportAnswer> {
    const errors = units.flatMap(({ result }, at) =>
      result === 'bad' ? [errorAt(at, 'INVALID_VALUE')] : [],
    );
    return Promise.resolve({ acceptedIds: errors.length > 0 ? [] : units.map(({ id }) => id), errors });
  }

  it('reports the others of a call that was refused for one of them', async () => {
    const units = unitsOf(70).map((unit, at) => ({
      ...unit,
      result: at === 2 || at === 66 ? 'bad' : 'good',
    }));
    const { acceptedIds, errors } = await reportUnits(units, send);
    expect(new Set(acceptedIds)).toEqual(
      new Set(units.filter(({ result }) => result === 'good').map(({ id }) => id)),
    );
    expect(errors).toEqual([errorAt(2, 'INVALID_VALUE'), errorAt(66, 'INVALID_VALUE')]);
  });

  it('reports nothing again of which each unit has an error, or all have the same', async () => {
    const calls: number[] = [];
    for (const errors of [
      [0, 1].map((at) => errorAt(at, 'UNIT_NOT_HELD')),
      [{ ...errorAt(0, 'FENCE_STALE'), path: [] }],
    ])
      await reportUnits(unitsOf(2), (units) => {
        calls.push(units.length);
        return Promise.resolve({ acceptedIds: [], errors });
      });
    expect(calls).toEqual([2, 2]);
  });
});
