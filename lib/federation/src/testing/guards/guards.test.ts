import { describe, expect, it } from '@jest/globals';
import { type GuardName, guards, type UpstreamProblem } from '../../planning/guards.js';
import { renderGuards } from './render-guards.js';
import { type Reproduction, reproductions } from './reproductions.js';
import { crashes, runBare, runGuarded } from './run-reproduction.js';

const names = Object.keys(guards) as GuardName[];
const all = names.flatMap((name) =>
  reproductions[name].map((reproduction, index) => [`${name}, ${index + 1}`, reproduction] as const),
);

/** Runs a reproduction on the native planner alone; true if the answer is right. */
async function isRight(name: GuardName, reproduction: Reproduction): Promise<boolean> {
  if (name === 'planner-crash') return !(await crashes(reproduction));
  const { data, calls } = await runBare(reproduction);
  const isSame = JSON.stringify(data) === JSON.stringify(reproduction.data);
  return isSame && calls <= (reproduction.calls ?? Infinity);
}

describe('the native planner alone', () => {
  it.each(names)('fails as guard %s says', async (name) => {
    const right: boolean[] = [];
    for (const reproduction of reproductions[name]) right.push(await isRight(name, reproduction));
    const verdict = right.includes(false)
      ? `guard ${name} is needed`
      : `guard ${name} is no longer needed: remove it`;
    expect(verdict).toBe(`guard ${name} is needed`);
  });
});

describe('the engine with its guards', () => {
  it.each(all)('returns the right data: %s', async (_name, reproduction) => {
    const outcome = await runGuarded(reproduction);
    expect(outcome.data).toEqual(reproduction.data);
    if (reproduction.calls !== undefined) expect(outcome.calls).toBe(reproduction.calls);
  });

  it.each([
    'unused-alias',
    'conflicting-fields',
    'missing-keys',
    'merged-fields',
    'wrong-required-field',
    'missing-type-conditions',
    'redundant-fetches',
  ] as const)('finds %s by its own check', async (name) => {
    for (const reproduction of reproductions[name])
      expect((await runGuarded(reproduction)).faults).toEqual([expect.stringContaining(guards[name].fault)]);
  });
});

describe('renderGuards', () => {
  const sections = renderGuards().split('\n## ').slice(1);

  it('has a section for each guard', () => {
    expect(sections.map((section) => section.split('\n')[0])).toEqual(names);
  });

  it.each(names)('names the upstream problem of %s: library, version, actual and right result', (name) => {
    const section = sections.find((text) => text.startsWith(`${name}\n`));
    const { component, actual, expected, report } = guards[name].problem as UpstreamProblem;
    expect(section).toMatch(new RegExp(`Upstream\\*\\*: \`${component}\` \\d+\\.\\d+\\.\\d+\\. `));
    expect(section).toContain(`**Actual**: ${actual}.`);
    expect(section).toContain(`**Expected**: ${expected}.`);
    expect(section).toContain(report?.url ?? 'Not reported');
  });
});
