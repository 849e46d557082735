import { describe, expect, it, jest } from '@jest/globals';
import { aQueue, aWorker } from '../../../test/support/scheduler.fixture.js';
import { compileSelector, selectorView } from './selector.js';

const view = selectorView(
  aWorker({
    host: 'node-7',
    labels: [
      { key: 'release', value: '24.0' },
      { key: 'site/zone', value: 'b' },
    ],
    hardware: { cores: 64, memoryMiB: 256_000, containerRuntimes: ['apptainer'], network: true },
    devices: [{ id: 'GPU-1', vendor: 'NVIDIA', model: 'A100', memoryMiB: 40_960, health: 'HEALTHY' }],
  }),
  aQueue({ name: 'west', labels: [{ key: 'tier', value: '1' }] }),
);

describe('a selector', () => {
  it.each([
    'worker.cores >= 8 && worker.memoryMiB > 1000',
    'worker.labels["release"] == "24.0"',
    'worker.labels["site/zone"] in ["a", "b"]',
    '"apptainer" in worker.containerRuntimes',
    'worker.devices.exists(d, d.memoryMiB >= 40000 && d.model.startsWith("A"))',
    'queue.name == "west" && queue.labels["tier"] == "1"',
    'has(worker.cpuModel) ? worker.cpuModel.contains("EPYC") : worker.network',
    'worker.labels["absent"] == "x" || worker.cores == 64',
    'worker.cores / 2 > 10 / 3',
    '[32, 64].exists(c, c == worker.cores)',
    '{"west": 64}[queue.name] == worker.cores',
    'true',
  ])('accepts a worker that meets %s', (text) => {
    expect(compileSelector(text).accepts(view)).toBe(true);
  });

  it.each([
    'worker.cpuModel == "EPYC"',
    'worker.cpuModel != "EPYC"',
    '!(worker.labels["absent"] == "x")',
    'worker.labels["absent"] != "x"',
    'worker.architectureLevel >= "x86-64-v2"',
    'worker.devices.all(d, d.cudaVersion >= "12.0")',
    'worker.devices[3].model == "A100"',
    'int(worker.labels["site/zone"]) > 1',
  ])('never accepts an unknown value: %s', (text) => {
    expect(compileSelector(text).accepts(view)).toBe(false);
  });

  it.each<[string, string, RegExp]>([
    ['nothing', ' ', /condition/],
    ['what does not parse', 'worker.cores >=', /parses/],
    ['a value that is no condition', 'worker.cores', /bool/],
    ['an unknown attribute', 'worker.colour == "red"', /known attributes/],
    ['an unknown variable', 'job.owner == "me"', /known attributes/],
    ['types that do not fit', 'worker.cores == "8"', /fitting types/],
    ['patterns', 'worker.host.matches("^(a+)+$")', /no call of matches/],
    ['bindings, which could grow without bound', 'cel.bind(a, "xx", a == "xx")', /no call of bind/],
    ['a comprehension inside another', '[1, 2].all(x, [3, 4].exists(y, y > x))', /inside another/],
    [
      'too many comprehensions',
      Array.from({ length: 5 }, () => '[1].all(x, x > 0)').join(' && '),
      /at most 4/,
    ],
    ['a text that is too long', `worker.host == "${'x'.repeat(2000)}"`, /2000 characters/],
    ['too many parts', Array.from({ length: 160 }, () => '1 < 2').join('&&'), /parses/],
    [
      'a list that is too long',
      `worker.cores in [${Array.from({ length: 101 }, (_, i) => i).join(', ')}]`,
      /parses/,
    ],
    ['a division by zero', '1/0 == 1', /`\(1 \/ 0\) == 1`.*division by zero/],
    ['a division of an attribute by zero', 'worker.cores / 0 == 1', /division by zero/],
    ['a remainder by zero', 'worker.cores % (2 - 2) == 1', /modulo by zero/],
    [
      'a division by zero inside a comprehension',
      'worker.devices.exists(d, d.model == "x" && 1/0 == 1)',
      /by zero/,
    ],
    ['a division by zero that another part hides', 'worker.cores > 8 || 1/0 == 1', /division by zero/],
    ['a text that is no number', 'worker.cores > int("many")', /`int\("many"\)`/],
    ['an entry that a list does not have', '[1, 2][5] == worker.cores', /index/],
    ['a condition that is never true', '1 == 2', /never true/],
    ['a comprehension that is never true', '[1, 2].exists(x, x > 2)', /never true/],
    ['nesting that is too deep', `${'('.repeat(40)}true${')'.repeat(40)}`, /parses/],
  ])('rejects %s', (_what, text, reason) => {
    expect(() => compileSelector(text, 'requirements.selector')).toThrow(
      expect.objectContaining({
        code: 'SELECTOR_INVALID',
        message: expect.stringMatching(reason),
        details: expect.objectContaining({ field: 'requirements.selector' }),
      }),
    );
  });

  it.each([
    ['queue.name == "west"', 'SHAPE'],
    ['worker.cpuVendor == "AMD" && worker.devices.exists(d, d.model == "A100")', 'SHAPE'],
    ['worker.labels.rack == "r1"', 'LABELS'],
    ['"rack" in worker.labels', 'LABELS'],
    ['queue.labels.tier == "1"', 'SHAPE'],
    ['worker.cores > 1', 'WORKER'],
    ['worker.diskMiB / 2 > worker.memoryMiB', 'WORKER'],
    ['worker.host.startsWith("node")', 'WORKER'],
    ['has(worker.version) || worker.labels.rack == "r1"', 'WORKER'],
    ['dyn(worker) == dyn(worker)', 'WORKER'],
  ])('reports the scope of %s: %s', (text, scope) => {
    expect(compileSelector(text).scope).toBe(scope);
  });

  it.each([
    ['measured.finished >= 5 && measured.speed > 1.2', 'SHAPE'],
    ['measured.siteSuccessRate > 0.9', 'SHAPE'],
    ['measured.hostSpeed > 1.0', 'WORKER'],
    ['measured.failed == 0 && worker.labels.rack == "r1"', 'LABELS'],
    ['dyn(measured) == dyn(worker.network)', 'WORKER'],
  ])('reads measured values in preferences: %s', (text, scope) => {
    const { scope: found, readsMeasured } = compileSelector(text, 'preferences', 'PREFERENCE');
    expect([found, readsMeasured]).toEqual([scope, true]);
    expect(() => compileSelector(text)).toThrow(/known attributes/);
  });

  it('looks at each label at most once for each of its parts, however long it is', () => {
    const longest = Array.from(
      { length: 4 },
      (_, i) => `worker.labels.exists(k, k.contains("${'a'.repeat(300)}${i}"))`,
    ).join(' || ');
    const wide = selectorView(
      aWorker({ labels: Array.from({ length: 64 }, (_, i) => ({ key: `k${i}`, value: 'v'.repeat(255) })) }),
      aQueue({}),
    );
    const selector = compileSelector(longest);
    const compared = jest.spyOn(String.prototype, 'includes');
    expect(selector.accepts(wide)).toBe(false);
    const comparisons = compared.mock.calls.filter(([text]) => text.length > 300).length;
    compared.mockRestore();
    // Each of its 4 parts looks at each of the 64 labels once.
    expect(comparisons).toBe(4 * 64);
  });
});
