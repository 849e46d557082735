import { expect, it } from '@jest/globals';
import { Rounds } from './rounds.js';

const ids = Array.from({ length: 250 }, (_, at) => String(at).padStart(3, '0'));
const { signal } = new AbortController();

/** Rounds over all, and one round of them. @returns what was worked on */
function roundsOf(fails: (id: string) => boolean) {
  const rounds = new Rounds(async (behind, limit) =>
    ids
      .filter((id) => id > behind)
      .slice(0, limit)
      .map((_id) => ({ _id })),
  );
  return async (): Promise<readonly string[]> => {
    const seen: string[] = [];
    const work = async ({ _id }: { readonly _id: string }) => {
      seen.push(_id);
      if (fails(_id)) throw new Error(_id);
    };
    await rounds.next(work, signal).catch(() => undefined);
    return seen;
  };
}

it('goes through all, page by page, in each round', async () => {
  const round = roundsOf(() => false);
  expect(await round()).toEqual(ids);
  expect(await round()).toEqual(ids);
});

it('goes on behind what has failed, and comes back to it', async () => {
  const round = roundsOf((id) => id === '000' || id === '120');
  expect(await round()).toEqual(['000']);
  expect(await round()).toEqual(ids.slice(1, 121));
  expect(await round()).toEqual(ids.slice(121));
  expect(await round()).toEqual(['000']);
});
