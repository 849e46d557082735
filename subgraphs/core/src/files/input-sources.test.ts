import { describe, expect, it } from '@jest/globals';
import type { StorageDocument } from '../storages/storage.document.js';
import { distancesFrom, sourcesOf } from './input-sources.js';

const storage = (name: string, queues: readonly string[] = [], site?: string): StorageDocument =>
  ({
    ...{ _id: name, provider: 'FOLDER', address: 'https://files.test', queues, site },
    ...{ experiments: [], isDefault: false, sharedPrefixes: [] },
  }) as unknown as StorageDocument;
const storages = [
  storage('everywhere'),
  storage('far', ['south']),
  storage('here', ['north']),
  storage('nearby', ['north-gpu']),
];
const siteOf = (queue: string): string | undefined =>
  ({ north: 'Pole', 'north-gpu': 'Pole', south: 'Cape' })[queue];
const ada = { experiment: 'alpha', owner: 'ada', queue: 'north' };
const at = (name: string): string => `rhizome://${name}/alpha/ada/x`;

function ordered(locations: readonly string[], queue: string | undefined = 'north'): readonly string[] {
  const [location = '', ...otherLocations] = locations;
  const { sources } = sourcesOf(
    { ...ada, queue },
    { location, otherLocations },
    storages,
    distancesFrom(queue, siteOf),
  );
  return sources.map((source) => ('url' in source ? source.url : source.storage._id));
}

describe('sourcesOf', () => {
  const url = 'https://data.test/x';
  const all = [url, ...storages.map(({ _id }) => at(_id))];

  it('orders places by their proximity to the queue', () => {
    expect(ordered(all)).toEqual(['here', 'nearby', 'everywhere', 'far', url]);
    expect(ordered(all, 'south')).toEqual(['far', 'everywhere', 'here', 'nearby', url]);
    expect(ordered(all, 'unknown')).toEqual(['everywhere', 'far', 'here', 'nearby', url]);
  });

  it('takes a storage of the site for near, and one of another site for far', () => {
    const some = [storage('cape', [], 'Cape'), storage('all'), storage('pole', [], 'Pole')];
    const [location = '', ...otherLocations] = some.map(({ _id }) => at(_id));
    const { sources } = sourcesOf(ada, { location, otherLocations }, some, distancesFrom(ada.queue, siteOf));
    expect(sources).toMatchObject(['pole', 'all', 'cape'].map((_id) => ({ storage: { _id } })));
  });

  it('keeps the declared order of places that are equally near', () => {
    expect(ordered([at('far'), 'http://b.test/', 'http://a.test/'])).toEqual([
      ...['far', 'http://b.test/', 'http://a.test/'],
    ]);
  });

  it('leaves out places that the job may not read, with the reason', () => {
    const input = { location: 'rhizome://here/alpha/bob/x', otherLocations: [at('gone'), at('far')] };
    const { sources, unreadable } = sourcesOf(ada, input, storages, distancesFrom(ada.queue, siteOf));
    expect(sources).toMatchObject([{ storage: { _id: 'far' }, key: 'alpha/ada/x' }]);
    expect(unreadable.map(({ code }) => code)).toEqual(['FILE_FORBIDDEN', 'STORAGE_NOT_FOUND']);
  });

  it('looks the site of a queue up once for all inputs of a job', () => {
    const lookedUp: string[] = [];
    const distances = distancesFrom('north', (queue) => (lookedUp.push(queue), siteOf(queue)));
    for (const name of ['a', 'b', 'c']) {
      const input = { location: `${at('far')}/${name}`, otherLocations: [`${at('here')}/${name}`] };
      expect(sourcesOf(ada, input, storages, distances).sources).toHaveLength(2);
    }
    expect(lookedUp).toEqual(['north', 'south']);
  });
});
