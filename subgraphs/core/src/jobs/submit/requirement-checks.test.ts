import { expect, it } from '@jest/globals';
import { requirementChecks } from './requirement-checks.js';

const queues = {
  idOf: async () => null,
  boundsOf: async () => null,
  admitted: async () => new Set<string>(),
  admitting: () => [],
};

it.each([
  [0, 'https://data.test/a'],
  [0, 'https://data.test/{{index}}'],
  [0, 'calibration/a'],
  [1, 'rhizome://site/alpha/shared/a'],
  [1, 'ROOT://eos.test//store/a'],
  [1, '{{file}}'],
  [1, 'rhizome:/{{file}}'],
  [1, 'data/{{index}}'],
])('reads storages %i times for an input at %s', async (wanted, location) => {
  let reads = 0;
  const storages = async () => {
    reads += 1;
    return [];
  };
  const inputs = [{ name: 'a', location: 'https://data.test/b' }].concat({ name: 'b', location });
  const payloads = [undefined, { command: 'true' }, { command: 'true', inputs }];
  const { place } = await requirementChecks(
    { queues, checkSelector: () => ({ ok: true }) },
    { name: 'alpha', storages },
    [],
    { owner: 'ada', payloads },
  );
  expect(reads).toBe(wanted);
  expect(place?.('rhizome://site/alpha/shared/a')).toContain('the experiment has no storage');
});
