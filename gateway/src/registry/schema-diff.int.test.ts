import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { live, liveSystem, publish, sdlOf } from '../testing/live-registry.js';
import { endpointOf, type RegistrySystem } from '../testing/registry-system.js';
import { Composer } from './composer.js';

const diff = 'query ($from: Int!, $to: Int!) { schemaDiff(from: $from, to: $to) { severity coordinate } }';

let system: RegistrySystem;
/** Versions with no field, with `eggs`, and with `eggs` and `chicks`. */
let versions: readonly [number, number, number];

async function publishWith(fields: string): Promise<number> {
  system.serve(endpointOf('heron'), sdlOf('heron', fields));
  const { data } = await system.ask(publish, { input: { subgraph: 'heron' } });
  expect(data.publishSchema.userErrors).toEqual([]);
  return live(system);
}

beforeAll(async () => {
  system = await liveSystem(['heron']);
  const before = await live(system);
  versions = [
    before,
    await publishWith('"E." eggs: Int'),
    await publishWith('"E." eggs: Int "C." chicks: Int'),
  ];
});

afterEach(() => {
  jest.restoreAllMocks();
});

const changesOf = async (from: number, to: number): Promise<unknown> =>
  (await system.ask(diff, { from, to })).data.schemaDiff;

describe('schemaDiff', () => {
  it('compares two distant versions once, for callers at the same time and for later ones', async () => {
    const compare = jest.spyOn(Composer.prototype, 'compare');
    const [before, , after] = versions;
    const expected = [
      { severity: 'SAFE', coordinate: 'HeronJob.chicks' },
      { severity: 'SAFE', coordinate: 'HeronJob.eggs' },
    ];
    // Other documents, so that the gateway does not merge the calls.
    const together = await Promise.all(
      ['first', 'second', 'third'].map((alias) =>
        system.ask(
          `query ($from: Int!, $to: Int!) { ${alias}: schemaDiff(from: $from, to: $to) { severity coordinate } }`,
          {
            from: before,
            to: after,
          },
        ),
      ),
    );
    const answers = together.flatMap(({ data }) =>
      Object.values(data as Record<string, { coordinate: string }[]>),
    );
    for (const changes of answers)
      expect([...changes].sort((a, b) => a.coordinate.localeCompare(b.coordinate))).toEqual(expected);
    expect(await changesOf(before, after)).toEqual(answers[0]);
    expect(compare).toHaveBeenCalledTimes(1);
  });

  it('answers for neighbouring versions from what was stored with the later one', async () => {
    const compare = jest.spyOn(Composer.prototype, 'compare');
    const [before, between, after] = versions;
    expect(await changesOf(before, between)).toEqual([{ severity: 'SAFE', coordinate: 'HeronJob.eggs' }]);
    expect(await changesOf(between, after)).toEqual([{ severity: 'SAFE', coordinate: 'HeronJob.chicks' }]);
    expect(compare).not.toHaveBeenCalled();
    // Backwards nothing is stored.
    expect(await changesOf(between, before)).toEqual([{ severity: 'BREAKING', coordinate: 'HeronJob.eggs' }]);
    expect(compare).toHaveBeenCalledTimes(1);
  });

  it('is null for a version that does not exist, and compares nothing', async () => {
    const compare = jest.spyOn(Composer.prototype, 'compare');
    expect(await changesOf(versions[0], 1_000)).toBeNull();
    expect(await changesOf(1_000, 1_001)).toBeNull();
    expect(compare).not.toHaveBeenCalled();
  });

  it('does not keep a comparison that failed', async () => {
    const [before, , after] = versions;
    const compare = jest
      .spyOn(Composer.prototype, 'compare')
      .mockRejectedValueOnce(new Error('thread ended'));
    const failed = await system.ask(diff, { from: after, to: before });
    expect(failed.data.schemaDiff).toBeNull();
    expect(failed.codes).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(await changesOf(after, before)).toHaveLength(2);
    expect(compare).toHaveBeenCalledTimes(2);
  });
});
