import { describe, expect, it } from '@jest/globals';
import { checkTask, shapesOf } from './task-input.js';
import type { TaskSpec } from './task-spec.types.js';

const anything = { selector: () => ({ ok: true }) as const, queue: () => undefined };
const check = (task: Partial<TaskSpec>) =>
  checkTask(
    {
      experiment: 'alpha',
      idempotencyKey: 'k',
      name: 'chain',
      template: { name: 'first', payload: { command: 'one', arguments: ['{{a}}'] } },
      ...task,
    },
    anything,
  );
const set = (variant?: number, ...names: string[]) => ({
  parameters: names.map((name) => ({ name, value: 'v' })),
  variant,
});

describe('a variant of a task', () => {
  it('serves the parameter sets that refer to it, with the parameters of its own texts', async () => {
    const variants = [{ payload: { command: 'two', arguments: ['{{b}}'] } }];
    expect(await check({ variants, parameterSets: [set(undefined, 'a'), set(0, 'b')] })).toEqual([]);
    const [refusal] = await check({ variants, parameterSets: [set(undefined, 'a'), set(0, 'a')] });
    expect(refusal?.path).toEqual(['jobs', 'parameterSets', '1', 'parameters']);
    expect(refusal?.message).toContain('{{b}}');
  });

  it('inherits absent values from the template', () => {
    const template = { name: 'first', requirements: { cores: 2 }, payload: { command: 'one' } };
    const [base, other] = shapesOf({ template, variants: [{ name: 'second' }] });
    expect(base).toBe(template);
    expect(other).toEqual({ ...template, name: 'second' });
  });

  it.each([
    [
      { variants: [], parameterSets: [set(0, 'a')] },
      ['jobs', 'parameterSets', '0', 'variant'],
      'absent without `variants`',
    ],
    [
      { variants: [{ name: 'x' }], parameterSets: [set(1, 'a')] },
      ['jobs', 'parameterSets', '0', 'variant'],
      '0 to 0',
    ],
    [
      { variants: [{ name: 'x' }], parameterSets: [set(-1, 'a')] },
      ['jobs', 'parameterSets', '0', 'variant'],
      '0 to 0',
    ],
    [
      { variants: [{ payload: { command: '' } }], parameterSets: [set(0)] },
      ['variants', '0', 'payload', 'command'],
      '1 to 4096',
    ],
    [
      { variants: [{ requirements: { cores: 0 } }], parameterSets: [set(0)] },
      ['variants', '0', 'requirements', 'cores'],
      'at least 1',
    ],
    [
      { variants: [{ name: 'x' }], count: 2, template: { name: 't', payload: { command: 'c' } } },
      ['variants'],
      '`jobs.parameterSets`',
    ],
    [
      { variants: Array.from({ length: 201 }, () => ({})), parameterSets: [set(undefined, 'a')] },
      ['variants'],
      'at most 200',
    ],
  ])('is refused with the path and the expected value: %#', async (task, path, expected) => {
    const [refusal] = await check(task);
    expect(refusal?.path).toEqual(path);
    expect(refusal?.message).toContain(expected);
  });
});
