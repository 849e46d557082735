import { afterAll, describe, expect, it } from '@jest/globals';
import { compose } from '@rhizome/schema';
import { Composer } from './composer.js';

const composer = new Composer();
afterAll(() => composer.close());

function supergraphOf(fields: string): string {
  const sdl = `type Query { "A." a: Int ${fields} }`;
  const composed = compose([{ name: 'core', url: 'http://core.test', sdl }]);
  if (!composed.ok) throw new Error('the test schema does not compose');
  return composed.supergraphSdl;
}

describe('Composer.compare', () => {
  it('leaves the event loop free: other callbacks run before it resolves', async () => {
    const before = supergraphOf('');
    const after = supergraphOf('"B." b: Int');
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const changes = await composer.compare(before, after);
    isDone = true;
    expect(changes).toMatchObject([{ where: 'Query.b' }]);
    // Work on this thread would resolve in microtasks, before the first turn.
    expect(turns).toBeGreaterThan(0);
  });
});
